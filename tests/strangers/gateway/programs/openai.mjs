// openai, as its users write it.

import OpenAI, { toFile } from "openai";

import { GATEWAY, KEY, PROMPT, fact, pictures, tell } from "./facts.mjs";

const MODEL = "nano-banana-2";
const client = new OpenAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1` });

const draw = (wish) => client.images.generate({ model: MODEL, prompt: PROMPT, ...wish });
const drawn = (answer) => answer.data.map((item) => item.b64_json);
const bytesOf = (url) => url.slice(url.indexOf(",") + 1);
const shown = (answer) => answer.choices.flatMap((each) => each.message.images).map((each) => bytesOf(each.image_url.url));
const pause = () => new Promise((done) => setTimeout(done, 100));

const first = Buffer.from(drawn(await draw({}))[0], "base64");
const photo = (name = "kite.png") => toFile(first, name, { type: "image/png" });

await fact("one", async () => pictures(drawn(await draw({}))));
await fact("four", async () => pictures(drawn(await draw({ n: 4 }))));
await fact("more than OpenAI's ten", async () => pictures(drawn(await draw({ n: 12, size: "1024x1024" }))));
await fact("OpenAI's model", async () => {
  const answer = await draw({ model: "gpt-image-2", n: 2, quality: "low", output_format: "webp" });
  return [pictures(drawn(answer)), answer.output_format, answer.created > 0, answer.usage.total_tokens > 0];
});
await fact("addresses", async () => {
  const answer = await draw({ n: 2, response_format: "url" });
  const found = await Promise.all(answer.data.map(async (item) => (await fetch(item.url)).bytes()));
  return [pictures(found), answer.data.every((item) => item.b64_json === undefined)];
});
await fact("edit", async () => {
  const image = await photo();
  return pictures(drawn(await client.images.edit({ model: MODEL, image, prompt: "make it night", n: 2 })));
});
await fact("edit of several", async () => {
  const image = [await photo("a.png"), await photo("b.png")];
  return pictures(drawn(await client.images.edit({ model: MODEL, image, prompt: "as one" })));
});
await fact("masked edit", async () => {
  const [image, mask] = [await photo(), await photo("mask.png")];
  return pictures(drawn(await client.images.edit({ model: "gpt-image-2", image, mask, prompt: "a moon there" })));
});
await fact("stream", async () => {
  const found = [];
  const types = [];
  for await (const event of await draw({ model: "gpt-image-2", n: 2, stream: true, partial_images: 1 })) {
    types.push(event.type);
    if (event.type === "image_generation.completed") found.push(event.b64_json);
  }
  return [pictures(found), [...new Set(types)].sort()];
});
await fact("chat", async () => {
  const messages = [];
  const found = [];
  for (const content of [PROMPT, "make it night", "and the moon"]) {
    messages.push({ role: "user", content });
    const answer = await client.chat.completions.create({ model: MODEL, messages, modalities: ["image", "text"] });
    messages.push(answer.choices[0].message);
    found.push(...shown(answer));
  }
  return pictures(found);
});
await fact("four choices", async () => {
  const messages = [{ role: "user", content: PROMPT }];
  return pictures(shown(await client.chat.completions.create({ model: MODEL, messages, n: 4 })));
});
await fact("streamed chat", async () => {
  const messages = [{ role: "user", content: PROMPT }];
  const found = [];
  for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, n: 2, stream: true })) {
    for (const choice of chunk.choices) found.push(...(choice.delta.images ?? []).map((each) => bytesOf(each.image_url.url)));
  }
  return pictures(found);
});
await fact("chat helper", async () => {
  const messages = [{ role: "user", content: PROMPT }];
  const answer = await client.chat.completions.stream({ model: MODEL, messages }).finalChatCompletion();
  return [answer.choices.length, answer.choices[0].finish_reason];
});
await fact("responses", async () => {
  const tools = [{ type: "image_generation" }];
  const answer = await client.responses.create({ model: MODEL, input: PROMPT, tools });
  const next = await client.responses.create({ model: MODEL, input: "at night", previous_response_id: answer.id, tools });
  const found = [answer, next].flatMap((each) => each.output).filter((item) => item.type === "image_generation_call");
  return [pictures(found.map((item) => item.result)), next.status];
});
await fact("streamed responses", async () => {
  const stream = client.responses.stream({ model: MODEL, input: PROMPT, tools: [{ type: "image_generation" }] });
  const answer = await stream.finalResponse();
  return pictures(answer.output.filter((item) => item.type === "image_generation_call").map((item) => item.result));
});
await fact("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  return [names.includes("gpt-image-2"), (await client.models.retrieve(MODEL)).id];
});
await fact("files", async () => {
  const file = await client.files.create({ file: await photo(), purpose: "vision" });
  const got = await client.files.retrieve(file.id);
  const bytes = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
  const listed = [];
  for await (const each of client.files.list()) listed.push(each.id);
  const gone = await client.files.delete(file.id);
  const missing = await client.files.retrieve(file.id).catch((error) => [error.constructor.name, error.status]);
  return [got.filename, got.bytes === first.length, bytes.equals(first), listed.includes(file.id), gone.deleted, missing];
});

async function ended(batch) {
  let found = batch;
  while (!["completed", "failed", "cancelled"].includes(found.status)) {
    await pause();
    found = await client.batches.retrieve(batch.id);
  }
  return found;
}

async function begun(bodies, url) {
  const lines = bodies.map((body, number) => JSON.stringify({ custom_id: `line-${number}`, method: "POST", url, body }));
  const file = await client.files.create({ file: await toFile(Buffer.from(lines.join("\n")), "lines.jsonl"), purpose: "batch" });
  return client.batches.create({ input_file_id: file.id, endpoint: url, completion_window: "24h" });
}

await fact("batch", async () => {
  const bodies = [{ model: MODEL, prompt: PROMPT, n: 2 }, { model: MODEL, prompt: "a kite [sim:image_safety]" }];
  const batch = await ended(await begun(bodies, "/v1/images/generations"));
  const results = JSON.parse(await (await client.files.content(batch.output_file_id)).text());
  const errors = JSON.parse(await (await client.files.content(batch.error_file_id)).text());
  const listed = [];
  for await (const each of client.batches.list()) listed.push(each.id);
  return [batch.status, batch.request_counts, pictures(drawn(results.response.body)), errors.custom_id, listed.includes(batch.id)];
});
await fact("cancelled batch", async () => {
  const bodies = [{ model: MODEL, messages: [{ role: "user", content: "a kite [sim:latency=1]" }] }];
  const batch = await begun(bodies, "/v1/chat/completions");
  await client.batches.cancel(batch.id);
  return (await ended(batch)).status;
});

await fact("no such model", () => draw({ model: "no-such-model" }));
await fact("too many", () => draw({ n: 101 }));
await fact("wrong key", async () => {
  await new OpenAI({ apiKey: "wrong", baseURL: `${GATEWAY}/v1` }).images.generate({ model: MODEL, prompt: PROMPT });
});
await fact("blocked prompt", async () => {
  const caught = await draw({ prompt: "a kite [sim:prompt_blocked]" }).catch((error) => error);
  return [caught.constructor.name, caught.status, caught.code, Boolean(caught.requestID)];
});
await fact("refused picture", async () => (await draw({ prompt: "a kite [sim:image_safety]" }).catch((error) => error)).code);
await fact("refused chat", async () => {
  const messages = [{ role: "user", content: "a kite [sim:image_safety]" }];
  await client.chat.completions.create({ model: MODEL, messages });
});
await fact("fewer", async () => {
  const answer = await draw({ n: 3, prompt: `a kite ${process.pid} [sim:prompt_blocked,times=1]` });
  return [pictures(drawn(answer)), answer.failures.length];
});
await fact("stream that breaks", async () => {
  let count = 0;
  try {
    for await (const event of await draw({ n: 2, stream: true, prompt: `a heron ${process.pid} [sim:prompt_blocked,times=1]` })) {
      count += event.type === "image_generation.completed" ? 1 : 0;
    }
  } catch (error) {
    return [count, error.constructor.name, error.code ?? null];
  }
  return [count, "no error"];
});
await fact("streamed chat that breaks", async () => {
  const messages = [{ role: "user", content: `an owl ${process.pid} [sim:prompt_blocked,times=1]` }];
  let count = 0;
  try {
    for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, n: 2, stream: true })) {
      for (const choice of chunk.choices) count += (choice.delta.images ?? []).length;
    }
  } catch (error) {
    return [count, error.constructor.name, error.code ?? null];
  }
  return [count, "no error"];
});
await fact("side by side", async () => {
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => draw({})));
  return pictures(answers.flatMap(drawn));
});

tell();
