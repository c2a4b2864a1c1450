/**
 * Format names as people write them.
 *
 * @module
 */
import { formatByName, FORMATS } from "./formats.ts";
import { nearestNames } from "../nearest_names.ts";

/**
 * Short names and the exact format they stand for. A name without a group size means the group size that the method's
 * own tools use.
 */
const SAME: Readonly<Record<string, string>> = {
  nf4: "nf4_g64",
  fp4: "fp4_g64",
  int2: "int2_g128",
  int3: "int3_g128",
  int4: "int4_g128",
  int8: "int8_g128",
  fp32: "F32",
  float32: "F32",
  fp16: "F16",
  float16: "F16",
  half: "F16",
  bfloat16: "BF16",
};

/** llama.cpp's mixes, with the format of most of their matrices. */
const MIX = /^(Q[2-6]_K)_([SML])$/i;

const WHAT_THEN: Readonly<Record<string, string>> = {
  gptq: "it is a method: --method gptq --format Q4_0",
  awq: "it is a method: --method awq --format Q4_0",
  aqlm: "use a codebook, for example codebook2x8",
  "4bit": "use Q4_0 for a GGUF file, or nf4 or int4 for a folder",
  "8bit": "use Q8_0 for a GGUF file, or int8 for a folder",
  "2bit": "use Q2_K for a GGUF file, or codebook2x8 for a folder",
  gguf: "name one of its formats, for example Q4_0",
};

/**
 * The exact name of a format, from the way people write it. Case is ignored; `nf4` means `nf4_g64` (bitsandbytes uses
 * blocks of 64) and `int4` means `int4_g128`.
 *
 * @throws {RangeError} when it is not a format. The message suggests a replacement, also for llama.cpp's mixes such as
 * `Q4_K_M`.
 *
 * @example Different spellings
 * ```ts
 * import { formatNameOf } from "@qzo/qzo/quant";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(["q4_0", "NF4", "int4-g128"].map(formatNameOf), ["Q4_0", "nf4_g64", "int4_g128"]);
 * assertThrows(() => formatNameOf("Q4_K_M"), RangeError, "use Q4_K");
 * ```
 */
export function formatNameOf(name: string): string {
  const wanted = name.toLowerCase().replaceAll("-", "_");
  const exact = Object.hasOwn(SAME, wanted)
    ? SAME[wanted]
    : FORMATS.find((format) => format.name.toLowerCase() === wanted)?.name;
  if (exact !== undefined) return exact;
  const mixed = MIX.exec(wanted.toUpperCase());
  if (mixed) {
    throw new RangeError(
      `Cannot find format "${name}": it is llama.cpp's mix of ${
        mixed[1]
      } with wider formats for some matrices; use ${
        mixed[1]
      }, with --embedding Q6_K to make the embedding and head as wide as in the mix`,
    );
  }
  if (Object.hasOwn(WHAT_THEN, wanted)) {
    throw new RangeError(`Cannot find format "${name}": ${WHAT_THEN[wanted]}`);
  }
  // Codebook and column formats of other sizes are constructed from their names.
  const made = [name, wanted].find((it) => isFormatName(it));
  if (made !== undefined) return made;
  const near = nearestNames(name, FORMATS.map((format) => format.name));
  throw new RangeError(
    `Cannot find format "${name}": ${
      near.length > 0 ? `did you mean ${near.join(", ")}?` : "for example F16, Q4_0, int4_g128."
    } For the full list: qzo quantize --formats`,
  );
}

function isFormatName(name: string): boolean {
  try {
    formatByName(name);
    return true;
  } catch {
    return false;
  }
}
