// @google/genai, as its users write it.

import { GoogleGenAI } from "@google/genai";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";

import { GATEWAY, KEY, PROMPT, fact, pictures, tell } from "./facts.mjs";

const MODEL = "nano-banana-2";
const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: GATEWAY } });

const parts = (answer) => (answer.candidates ?? []).flatMap((one) => one.content?.parts ?? []);
const drawn = (answer) => parts(answer).filter((part) => part.inlineData && !part.thought).map((part) => part.inlineData.data);
const draw = (contents, config = {}, model = MODEL) => client.models.generateContent({ model, contents, config });
const pause = () => new Promise((done) => setTimeout(done, 100));

const first = drawn(await draw(PROMPT))[0];
const inline = { inlineData: { mimeType: "image/png", data: first } };

await fact("one", async () => pictures(drawn(await draw(PROMPT))));
await fact("four", async () => pictures(drawn(await draw(PROMPT, { candidateCount: 4, responseModalities: ["IMAGE"] }))));
await fact("another model", async () => pictures(drawn(await draw(PROMPT, { candidateCount: 2 }, "flux-2-pro"))));
await fact("shape", async () => {
  const config = { candidateCount: 2, imageConfig: { aspectRatio: "16:9", imageSize: "2K" } };
  const answer = await draw(PROMPT, config);
  return [pictures(drawn(answer)), answer.usageMetadata.totalTokenCount > 0, Boolean(answer.responseId)];
});
await fact("edit", async () => pictures(drawn(await draw([inline, "make it night"]))));
await fact("edit of several", async () => pictures(drawn(await draw([inline, inline, "as one"], { candidateCount: 2 }))));
await fact("thoughts and search", async () => {
  const config = { thinkingConfig: { includeThoughts: true, thinkingLevel: "HIGH" }, tools: [{ googleSearch: {} }] };
  return pictures(drawn(await draw(PROMPT, config)));
});
await fact("stream", async () => {
  const found = [];
  const config = { candidateCount: 3 };
  for await (const chunk of await client.models.generateContentStream({ model: MODEL, contents: PROMPT, config })) {
    found.push(...drawn(chunk));
  }
  return pictures(found);
});
await fact("chat", async () => {
  const chat = client.chats.create({ model: MODEL });
  const found = [];
  for (const message of [PROMPT, "make it night", "and the moon"]) found.push(...drawn(await chat.sendMessage({ message })));
  const mine = chat.getHistory().filter((turn) => turn.role === "model").flatMap((turn) => turn.parts);
  return [pictures(found), mine.filter((part) => part.thoughtSignature && part.inlineData).length];
});
await fact("streamed chat", async () => {
  const chat = client.chats.create({ model: MODEL });
  const found = [];
  for (const message of [PROMPT, "make it night"]) {
    for await (const chunk of await chat.sendMessageStream({ message })) found.push(...drawn(chunk));
  }
  return pictures(found);
});
await fact("tokens", async () => (await client.models.countTokens({ model: MODEL, contents: PROMPT })).totalTokens > 0);
await fact("models", async () => {
  const names = [];
  for await (const model of await client.models.list()) names.push(model.name);
  const one = await client.models.get({ model: MODEL });
  return [names.includes("models/gemini-3.1-flash-image"), one.name];
});
await fact("files", async () => {
  await writeFile("kite.png", Buffer.from(first, "base64"));
  const file = await client.files.upload({ file: "kite.png", config: { displayName: "a kite" } });
  const got = await client.files.get({ name: file.name });
  const listed = [];
  for await (const each of await client.files.list()) listed.push(each.name);
  const edit = await draw([{ fileData: { fileUri: file.uri, mimeType: file.mimeType } }, "make it night"]);
  await client.files.delete({ name: file.name });
  const gone = await client.files.get({ name: file.name }).catch((error) => [error.name, error.status]);
  return [got.displayName, got.mimeType, got.state, listed.includes(file.name), pictures(drawn(edit)), gone];
});
await fact("a file's bytes", async () => {
  const file = await client.files.upload({ file: "kite.png" });
  await client.files.download({ file, downloadPath: "copy.png" });
  for (let tries = 0; tries < 50; tries += 1) {
    await pause();
    try {
      if (readFileSync("copy.png").equals(readFileSync("kite.png"))) return true;
    } catch {
      // It is written while we wait.
    }
  }
  return false;
});

async function ended(job) {
  let found = job;
  while (!/SUCCEEDED|FAILED|CANCELLED/.test(found.state)) {
    await pause();
    found = await client.batches.get({ name: job.name });
  }
  return found;
}

await fact("inline batch", async () => {
  const src = ["a kite", "a heron"].map((text) => ({ contents: [{ role: "user", parts: [{ text }] }] }));
  const job = await ended(await client.batches.create({ model: MODEL, src, config: { displayName: "birds" } }));
  const listed = [];
  for await (const each of await client.batches.list()) listed.push(each.name);
  const found = job.dest.inlinedResponses.map((each) => each.response).flatMap(drawn);
  return [job.state, job.displayName, listed.includes(job.name), pictures(found)];
});
await fact("batch of a file", async () => {
  const line = { key: "kite", request: { contents: [{ parts: [{ text: PROMPT }] }] } };
  await writeFile("birds.jsonl", JSON.stringify(line) + "\n");
  const source = await client.files.upload({ file: "birds.jsonl", config: { mimeType: "jsonl" } });
  const job = await ended(await client.batches.create({ model: MODEL, src: source.name }));
  await client.files.download({ file: job.dest.fileName, downloadPath: "results.jsonl" });
  await pause();
  const [result] = readFileSync("results.jsonl", "utf8").trim().split("\n").map(JSON.parse);
  return [result.key, pictures(drawn(result.response))];
});
await fact("cancelled batch", async () => {
  const src = [{ contents: [{ role: "user", parts: [{ text: "a kite [sim:latency=1]" }] }] }];
  const job = await client.batches.create({ model: MODEL, src });
  await client.batches.cancel({ name: job.name });
  const state = (await ended(job)).state;
  await client.batches.delete({ name: job.name });
  return [state, await client.batches.get({ name: job.name }).catch((error) => error.status)];
});

await fact("no such model", () => draw(PROMPT, {}, "no-such-model"));
await fact("too many", () => draw(PROMPT, { candidateCount: 101 }));
await fact("wrong key", async () => {
  const other = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: GATEWAY } });
  await other.models.generateContent({ model: MODEL, contents: PROMPT });
});
await fact("blocked prompt", async () => Boolean((await draw("a kite [sim:prompt_blocked]")).promptFeedback.blockReason));
await fact("refused picture", async () => (await draw("a kite [sim:image_safety]")).candidates.map((one) => one.finishReason));
await fact("refused request", () => draw(PROMPT, { responseModalities: ["AUDIO"] }));
await fact("refused stream", async () => {
  const config = { candidateCount: 101 };
  for await (const chunk of await client.models.generateContentStream({ model: MODEL, contents: PROMPT, config })) drawn(chunk);
});
await fact("side by side", async () => {
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => draw(PROMPT)));
  return pictures(answers.flatMap(drawn));
});

tell();
