/**
 * `qzo quantize`: a model in fewer bits.
 *
 * @module
 */
import {
  openModelSource,
  quantizedSource,
  type TensorSource,
  writeModel,
} from "../../models/mod.ts";
import { bitsPerWeight, decode, FORMATS, tensorKind } from "../../quant/mod.ts";
import type { Command } from "../command.ts";
import { formatBytes } from "../progress.ts";
import { facts, grouped, status, table } from "../terminal.ts";
import { UsageError } from "../usage_error.ts";

/** Squared errors of the tensors of one kind. */
interface KindError {
  readonly format: string;
  count: number;
  bits: number;
  weights: number;
  difference: number;
  norm: number;
}

/** `qzo quantize`. */
export const quantizeCommand: Command = {
  name: "quantize",
  summary: "write a model in fewer bits, with the error of each kind of tensor",
  positional: "model",
  examples: [
    "quantize model.gguf --format Q4_0 --output small.gguf",
    "quantize folder --format int4_g128 --output small",
  ],
  options: {
    output: { kind: "text", doc: "a .gguf file, or a folder for formats that GGUF has not" },
    embedding: { kind: "text", doc: "format of the embedding and the head [F16]" },
    keep: { kind: "text", doc: "parts of names that stay 16-bit, with commas between" },
  },
  keys: ["model", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    const config = call.config();
    const path = options.required("output", "--output small.gguf");
    const { format } = config.quantize;
    if (format === undefined) {
      throw new UsageError(
        `Missing --format, known are ${FORMATS.map((it) => it.name).join(", ")}`,
      );
    }
    if (await Deno.stat(path).then(() => true, () => false)) {
      throw new Deno.errors.AlreadyExists(`Cannot write "${path}": it exists`);
    }
    const embedding = options.text("embedding");
    const keep = options.text("keep")?.split(",").map((part) => part.trim());
    using stored = await openModelSource(config.model);
    const quantized = quantizedSource(stored, {
      format,
      ...(embedding === undefined ? {} : { embedding }),
      ...(keep ? { keep } : {}),
    });
    const errors = new Map<string, KindError>();
    const report = await writeModel(
      {
        ...quantized,
        tensors: new Map(
          [...quantized.tensors].map(([name, tensor]) => [
            name,
            compared(errors, stored.tensors.get(name) ?? tensor, tensor),
          ]),
        ),
      },
      path,
      {
        signal,
        onProgress: ({ done, total }) =>
          status(terminal, `Writing ${path}: ${done} of ${total} tensors`),
      },
    );
    status(terminal, "");
    facts(terminal, [
      ["written", `${path}, ${formatBytes(await sizeOf(path))}`],
      ["bits", `${report.bitsPerWeight.toFixed(3)} per weight`],
    ]);
    for (
      const line of table([
        ["kind", "format", "tensors", "weights", "bits", "relative error"],
        ...[...errors].map(([key, it]) => [
          key.split(" ")[0],
          it.format,
          it.count,
          grouped(it.weights),
          (it.bits / it.weights).toFixed(3),
          it.norm > 0 ? Math.sqrt(it.difference / it.norm).toExponential(2) : "0",
        ]),
      ])
    ) terminal.out(line);
  },
};

/** The tensor, adding up its differences from what it was as it is read. */
function compared(
  errors: Map<string, KindError>,
  was: TensorSource,
  now: TensorSource,
): TensorSource {
  const { rows, columns, format } = now;
  const key = `${tensorKind(now.name, rows)} ${format.name}`;
  const sum = errors.get(key) ??
    { format: format.name, count: 0, bits: 0, weights: 0, difference: 0, norm: 0 };
  errors.set(key, sum);
  sum.count++;
  sum.weights += rows * columns;
  sum.bits += bitsPerWeight(format, rows, columns) * rows * columns;
  if (was === now) return now;
  return {
    ...now,
    read: async (first, count) => {
      const packed = await now.read(first, count);
      const a = decode(await was.read(first, count));
      const b = decode(packed);
      for (let i = 0; i < a.length; i++) {
        sum.difference += (a[i] - b[i]) ** 2;
        sum.norm += a[i] ** 2;
      }
      return packed;
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  const { isDirectory, size } = await Deno.stat(path);
  if (!isDirectory) return size;
  let sum = 0;
  for await (const { name, isFile } of Deno.readDir(path)) {
    if (isFile) sum += (await Deno.stat(`${path}/${name}`)).size;
  }
  return sum;
}
