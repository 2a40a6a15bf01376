// A picture by Vercel's AI SDK, by a line that breaks once: the SDK asks again by itself, and does not say so.

import { createGoogleGenerativeAI } from "@ai-sdk/google";
import * as ai from "ai";

import { GATEWAY, KEY, PROMPT, fact, pictures, tell } from "./facts.mjs";

const google = createGoogleGenerativeAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1beta` });

await fact("one", async () => {
  const generateImage = ai.generateImage ?? ai.experimental_generateImage;
  const model = google.image("gemini-3.1-flash-image");
  const answer = await generateImage({ model, prompt: `${PROMPT} [sim:bytes=300000]` });
  return pictures(answer.images.map((image) => image.uint8Array));
});
tell();
