/**
 * `qzo export`: writes the tuned model as a file or a folder.
 *
 * @module
 */
import {
  loadModel,
  mergedSource,
  openAdapter,
  openModelSource,
  targetKind,
} from "../../models/mod.ts";
import type { FoldWriteOptions } from "../../models/checkpoints/write_checkpoint.ts";
import { adaptedSource } from "../../models/checkpoints/derived/tuned_values.ts";
import {
  assertExportable,
  evaluate,
  type Evaluation,
  exportMerged,
  exportOffsets,
  type ExportReport,
  type RunSession,
} from "../../train/mod.ts";
import { isBesideModel } from "../../models/checkpoints/adapters/open_adapter.ts";
import { assertAdapterPath, exportAdapter } from "../../train/export_adapter.ts";
import { tunedPath } from "../../train/runs/export_run.ts";
import { checkModelOutput } from "../../train/runs/outputs.ts";
import { otherDataNote } from "../../train/runs/run_data.ts";
import { judgedBy } from "../../train/runs/task_examples.ts";
import { adaptersOf, sharesText } from "../adapter_flags.ts";
import type { Command } from "../command.ts";
import { evaluationText, foldRows, keptNotes } from "../report.ts";
import { facts, notes, status } from "../../show/terminal.ts";
import {
  besideOf,
  type ChosenLedger,
  chosenLedger,
  evaluationStatus,
  examplesFor,
  forceOption,
  loadSession,
  outputRules,
  tunedOffsets,
  tunedOptions,
} from "../tuned.ts";
import { UsageError } from "../usage_error.ts";

/** `qzo export`. */
export const exportCommand: Command = {
  name: "export",
  summary: "save a fine-tune as a standalone model: a GGUF file or a folder",
  positional: "ledger",
  first: ["ledger", "output", "step", "evaluate", "model"],
  examples: [
    "export runs/a",
    "export runs/a --step best --output tuned.gguf --evaluate",
    "export --model model.gguf --ledger runs/a/run.ledger --output tuned.gguf",
    "export runs/a --output scales.safetensors",
    "export runs/a --merge --output merged.gguf",
    "export --model model.gguf --adapter one --adapter other=0.5 --merge --output merged.gguf",
  ],
  options: {
    ...tunedOptions,
    ...forceOption,
    output: {
      kind: "text",
      path: true,
      doc:
        "a .gguf file, a folder, or a .safetensors file for only the tuned scales [tuned.gguf or tuned/ in the run's folder]; for an adapter, a folder (PEFT) or a .gguf file (llama.cpp) [adapter/]",
    },
    clamp: {
      kind: "flag",
      doc: "if a tuned number is too large for its stored type, write the largest value that fits",
    },
    merge: {
      kind: "flag",
      doc:
        "merge the adapter into the model's matrices and write the model, with everything else that was trained [tuned.gguf or tuned/]",
    },
    requantise: {
      kind: "flag",
      doc:
        "with --merge: quantise packed matrices again to their format, which loses part of what was trained; shows the loss before and after",
    },
    evaluate: {
      kind: "flag",
      doc:
        "evaluate on the held-out examples before folding (with offsets) and after (from the written file)",
    },
  },
  keys: ["model", "task", "data", "batch_size", "max_length", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, runPath, terminal, signal } = call;
    const chosen = await chosenLedger(call);
    const adapters = adaptersOf(call);
    if (!chosen && adapters.length === 0) {
      throw new UsageError(
        "Missing --ledger, for example --ledger runs/a/run.ledger, or --adapter for an adapter without a ledger",
      );
    }
    if (chosen?.steps === 0) throw nothingToExport(chosen);
    const config = call.config();
    const beside = chosen
      ? chosen.ledger.header.adapter !== undefined
      : adapters.some(({ path }) => isBesideModel(path));
    if (!chosen && !beside) {
      throw new UsageError(
        `Cannot export ${
          JSON.stringify(adapters[0].path)
        } without --ledger: it is a file of tuned scales, which only their ledger can fold into the model`,
      );
    }
    const [merge, requantise] = [options.flag("merge"), options.flag("requantise")];
    if (merge && !beside) {
      throw new UsageError(
        "Cannot use --merge: the model has no adapter; leave it out",
      );
    }
    if (requantise && !merge) throw new UsageError("Cannot use --requantise without --merge");
    const adapted = beside && !merge;
    const packed = requantise ? "requantise" : "refuse";
    let output = options.text("output");
    if (output === undefined && runPath === undefined) {
      throw new UsageError("Missing --output, for example tuned.gguf");
    }
    using session = await loadSession(config, call, {
      check: async (source) => {
        const within = output === undefined ? runPath : undefined;
        output ??= tunedPath(runPath!, { source, adapted });
        await checkModelOutput(output, { ...await outputRules(call, config), within });
        if (!beside) await assertExportable(source, output);
      },
      beside: (source, given) => {
        const adapter = besideOf(chosen, call)?.(source, given);
        // What cannot be merged is reported before anything is loaded.
        if (adapter && merge) mergedSource(source, adapter, { packed });
        else if (adapter) assertAdapterPath(output!, { config: source.config, adapter });
        return adapter;
      },
    });
    const path = output!;
    using offsets = chosen && await tunedOffsets(session, chosen, call);
    const writing: FoldWriteOptions = {
      signal,
      beyond: options.flag("clamp") ? "clamp" : "refuse",
      onProgress: ({ done, total }) =>
        status(terminal, `Writing ${path}: ${done} of ${total} tensors`),
    };
    const report = merge
      ? await exportMerged(session.source, session.model, offsets, { ...writing, path, packed })
      : offsets
      ? await exportOffsets(session, offsets, path, writing)
      : await exportAdapter(session.model, undefined, path, { baseName: session.source.name });
    status(terminal, "");
    notes(terminal, report.notes);
    notes(terminal, keptNotes(report));
    const rows: [string, string][] = [
      ["written", path],
      chosen
        ? [
          "step",
          `${chosen.steps} of ${chosen.length}${chosen.why === undefined ? "" : `, ${chosen.why}`}`,
        ]
        : [adapters.length === 1 ? "adapter" : "adapters", sharesText(adapters)],
      ...(merge ? mergeRows(report, requantise) : chosen ? foldRows(report) : []),
    ];
    if (options.flag("evaluate") || requantise) {
      const all = await examplesFor(session, config, call, ["validation"]);
      const { validation: { examples } } = all;
      const objective = judgedBy(all);
      const about = { split: "validation", config } as const;
      const other = chosen && otherDataNote(chosen.ledger.header.data, examples, about);
      notes(terminal, other === undefined ? [] : [other]);
      const settings = (what: string) => {
        const { onProgress } = evaluationStatus(terminal, `held-out examples ${what}`);
        return { objective, batchSize: config.batchSize, signal, onProgress };
      };
      const before = await evaluate(session.model, examples, {
        ...settings("before folding"),
        ...offsets ? { offsets } : {},
      });
      using model = await written(session, path, { adapted, signal });
      const after = await evaluate(model, examples, settings("after folding"));
      status(terminal, "");
      rows.push(
        [`before ${merge ? "merging" : "folding"}`, asText(before)],
        [`after ${merge ? "merging" : "folding"}`, asText(after)],
      );
    }
    facts(terminal, rows);
  },
};

/** Effect of a merge, as rows to print. How much of the adapter quantised matrices keep shows only in the losses. */
function mergeRows(report: ExportReport, requantise: boolean): [string, string][] {
  const { changed, swallowed } = report;
  return [
    [
      "merged",
      requantise
        ? "the adapter, and what it changes quantised again: the losses show what is left of it"
        : "the adapter",
    ],
    ...(changed + swallowed > 0 ? foldRows(report) : []),
  ];
}

/** Loads what was written: a model, or an adapter for the session's base model. */
async function written(
  { gpu, source, model }: RunSession,
  path: string,
  { adapted, signal }: { readonly adapted: boolean; readonly signal: AbortSignal },
) {
  if (adapted) return model.withAdapter((await openAdapter(path, model)).adapter);
  using opened = targetKind(path) === "safetensors"
    ? await adaptedSource(source, path)
    : await openModelSource(path);
  return await loadModel(gpu, opened, { signal });
}

/** The error for exporting step 0, which is the base model. */
function nothingToExport({ path, why, length }: ChosenLedger): RangeError {
  const which = why === undefined ? "" : ` (${why})`;
  return new RangeError(
    `Cannot export step 0${which} of "${path}": it is the base model, so nothing would change. ${
      length > 0
        ? `The ledger has ${length} steps: choose another with --step, or the last one with --step last`
        : "The ledger has no steps yet: continue with finetune --resume"
    }`,
  );
}

function asText(evaluation: Evaluation): string {
  return `held-out ${evaluationText(evaluation)}`;
}
