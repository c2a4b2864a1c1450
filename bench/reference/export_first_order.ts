/**
 * Writes the case of tests/train/steps/first_order_case.ts as plain arrays, trains it with fo_torch.py, and stores the result as
 * `tests/fixtures/first_order.json`.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import {
  firstOrderBatches,
  firstOrderRules,
  firstOrderSource,
  firstOrderWindows,
} from "../../tests/train/steps/first_order_case.ts";
import { exportTensor, store } from "./export_case.ts";
import { runTorchScript } from "./torch.ts";

const FIXTURE = fromFileUrl(new URL("../../tests/fixtures/first_order.json", import.meta.url));

/** Writes the fixture. If a folder is given, the case is kept in it. */
export async function main([folder]: readonly string[]): Promise<void> {
  folder ??= await Deno.makeTempDir();
  await Deno.mkdir(folder, { recursive: true });
  using source = await firstOrderSource();
  const windows = firstOrderWindows();
  const tensors = [];
  for (const [name, tensor] of source.tensors) {
    tensors.push({ name, ...await exportTensor(folder, name, await tensor.read(0, tensor.rows)) });
  }
  const manifest = {
    config: source.config,
    tensors,
    train: await store(folder, "train", Int32Array.from(windows.flat()), [
      windows.length,
      windows[0].length,
    ]),
    batches: { 0: firstOrderBatches() },
  };
  await Deno.writeTextFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  const runs: Record<string, unknown> = {};
  for (const [name, { torch }] of Object.entries(firstOrderRules)) {
    runs[name] = JSON.parse(await runTorchScript("fo_torch.py", [folder, ...torch]));
  }
  const note =
    "Losses of 50 steps by torch's autograd in f64, and gradient norms of each move; made by bench/reference/export_first_order.ts. The case is that of tests/train/steps/first_order_case.ts";
  await Deno.writeTextFile(FIXTURE, `${JSON.stringify({ note, runs }, undefined, 1)}\n`);
}

if (import.meta.main) await main(Deno.args);
