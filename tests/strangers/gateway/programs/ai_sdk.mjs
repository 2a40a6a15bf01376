// Vercel's AI SDK with four of its providers, as its users write it.

import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import * as ai from "ai";

import { GATEWAY, KEY, PROMPT, fact, pictures, tell } from "./facts.mjs";

const generateImage = ai.generateImage ?? ai.experimental_generateImage;
const google = createGoogleGenerativeAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1beta` });
const openai = createOpenAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1` });
const compatible = createOpenAICompatible({ name: "cavendish", apiKey: KEY, baseURL: `${GATEWAY}/v1` });
const openrouter = createOpenRouter({ apiKey: KEY, baseURL: `${GATEWAY}/v1` });
const MODEL = "gemini-3.1-flash-image";

const drawn = (answer) => pictures(answer.images.map((image) => image.uint8Array));
const filed = (answer) => pictures(answer.files.map((file) => file.uint8Array));
const draw = async (model, wish = {}) => drawn(await generateImage({ model, prompt: PROMPT, ...wish }));

await fact("google one", () => draw(google.image(MODEL)));
await fact("google five", () => draw(google.image(MODEL), { n: 5, aspectRatio: "16:9" }));
await fact("google text", async () => {
  const answer = await ai.generateText({ model: google(MODEL), prompt: PROMPT });
  return filed(answer);
});
await fact("google thoughts", async () => {
  const providerOptions = { google: { thinkingConfig: { includeThoughts: true }, imageConfig: { aspectRatio: "16:9" } } };
  return filed(await ai.generateText({ model: google(MODEL), prompt: PROMPT, providerOptions }))[0];
});
await fact("google chat", async () => {
  const messages = [{ role: "user", content: PROMPT }];
  const first = await ai.generateText({ model: google(MODEL), messages });
  const said = first.response?.messages ?? first.responseMessages;
  messages.push(...said, { role: "user", content: "make it night" });
  return filed(await ai.generateText({ model: google(MODEL), messages }));
});
await fact("google stream", async () => {
  const answer = ai.streamText({ model: google(MODEL), prompt: PROMPT });
  return filed({ files: await answer.files });
});
await fact("google edit", async () => {
  const answer = await generateImage({ model: google.image(MODEL), prompt: PROMPT });
  const images = answer.images.map((image) => image.uint8Array);
  return draw(google.image(MODEL), { prompt: { text: "make it night", images } });
});
await fact("openai one", () => draw(openai.image("gpt-image-2")));
await fact("openai four", () => draw(openai.image("gpt-image-2"), { n: 4, size: "1024x1024" }));
await fact("openai another model", () => draw(openai.image("nano-banana-2"), { n: 3 }));
await fact("openai edit", async () => {
  const answer = await generateImage({ model: openai.image("gpt-image-2"), prompt: PROMPT });
  const images = answer.images.map((image) => image.uint8Array);
  return draw(openai.image("gpt-image-2"), { prompt: { text: "make it night", images }, n: 2 });
});
await fact("openai tool", async () => {
  const tools = { image_generation: openai.tools.imageGeneration({ outputFormat: "png" }) };
  const answer = await ai.generateText({ model: openai("gpt-5"), prompt: PROMPT, tools });
  return pictures(answer.staticToolResults.map((found) => found.output.result));
});
await fact("compatible four", () => draw(compatible.imageModel("nano-banana-2"), { n: 4 }));
await fact("compatible edit", async () => {
  const answer = await generateImage({ model: compatible.imageModel("nano-banana-2"), prompt: PROMPT });
  const images = answer.images.map((image) => image.uint8Array);
  return draw(compatible.imageModel("nano-banana-2"), { prompt: { text: "make it night", images } });
});
await fact("openrouter image", () => draw(openrouter.imageModel("nano-banana-2"), { n: 2, aspectRatio: "16:9" }));
await fact("openrouter chat", async () => {
  const answer = await ai.generateText({ model: openrouter("nano-banana-2"), prompt: PROMPT });
  return filed(answer);
});
await fact("openrouter stream", async () => {
  const answer = ai.streamText({ model: openrouter("nano-banana-2"), prompt: PROMPT });
  return filed({ files: await answer.files });
});

const named = (error) => [error.name, error.lastError?.name ?? null, error.statusCode ?? error.lastError?.statusCode ?? null];
const failing = (model, wish) => draw(model, wish).catch(named);

await fact("google no such model", () => failing(google.image("no-such-model")));
await fact("google wrong key", () => {
  const wrong = createGoogleGenerativeAI({ apiKey: "wrong", baseURL: `${GATEWAY}/v1beta` });
  return failing(wrong.image(MODEL));
});
await fact("google refused", () => failing(google.image(MODEL), { prompt: "a kite [sim:image_safety]" }));
await fact("google blocked", () => failing(google.image(MODEL), { prompt: "a kite [sim:prompt_blocked]" }));
await fact("openai no such model", () => failing(openai.image("no-such-model")));
await fact("openai wrong key", () => {
  const wrong = createOpenAI({ apiKey: "wrong", baseURL: `${GATEWAY}/v1` });
  return failing(wrong.image("gpt-image-2"));
});
await fact("openai refused", () => failing(openai.image("nano-banana-2"), { prompt: "a kite [sim:image_safety]" }));
await fact("compatible refused", () => failing(compatible.imageModel(MODEL), { prompt: "a kite [sim:image_safety]" }));

tell();
