// Vercel: pictures with the AI SDK of that name, all at once, as it sets out to. Prints seconds of the pictures as JSON.
//   node vercel.mjs '{"packages": FOLDER, "url": URL, "model": ID, "pictures": N, "apart": false, "retries": 2, ...}'
// `packages` has node_modules with `ai` and `@ai-sdk/google`. One call for all N, or with `apart` N calls side by side.
// `go_at`: when to begin, on the machine's monotonic clock; `limit_s`: when to stop after that, done or not.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const wish = JSON.parse(process.argv[2]);
const find = createRequire(join(wish.packages, 'package.json'));
const load = name => import(pathToFileURL(find.resolve(name)).href);
const { generateImage } = await load('ai');
const { createGoogleGenerativeAI } = await load('@ai-sdk/google');

globalThis.AI_SDK_LOG_WARNINGS = false;
const google = createGoogleGenerativeAI({ apiKey: 'none', baseURL: `${wish.url}/v1beta` });
const model = google.image(wish.model);
const prompt = 'a red kite';
const maxRetries = wish.retries;
const pictures_s = [];

const wait_ms = 1000 * wish.go_at - Number(process.hrtime.bigint()) / 1e6;
await new Promise(resume => setTimeout(resume, Math.max(0, wait_ms)));
const began = performance.now();

function keep(images) {
  for (const image of images) {
    pictures_s.push((performance.now() - began) / 1000);
    writeFileSync(join(wish.folder, `${pictures_s.length}.png`), image.uint8Array);
  }
}

function end() {
  console.log(JSON.stringify({ pictures_s, ended_s: (performance.now() - began) / 1000 }));
  process.exit(0);
}

setTimeout(end, wish.limit_s * 1000);
if (wish.apart) {
  const one = () => generateImage({ model, prompt, maxRetries }).then(({ images }) => keep(images));
  await Promise.allSettled(Array.from({ length: wish.pictures }, one));
} else {
  await generateImage({ model, prompt, n: wish.pictures, maxImagesPerCall: 1, maxRetries }).then(
    ({ images }) => keep(images),
    error => console.error(error.message),
  );
}
end();
