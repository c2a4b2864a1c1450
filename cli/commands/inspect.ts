/**
 * `qzo inspect`: what a model or a ledger contains, and what training it would take.
 *
 * @module
 */
import { damageText } from "../../optim/mod.ts";
import { type ModelSource, openModelSource } from "../../models/mod.ts";
import { adapterSchemeNames } from "../../models/adapters/schemes.ts";
import { headOfFile } from "../../models/checkpoints/disk/look.ts";
import { bitsPerWeight } from "../../quant/mod.ts";
import { configuredSource, openFineTune, runFolder, type TrainConfig } from "../../train/mod.ts";
import type { Call, Command } from "../command.ts";
import { formatBytes } from "../../show/progress.ts";
import { facts, grouped, notes, table } from "../../show/terminal.ts";
import { checkpointsText, exactText, trainingPlan } from "../training_plan.ts";

/** `qzo inspect`. */
export const inspectCommand: Command = {
  name: "inspect",
  summary:
    "show a model's tensors, formats, trainable scalars and planned memory; or show a ledger",
  positional: "path",
  first: ["path", "quantize", "batch-size", "length", "optimiser", "json"],
  examples: [
    "inspect model.gguf",
    "inspect config.yaml --batch-size 1 --length 512",
    "inspect folder --quantize int4_g128 --optimiser.queries 4 --json",
    "inspect runs/a/run.ledger",
  ],
  options: {
    path: {
      kind: "text",
      path: true,
      doc: "GGUF file, model folder or ledger [the configuration's model]",
    },
    length: {
      kind: "number",
      min: 1,
      max: 2 ** 24,
      whole: true,
      doc: "sequence length to plan for, in tokens [max_length]",
    },
    candidates: {
      kind: "number",
      min: 1,
      max: 2 ** 16,
      whole: true,
      doc: "number of candidates per example to plan for [2]",
    },
    json: { kind: "flag", doc: "print JSON" },
  },
  keys: [
    "model",
    "optimiser",
    "scheme",
    ...adapterSchemeNames,
    "trainables",
    "batch_size",
    "max_length",
    "quantize",
    "steps",
    "device",
  ],
  run: async (call) => {
    const path = call.options.text("path");
    if (call.runPath !== undefined) {
      return await inspectLedger(call, runFolder(call.runPath).ledger);
    }
    if (path !== undefined && await isLedger(path)) return await inspectLedger(call, path);
    const config = call.config(path === undefined ? {} : { model: path });
    using stored = await openModelSource(config.model);
    const source = await configuredSource(stored, config, call.signal);
    notes(call.terminal, source.notes);
    inspectModel(call, config, source);
  },
};

async function isLedger(path: string): Promise<boolean> {
  const isFile = await Deno.stat(path).then((it) => it.isFile, () => false);
  // If it is missing or unreadable, opening it as a model reports that.
  return isFile && await headOfFile(path).then(
    ({ text }) => text.startsWith("QZOLEDGR"),
    () => false,
  );
}

function inspectModel({ options, terminal }: Call, config: TrainConfig, source: ModelSource): void {
  const tensors = [...source.tensors.values()].map(({ name, rows, columns, format }) => ({
    name,
    rows,
    columns,
    format: format.name,
    bytes: Math.ceil(bitsPerWeight(format, rows, columns) * rows * columns / 8),
  }));
  const formats = new Map<string, { tensors: number; weights: number; bytes: number }>();
  for (const { format, rows, columns, bytes } of tensors) {
    const sum = formats.get(format) ?? { tensors: 0, weights: 0, bytes: 0 };
    sum.tensors++;
    sum.weights += rows * columns;
    sum.bytes += bytes;
    formats.set(format, sum);
  }
  const weights = tensors.reduce((sum, it) => sum + it.rows * it.columns, 0);
  const bytes = tensors.reduce((sum, it) => sum + it.bytes, 0);
  const memory = trainingPlan(source, config, {
    length: options.number("length"),
    candidates: options.number("candidates"),
  });
  if (options.flag("json")) {
    terminal.out(JSON.stringify({
      model: source.name,
      config: source.config,
      weights,
      bytes,
      tensors,
      formats: Object.fromEntries(formats),
      memory,
    }));
    return;
  }
  for (
    const line of table([
      ["tensor", "rows", "columns", "format", "bytes"],
      ...tensors.map((it) => [it.name, it.rows, it.columns, it.format, it.bytes]),
    ])
  ) terminal.out(line);
  terminal.out("");
  const { architecture, layers, hidden, heads, keyValueHeads, vocabulary, context } = source.config;
  const rows: [string, string][] = [
    ["model", source.name],
    [
      "shape",
      `${architecture}, ${layers} layers, hidden ${hidden}, ${heads} heads (${keyValueHeads} for keys and values), vocabulary ${vocabulary}, context ${context}`,
    ],
    [
      "weights",
      `${grouped(weights)} in ${formatBytes(bytes)}, ${
        (8 * bytes / weights).toFixed(3)
      } bits per weight`,
    ],
    [
      "formats",
      [...formats].map(([name, it]) =>
        `${name}: ${it.tensors} tensors, ${grouped(it.weights)} weights`
      ).join("; "),
    ],
  ];
  if ("refused" in memory) {
    facts(terminal, [...rows, ["training", memory.refused]]);
    return;
  }
  const { batch, length, trainableScalars, total, parts, checkpoints } = memory;
  const gradients = exactText(memory);
  facts(terminal, [
    ...rows,
    [
      "trains",
      `${grouped(trainableScalars)} scalars (${
        (100 * trainableScalars / weights).toFixed(2)
      } % of the weights)`,
    ],
    [
      "memory",
      `${formatBytes(total)} for batches of ${batch} examples of ${length} tokens${
        checkpoints === undefined ? "" : `; ${checkpointsText(checkpoints)}`
      }`,
    ],
    gradients === undefined ? undefined : ["gradients", gradients],
  ]);
  for (
    const line of table(
      Object.entries(parts).map(([part, size]) => [`  ${part}`, formatBytes(size).padStart(9)]),
    )
  ) terminal.out(line);
}

async function inspectLedger({ options, terminal }: Call, path: string): Promise<void> {
  const tune = await openFineTune(path);
  const { ledger, length, states } = tune;
  const { header, records, tornBytes, damage } = ledger;
  const { size } = await Deno.stat(path);
  const scalars = header.trainables.reduce((sum, it) => sum + it.count, 0);
  if (options.flag("json")) {
    terminal.out(
      JSON.stringify({
        ...{ ledger: path, bytes: size, steps: length, tornBytes },
        ...(states ? { states: states.map(({ path, step }) => ({ path, step })) } : {}),
        ...(damage ? { damage } : {}),
        version: ledger.head.version,
        header,
      }),
    );
    return;
  }
  for (
    const line of table([
      ["tensor", "rows", "columns", "span", "form", "offsets"],
      ...header.trainables.map((it) => [it.name, it.rows, it.columns, it.span, it.form, it.count]),
    ])
  ) terminal.out(line);
  terminal.out("");
  facts(terminal, [
    ["ledger", `${path}, ${formatBytes(size)}`],
    [
      "steps",
      states
        ? `${grouped(length)} along exact gradients, which are not replayed`
        : `${grouped(records.length)}, ${ledger.head.recordSize} bytes each`,
    ],
    ...(states ?? []).map((it) => ["state", `${it.path}, step ${it.step}`] as [string, string]),
    [
      "format",
      `${ledger.head.version}${
        header.features?.length ? `, requires ${header.features.join(", ")}` : ""
      }`,
    ],
    damage && ["damaged", `${damageText(damage)}: later steps cannot be used`],
    tornBytes > 0 && !damage
      ? ["torn", `${tornBytes} bytes at the end, which resuming removes`]
      : undefined,
    ["trains", `${grouped(scalars)} offsets of ${header.trainables.length} tensors`],
    ["optimiser", JSON.stringify(header.optimiser)],
    ["seed", String(header.seed)],
    ["data", JSON.stringify(header.data)],
    ["model", header.model],
    ["created", header.created],
  ]);
}
