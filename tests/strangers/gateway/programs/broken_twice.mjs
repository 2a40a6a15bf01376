// A picture of openai's by a line that breaks once. This SDK gives up; its user asks again.

import OpenAI from "openai";

import { GATEWAY, KEY, PROMPT, fact, pictures, tell } from "./facts.mjs";

const client = new OpenAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1` });
const draw = async () => {
  const answer = await client.images.generate({ model: "nano-banana-2", prompt: `${PROMPT} [sim:bytes=300000]` });
  return pictures(answer.data.map((item) => item.b64_json));
};

await fact("first", () => draw());
await fact("second", () => draw());
tell();
