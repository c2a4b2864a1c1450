/**
 * Writes a ledger where files may not grow: `full_disk_child.ts <folder>`. Prints the steps written by nines, the error of
 * the next nine, the steps after one more, whether a ledger with a large head could be created, and its error.
 *
 * @module
 */
import { join } from "@std/path";
import { NOISE_VERSION } from "../../../optim/mod.ts";
import { type LedgerEntry, LedgerFile } from "../../../train/ledgers/ledger_file.ts";

const header = {
  model: "toy",
  trainables: [],
  optimiser: null,
  seed: 1,
  distribution: "normal" as const,
  projection: "none" as const,
  noiseVersion: NOISE_VERSION,
  directions: 2,
  stateSize: 1,
  data: null,
  created: "2026-01-01T00:00:00.000Z",
};
const step: LedgerEntry = { coefficients: [0.5, -0.25], state: [1] };
const folder = Deno.args[0];

using file = await LedgerFile.create(join(folder, "a.ledger"), header);
try {
  for (;;) await file.append(Array.from({ length: 9 }, () => step));
} catch (error) {
  console.log(file.length);
  console.log((error as Error).message);
}
await file.append([step]);
console.log(file.length);

const large = join(folder, "large.ledger");
try {
  using _file = await LedgerFile.create(large, { ...header, model: "x".repeat(4096) });
  console.log("true");
} catch (error) {
  console.log(await Deno.stat(large).then(() => true, () => false));
  console.log((error as Error).message);
}
