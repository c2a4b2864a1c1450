import { assertEquals } from "@std/assert";
import { decode, FORMATS, quantize } from "../../../quant/mod.ts";
import { planeBytes } from "../../../quant/layouts/planes.ts";
import { ggufNormalisedRows, normalisedRow } from "../../support/gguf_decode_judge.ts";
import { llamaCppMissing } from "../../support/llama_cpp.ts";
import { normals } from "../random.ts";
import { randomTensor } from "../random_tensor.ts";

// llama.cpp's own decode of every GGUF type, seen through an embedding row and the final norm, whose f32 arithmetic is done
// again here: no tolerance.

const missing = await llamaCppMissing();
const [rows, columns] = [6, 256];

for (const format of FORMATS) {
  const { name, gguf } = format;
  if (!gguf) continue;
  Deno.test({
    name: `${name} decodes as llama.cpp does, bit for bit` +
      (missing ? ` (skipped: ${missing})` : ""),
    ignore: missing !== undefined,
    fn: async () => {
      // Scales of every exponent, and values as a quantiser leaves them.
      const random = randomTensor(format, rows, columns, gguf.type);
      if (name === "MXFP4") {
        const exponents = planeBytes(random.scales);
        exponents.forEach((byte, i) => exponents[i] = 64 + byte % 64);
      }
      const plain = quantize(normals(gguf.type, rows * columns), rows, columns, name);
      const tensors = [random, plain];
      const bytes = tensors.flatMap((t) => [...format.pack(t)]);
      const values = tensors.flatMap((t) => [...decode(t)]);
      const judged = await ggufNormalisedRows(gguf.type, new Uint8Array(bytes), 2 * rows, columns);
      for (let row = 0; row < 2 * rows; row++) {
        const e = values.slice(row * columns, (row + 1) * columns);
        const actual = Float32Array.from({ length: columns }, (_, k) => judged[row][k] + 0);
        assertEquals(actual, normalisedRow(e).map((value) => value + 0), `row ${row}`);
      }
    },
  });
}
