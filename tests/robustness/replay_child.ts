/**
 * Replays the cases on whatever adapter the process finds, and trains a few steps on it. Prints JSON: the adapter, a hash
 * per case, and the hashes of what was trained and of its ledger replayed on the host.
 *
 * @module
 */
import { openGpu } from "../../kernels/mod.ts";
import { loadModel } from "../../models/mod.ts";
import { qzo } from "../../optim/mod.ts";
import { finetune, LedgerFile, openLedger, replayLedger, replayOnHost } from "../../train/mod.ts";
import {
  allKinds,
  hashOf,
  tinyExamples,
  tinyHeader,
  tinyOffsets,
  tinySource,
} from "../train/tiny_model.ts";
import { caseLedger, caseSource, replayCases } from "./replay_cases.ts";

/** What the child prints. */
export interface ReplayReport {
  readonly adapter: string;
  /** By name of the case. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly trained: string;
  readonly trainedOnHost: string;
}

if (import.meta.main) {
  using gpu = await openGpu();
  const hashes: Record<string, string> = {};
  for (const replayCase of replayCases) {
    const source = await caseSource(replayCase);
    using model = await loadModel(gpu, source);
    using offsets = await replayLedger(model, await caseLedger(replayCase, source));
    hashes[replayCase.name] = await hashOf(await offsets.read(gpu));
  }

  const source = await tinySource();
  using model = await loadModel(gpu, source);
  const optimiser = qzo({ learningRate: 2e-3, epsilon: 3e-3 });
  using offsets = tinyOffsets(model, optimiser, allKinds);
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  using ledger = await LedgerFile.create(path, tinyHeader(model, optimiser, offsets));
  const train = tinyExamples(32);
  const options = { model, optimiser, offsets, train, ledger, steps: 6 };
  for await (const _ of finetune({ ...options, objective: "classification" }));
  const onHost = await replayOnHost(source, await openLedger(path));
  await Deno.remove(path);
  const report: ReplayReport = {
    adapter: gpu.description,
    hashes,
    trained: await hashOf(await offsets.read(gpu)),
    trainedOnHost: await hashOf(onHost),
  };
  console.log(JSON.stringify(report));
}
