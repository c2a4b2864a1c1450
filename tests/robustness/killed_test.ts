/**
 * Training is killed without warning, at any moment; resumed, it gives what an unbroken run gives.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openGpu } from "../../kernels/mod.ts";
import type { Model } from "../../models/mod.ts";
import { finetune, LedgerFile, openLedger, replayLedger } from "../../train/mod.ts";
import { killSeed, killsOr } from "../support/kills.ts";
import { allCases } from "../support/sampled.ts";
import { exists } from "../support/shared_data.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { bitsOf, loadTiny, tinyHeader } from "../train/tiny_model.ts";
import {
  type ChildKind,
  childKinds,
  childModel,
  childOffsets,
  childOptions,
  childSteps,
  isAdapterKind,
} from "./train_child.ts";

/** Of an adapter that is trained alone a few, at other moments on every run; all 20 with the whole matrices. */
const killsOf = (kind: ChildKind) => killsOr(isAdapterKind(kind) && !allCases ? 4 : 20);

/** When to kill: so many milliseconds after the child says the word. */
interface Moment {
  readonly word: "ready" | "begun";
  readonly milliseconds: number;
}

/** Trains in a child and kills it, if it is told when. Resolves with the milliseconds after the first step. */
async function trainInChild(
  kind: ChildKind,
  ledger: string,
  moment?: Moment,
): Promise<number> {
  const script = fromFileUrl(import.meta.resolve("./train_child.ts"));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ledger, kind],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const word = moment?.word ?? "begun";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !said.includes(word);) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The child never said "${word}": ${await errors}`);
    said += value;
  }
  const begun = performance.now();
  if (moment) {
    await new Promise((resolve) => setTimeout(resolve, moment.milliseconds));
    try {
      child.kill("SIGKILL");
    } catch {
      // It had ended already.
    }
  }
  while (!(await reader.read()).done);
  const { success } = await child.status;
  const said = await errors;
  if (!moment) assert(success, said);
  return performance.now() - begun;
}

/** Goes on from what lies on the disk, if anything does. */
async function goOn(
  model: Model,
  kind: ChildKind,
  path: string,
): Promise<Record<string, Uint32Array>> {
  const options = childOptions(model, kind);
  if (!exists(path)) {
    using offsets = childOffsets(model, kind, options.optimiser);
    const header = tinyHeader(model, options.optimiser, offsets, options.seed);
    (await LedgerFile.create(path, header))[Symbol.dispose]();
  }
  const { file, ledger: { records }, ledger } = await LedgerFile.resume(path);
  using _file = file;
  using offsets = await replayLedger(model, ledger);
  const state = records.length > 0
    ? records.state(records.length - 1)
    : options.optimiser.transformation.init();
  for await (const _ of finetune({ ...options, offsets, ledger: file, state }));
  return bitsOf(await offsets.read(model.gpu));
}

for (const kind of childKinds) {
  const KILLS = killsOf(kind);
  Deno.test(`${kind}: training killed at ${KILLS} moments (QZO_KILLS, seed ${killSeed}) and resumed: ledger and offsets as unbroken`, async () => {
    const folder = await Deno.makeTempDir();
    const path = (name: number | string) => join(folder, `${name}.ledger`);
    try {
      // Two at once, as the killed ones run.
      const took = await Promise.all(
        ["unbroken", "again"].map((name) => trainInChild(kind, path(name))),
      );
      const whole = await Deno.readFile(path("unbroken"));
      assertEquals(await Deno.readFile(path("again")), whole);
      assertEquals((await openLedger(path("unbroken"))).records.length, childSteps);

      const random = randomNumbers(killSeed);
      const moments = Array.from({ length: KILLS }, (_, i): Moment => ({
        word: i % 5 === 0 ? "ready" : "begun",
        milliseconds: random() * Math.min(...took),
      }));
      const left = moments.entries();
      const killer = async () => {
        for (const [index, moment] of left) await trainInChild(kind, path(index), moment);
      };
      await Promise.all([killer(), killer()]);

      using gpu = await openGpu();
      using base = await loadTiny(gpu);
      const model = await childModel(base, kind);
      const bits = await goOn(model, kind, path("unbroken"));
      const lengths: number[] = [];
      for (let index = 0; index < KILLS; index++) {
        lengths.push(exists(path(index)) ? (await openLedger(path(index))).records.length : 0);
        const resumed = await goOn(model, kind, path(index));
        const where = `killed at ${JSON.stringify(moments[index])} with ${
          lengths[index]
        } steps on the disk`;
        assertEquals(await Deno.readFile(path(index)), whole, where);
        assertEquals(resumed, bits, where);
      }
      const within = new Set(lengths.filter((length) => length > 0 && length < childSteps));
      assert(
        within.size >= Math.min(5, KILLS / 4),
        `the kills left these steps: ${lengths.join(", ")}`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
