/**
 * Seeded damage to files of the kinds that models and adapters are made of.
 *
 * @module
 */
import { mutated, mutatedText, random } from "../models/tokenizers/tokenizer_mutate.ts";
import { mutate } from "../quant/mutations.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const asText = (bytes: Bytes): string => new TextDecoder().decode(bytes);
const asBytes = (text: string | undefined): Bytes => new TextEncoder().encode(text ?? "");

/** A JSON file: its text damaged, or its values. */
export function damagedJson(bytes: Bytes, seed: number): Bytes {
  const next = random(seed);
  const text = asText(bytes);
  if (seed % 3 === 0) return asBytes(mutatedText(text, next));
  let value: unknown = JSON.parse(text);
  for (let i = 0; i <= next() * 3; i++) value = mutated(value, next);
  return asBytes(JSON.stringify(value));
}

/** A safetensors file with a header that says something else. */
export function withOtherHeader(bytes: Bytes, seed: number): Bytes {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const value = mutated(JSON.parse(asText(bytes.slice(8, 8 + length))), random(seed));
  const header = asBytes(JSON.stringify(value));
  const out = new Uint8Array(8 + header.length + bytes.length - 8 - length);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(header, 8);
  out.set(bytes.subarray(8 + length), 8 + header.length);
  return out;
}

/** A file by its name: JSON as such, safetensors by header or bytes, others by bytes, of which `header` tell about the rest. */
export function damagedFile(path: string, bytes: Bytes, seed: number, header = 900): Bytes {
  if (path.endsWith(".json")) return damagedJson(bytes, seed);
  if (path.endsWith(".safetensors") && seed % 2 === 0) return withOtherHeader(bytes, seed);
  return mutate(bytes, seed % 3 === 0 ? bytes.length : Math.min(header, bytes.length), seed);
}
