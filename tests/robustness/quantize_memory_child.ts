/**
 * Quantises a model of 8 equal blocks with calibration text, and prints the host memory that was in use at each tensor written: argument
 * 1 is `stream` or `held`, 2 the path. To be run with `--v8-flags=--expose-gc`.
 *
 * @module
 */
import { calibratedSource, calibratedStream, openGpu, writeModel } from "../../mod.ts";
import { formatByName } from "../../quant/mod.ts";
import { ggufInMemory, smallShape, textExamples } from "../models/small_model.ts";
import { randomLlama } from "../support/random_llama.ts";

const collect = (globalThis as unknown as { gc: () => void }).gc;
const [way, path] = Deno.args;
const hidden = 256;
const layers = 8;
const shape = {
  ...smallShape,
  layers,
  hidden,
  feedForward: hidden,
  kvHeads: smallShape.heads,
};
const blockBytes = 7 * hidden * formatByName("Q8_0").rowBytes(hidden);

using gpu = await openGpu();
// In a function of its own: what it makes besides is garbage when it is done.
const makeSource = () => ggufInMemory(shape, randomLlama(shape, { seed: 1, tied: true }));
using source = await makeSource();
const windows = textExamples(shape.vocabulary, [8]);
const options = { format: "Q8_0", method: "rtn", search: false };

function memory(): number {
  collect();
  collect();
  return Deno.memoryUsage().external;
}

await new Promise((resolve) => setTimeout(resolve));
const before = memory();
const used: number[] = [];
const onProgress = () => used.push(memory() - before);
if (way === "stream") {
  await using stream = calibratedStream(gpu, source, windows, options);
  await writeModel(stream, path, { onProgress });
} else {
  await writeModel(await calibratedSource(gpu, source, windows, options), path, { onProgress });
}
console.log(JSON.stringify({ blockBytes, layers, peak: Math.max(...used) }));
