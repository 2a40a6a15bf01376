// What a program found, printed as one JSON object at its end.

import { createHash } from "node:crypto";

export const GATEWAY = process.env.GATEWAY;
export const KEY = process.env.GATEWAY_KEY;
export const PROMPT = "a red kite over the moor";

const FACTS = {};

// A fact is what the function returns, or the error that it throws.
export async function fact(name, find) {
  try {
    FACTS[name] = (await find()) ?? null;
  } catch (error) {
    FACTS[name] = { error: error.constructor.name, name: error.name, status: error.status ?? error.statusCode ?? null };
    if (process.env.VERBOSE) console.error(name, error);
  }
}

// The types of pictures by their bytes, and how many are different: ["image/png", 4, 4].
export function pictures(found) {
  const bytes = found.map((each) => (typeof each === "string" ? Buffer.from(each, "base64") : Buffer.from(each)));
  const names = bytes.map((each) => createHash("sha256").update(each).digest("hex"));
  return [[...new Set(bytes.map(type))].sort().join(" "), bytes.length, new Set(names).size];
}

function type(bytes) {
  if (bytes.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) return "image/png";
  if (bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return "image/jpeg";
  return bytes.subarray(0, 4).toString("latin1") === "RIFF" ? "image/webp" : "none";
}

export function tell() {
  console.log(JSON.stringify(FACTS));
}
