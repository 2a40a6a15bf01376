// A model that draws nothing: Vercel's AI SDK asks three times by itself.

import { createGoogleGenerativeAI } from "@ai-sdk/google";
import * as ai from "ai";

import { GATEWAY, KEY, fact, tell } from "./facts.mjs";

const google = createGoogleGenerativeAI({ apiKey: KEY, baseURL: `${GATEWAY}/v1beta` });

await fact("none", async () => {
  const generateImage = ai.generateImage ?? ai.experimental_generateImage;
  const model = google.image("gemini-3.1-flash-image");
  await generateImage({ model, prompt: `a kite ${process.pid} [sim:no_image]` });
});
tell();
