/**
 * `qzo quantize`: quantises a model to fewer bits.
 *
 * @module
 */
import { sightOf } from "../../models/architectures.ts";
import { exampleCost } from "../../models/batch.ts";
import { noTokenizer } from "../../models/checkpoints/disk/no_tokenizer.ts";
import { type Gpu, openGpu, OutOfMemoryError } from "../../kernels/mod.ts";
import {
  assertWritable,
  calibratedStream,
  decodedSource,
  loadModel,
  type MethodOptions,
  type ModelSource,
  openModelSource,
  quantizedSource,
  type WantedFormats,
  writeModel,
  type WriteReport,
} from "../../models/mod.ts";
import {
  assertNotQuantized,
  quantizationNotes,
  quantizationReason,
} from "../../models/checkpoints/derived/quantization_plan.ts";
import { exactPlan } from "../../models/checkpoints/derived/wide_values.ts";
import {
  QUANTIZE_METHODS,
  quantizeMethodByName,
} from "../../models/inference/calibration/methods.ts";
import {
  bitsPerWeight,
  formatByName,
  formatNameOf,
  FORMATS,
  type PlanOptions,
} from "../../quant/mod.ts";
import { perplexity } from "../../tasks/mod.ts";
import { type CalibrationText, calibrationText, evaluate } from "../../train/mod.ts";
import { checkModelOutput } from "../../train/runs/outputs.ts";
import { gpuOptions } from "../../train/runs/session.ts";
import type { Call, Command, Options } from "../command.ts";
import { formatBytes } from "../../show/progress.ts";
import { TensorErrors } from "../tensor_errors.ts";
import {
  facts,
  grouped,
  notes,
  progressLine,
  status,
  table,
  type Terminal,
} from "../../show/terminal.ts";
import { evaluationStatus, forceOption, outputRules } from "../tuned.ts";
import { UsageError } from "../usage_error.ts";

/** Default number of tokens per calibration window. */
const WINDOW = 512;

/** Maximum number of tokens per batch of an evaluation, unless one window is longer. */
const ROWS = 2048;

/** `qzo quantize`. */
export const quantizeCommand: Command = {
  name: "quantize",
  summary: "quantise a model to fewer bits and report the error of each tensor",
  positional: "model",
  first: ["model", "format", "output", "method", "calibration", "formats"],
  examples: [
    "quantize model.gguf --format Q4_0 --output small.gguf",
    "quantize folder --format int4_g128 --output small",
    "quantize folder --method gptq --bits 4 --group 128 --calibration text.txt --output small",
    "quantize --formats",
    "quantize folder --method codebook --format codebook2x8 --calibration text.txt --output small",
  ],
  options: {
    ...forceOption,
    output: {
      kind: "text",
      path: true,
      doc: "a .gguf file, or a folder for formats that GGUF does not have",
    },
    formats: { kind: "flag", doc: "list the formats with their bits per weight, and exit" },
    method: {
      kind: "text",
      values: QUANTIZE_METHODS.map(({ name }) => name),
      doc: `${QUANTIZE_METHODS.map(({ name, summary }) => `${name}: ${summary}`).join("; ")} [rtn]`,
    },
    bits: {
      kind: "number",
      min: 2,
      max: 8,
      whole: true,
      doc: "2, 3, 4 or 8, instead of a format: 4 means int4_g128",
    },
    group: {
      kind: "number",
      min: 0,
      max: 2 ** 20,
      whole: true,
      doc: "columns per scale, with --bits; 0 means one scale per row [128]",
    },
    embedding: { kind: "text", doc: "format of the embedding and the head [F16]" },
    requantize: {
      kind: "flag",
      doc:
        "accept a model that is already quantised, using its decoded weights; the two errors add up",
    },
    keep: {
      kind: "text",
      doc: "parts of tensor names, comma-separated; matching tensors stay 16-bit",
    },
    calibration: {
      kind: "text",
      path: true,
      doc: "text to calibrate with: .txt, .jsonl, .tsv or .csv",
    },
    "calibration-windows": {
      kind: "number",
      min: 1,
      whole: true,
      doc: "maximum number of windows of calibration text [128]",
    },
    "calibration-length": {
      kind: "number",
      min: 2,
      whole: true,
      doc: `tokens per window [${WINDOW}, or the context]`,
    },
    evaluate: {
      kind: "text",
      path: true,
      doc: "text to measure perplexity on [the end of the calibration text]",
    },
    damping: {
      kind: "number",
      min: 0,
      doc: "gptq: damping added to the second moments, as a fraction [0.01]",
    },
    "act-order": {
      kind: "text",
      values: ["yes", "no"],
      doc: "gptq: yes rounds the columns with large inputs first, no goes from left to right [yes]",
    },
  },
  keys: ["model", "quantize", "device"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    if (options.flag("formats")) return listFormats(terminal);
    const config = call.config();
    const path = options.required("output", "--output small.gguf");
    const format = wantedFormat(options, config.quantize.format);
    const method = quantizeMethodByName(options.text("method") ?? "rtn");
    const calibration = options.text("calibration");
    if (method.calibrated && calibration === undefined) {
      throw new UsageError(
        `Missing --calibration, for example --calibration text.txt: ${method.name} learns from text`,
      );
    }
    await checkModelOutput(
      path,
      await outputRules(call, config, calibration, options.text("evaluate")),
    );
    using stored = await openModelSource(config.model);
    notes(terminal, stored.notes);
    const wanted = { format, ...planOptions(options), signal };
    if (!options.flag("requantize")) {
      assertNotQuantized(stored, "Use the 16-bit model, or add --requantize");
    }
    const base = options.flag("requantize") ? decodedSource(stored, wanted) : stored;
    await assertWritable(quantizedSource(base, wanted), path);
    const { options: how, notes: kept } = await exactPlan(base, wanted, signal);
    notes(terminal, [...quantizationNotes(base, how), ...kept]);
    const writing = { base, how, path };
    const errors = new TensorErrors();
    const anyText = calibration ?? options.text("evaluate");
    const writeNearest = () => {
      const onProgress = ({ done, total }: { done: number; total: number }) =>
        status(terminal, `Writing ${path}: ${done} of ${total} tensors`);
      return write(call, writing, quantizedSource(base, how), errors, onProgress);
    };
    if (anyText === undefined) {
      await report(call, await writeNearest(), errors, format);
      return;
    }
    const text = await readText(call, stored, anyText);
    using gpu = await openGpu(gpuOptions(config));
    const before = await measured(call, gpu, stored, text, "as it is");
    const writeCalibrated = async () => {
      const begun = performance.now();
      using line = progressLine(terminal);
      await using quantized = calibratedStream(gpu, base, text.calibration, {
        ...how,
        ...methodOptions(options),
        method: method.name,
        signal,
        onLayer: (layer, step, total) => {
          errors.setLayer(layer);
          line.show({ step, total, seconds: (performance.now() - begun) / 1000 });
        },
      });
      return await write(call, writing, quantized, errors);
    };
    await report(
      call,
      await (calibration === undefined ? writeNearest : writeCalibrated)(),
      errors,
      format,
    );
    using written = await openModelSource(path);
    const after = await measured(call, gpu, written, text, "quantised");
    facts(terminal, [
      calibration === undefined
        ? undefined
        : ["calibrated", `${method.name}, ${grouped(text.calibration.length)} windows`],
      ["perplexity", `${before} before, ${after} after, ${text.heldOut.length} held-out windows`],
    ]);
  },
};

/** Columns and rows of a matrix that is large enough for fixed costs not to matter. */
const LARGE = 4096;

/** Prints every format with its bits per weight, grouped by the kind of output that can hold it. */
function listFormats(terminal: Terminal): void {
  for (
    const [title, ofGguf] of [
      ["GGUF files, by llama.cpp's names:", true],
      [
        "Folders in this library's format, named by values, bits and columns that share a scale:",
        false,
      ],
    ] as const
  ) {
    terminal.out(title);
    const rows = FORMATS.filter(({ gguf }) => (gguf !== undefined) === ofGguf).map((format) =>
      [
        `  ${format.name}`,
        `${bitsPerWeight(format, LARGE, LARGE).toFixed(3)} bits per weight`,
        format.layout.kind,
      ] as const
    );
    for (const line of table(rows)) terminal.out(line);
    terminal.out("");
  }
  terminal.out(
    "Upper or lower case; nf4 and fp4 are short for groups of 64, int2 to int8 for groups of 128. For llama.cpp's mixes, such as Q4_K_M, use the format of most of its weights: Q4_K.",
  );
}

function wantedFormat(options: Options, format: string | undefined): string {
  const [bits, group] = [options.number("bits"), options.number("group")];
  if (format !== undefined) {
    if (bits === undefined && group === undefined) return format;
    throw new UsageError("Cannot use --bits and --group with --format, which gives both");
  }
  if (bits === undefined) {
    throw new UsageError(
      "Missing --format or --bits, for example --format Q4_0; quantize --formats lists them",
    );
  }
  return `int${bits}_${group === 0 ? "row" : `g${group ?? 128}`}`;
}

function planOptions(options: Options): PlanOptions {
  const embedding = options.text("embedding");
  const keep = options.texts("keep");
  return {
    ...(embedding === undefined ? {} : { embedding: formatNameOf(embedding) }),
    ...(keep ? { keep } : {}),
  };
}

function methodOptions(options: Options): MethodOptions {
  const damping = options.number("damping");
  const actOrder = options.text("act-order") ?? "yes";
  if (actOrder !== "yes" && actOrder !== "no") {
    throw new UsageError(`Cannot use --act-order ${actOrder}: expected yes or no`);
  }
  return {
    actOrder: actOrder === "yes",
    ...(damping === undefined ? {} : { damping }),
  };
}

async function readText(
  { options, terminal, signal }: Call,
  { tokenizer, config, name }: ModelSource,
  path: string,
): Promise<CalibrationText> {
  if (!tokenizer) throw noTokenizer(name, `calibrate ${JSON.stringify(name)}`);
  const windows = options.number("calibration-windows");
  const text = await calibrationText(path, tokenizer, {
    signal,
    onProgress: (file, count) => status(terminal, `Reading ${file}: ${grouped(count)} windows`),
    sees: sightOf(config),
    length: options.number("calibration-length") ?? Math.min(WINDOW, config.context),
    evaluate: options.text("evaluate"),
    ...(windows === undefined ? {} : { windows }),
  });
  status(terminal, "");
  return text;
}

/** The perplexity of a model on the held-out windows, as text. A model that does not fit on the device is not measured. */
async function measured(
  { terminal, signal }: Call,
  gpu: Gpu,
  source: ModelSource,
  { heldOut }: CalibrationText,
  what: string,
): Promise<string> {
  const progress = evaluationStatus(terminal, `the model ${what}`);
  try {
    using model = await loadModel(gpu, source, { signal });
    const { onProgress } = progress;
    const longest = Math.max(...heldOut.map((it) => exampleCost(it).rows + 1));
    const batchSize = Math.max(1, Math.floor(ROWS / longest));
    const options = { objective: "language-modelling", batchSize, signal, onProgress } as const;
    return perplexity((await evaluate(model, heldOut, options)).loss).toFixed(3);
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    terminal.note(`Not measured ${what}, because the device is too small: ${error.message}`);
    return "not measured";
  } finally {
    progress.clear();
  }
}

/** Writes the model tensor by tensor, as each is quantised. */
async function write(
  { signal }: Call,
  { base, how, path }: {
    readonly base: ModelSource;
    readonly how: WantedFormats;
    readonly path: string;
  },
  quantized: ModelSource,
  errors: TensorErrors,
  onProgress?: (progress: { done: number; total: number }) => void,
): Promise<WriteReport> {
  const tensors = [...quantized.tensors].map(([name, tensor]) => {
    const was = base.tensors.get(name);
    const reason = was === undefined ? "" : quantizationReason(was, how);
    return [name, errors.compared(was ?? tensor, tensor, reason)] as const;
  });
  const options = { signal, ...(onProgress ? { onProgress } : {}) };
  return await writeModel({ ...quantized, tensors: new Map(tensors) }, path, options);
}

async function report(
  { terminal }: Call,
  { path, bitsPerWeight, notes: said }: WriteReport,
  errors: TensorErrors,
  format: string,
): Promise<void> {
  status(terminal, "");
  notes(terminal, said);
  for (const line of [...errors.byTensor(), "", ...errors.byKind(), ""]) terminal.out(line);
  facts(terminal, [
    ["written", `${path}, ${formatBytes(await sizeOf(path))}`],
    ["as asked", `${errors.shareOf(formatByName(format).name)} in ${format}`],
    ["bits", `${bitsPerWeight.toFixed(3)} per weight`],
  ]);
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
