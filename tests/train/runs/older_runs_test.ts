/** Runs that earlier versions began go on by the rules that they were begun with. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readLedger, zoAdam, zoSgdMomentum } from "../../../optim/mod.ts";
import {
  finetuneByFunction,
  LedgerFile,
  ledgerHeader,
  openRunSession,
  parseTrainConfig,
  replayLedger,
  Run,
  taskExamples,
} from "../../../train/mod.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";
import { loadTiny, tinyOffsets } from "../tiny_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

async function temporary(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a run whose ledger says nothing of the left-over batch goes on with the order it had", async () => {
  await temporary(async (folder) => {
    const { config: path } = await writeTinyTask(folder);
    // 24 examples in batches of 7: one batch of 3 an epoch.
    const yaml = (await Deno.readTextFile(path)).replace("batch_size: 4", "batch_size: 7");
    const config = parseTrainConfig(yaml, path);
    using session = await openRunSession(config);
    const { tokenizer, maxPositions } = session.model;
    const examples = await taskExamples(config, tokenizer!, { maxPositions });
    const losses: number[][] = [];
    const file = join(config.output, "run.ledger");
    const train = async (steps: number, resume: boolean) => {
      using run = await (resume ? Run.resume : Run.begin)({ ...config, steps }, {
        session,
        examples,
      });
      const made: number[] = [];
      for await (const event of run.train()) if (event.type === "step") made.push(...event.losses);
      losses.push(made);
      return run.ledger.head.header;
    };
    const header = await train(4, false);
    assertEquals(Object(header.data).leftOver, "random");
    await train(9, true);
    const whole = losses.flat();
    // The same, as a version from before would have begun it.
    await Deno.remove(config.output, { recursive: true });
    const { leftOver: _, ...data } = Object(header.data);
    await Deno.mkdir(config.output, { recursive: true });
    (await LedgerFile.create(file, { ...header, data }))[Symbol.dispose]();
    losses.length = 0;
    const older = await train(9, true);
    assertEquals(older.data, data);
    assert(JSON.stringify(losses.flat()) !== JSON.stringify(whole), "the order is the new one");
    const once = losses.flat();
    // And in two parts.
    await Deno.remove(config.output, { recursive: true });
    await Deno.mkdir(config.output, { recursive: true });
    (await LedgerFile.create(file, { ...header, data }))[Symbol.dispose]();
    losses.length = 0;
    await train(4, true);
    await train(9, true);
    assertEquals(losses.flat(), once);
  });
});

for (const make of [zoAdam, zoSgdMomentum]) {
  Deno.test(`${make().name}: an older ledger is gone on with as it replays, a new one moves at zeros`, async () => {
    using gpu = await openSharedGpu();
    using model = await loadTiny(gpu);
    const rule = make({ learningRate: 0.01, form: "relative" });
    await temporary(async (folder) => {
      for (const zeros of ["move", undefined] as const) {
        using offsets = tinyOffsets(model, rule);
        const path = join(folder, `${zeros}.ledger`);
        const { zeros: mine, ...header } = ledgerHeader({ model, optimiser: rule, offsets });
        assertEquals(mine, "move");
        const file = await LedgerFile.create(path, { ...header, ...(zeros ? { zeros } : {}) });
        const at: number[][] = [];
        let asked = 0;
        const run = finetuneByFunction({
          ...{ model, optimiser: rule, offsets, ledger: file, steps: 4 },
          // A slope in the first step and in none of the others.
          objective: () => asked++ === 0 ? 2 : 1,
        });
        for await (const _ of run) {
          at.push([...(await offsets.read(gpu)).values()].flatMap((w) => [...w]));
        }
        file[Symbol.dispose]();
        assertEquals(String(at[3]) === String(at[0]), zeros === undefined);
        using again = await replayLedger(model, readLedger(await Deno.readFile(path)));
        assertEquals([...(await again.read(gpu)).values()].flatMap((w) => [...w]), at[3]);
        assertEquals(
          readLedger(await Deno.readFile(path)).header.features,
          zeros ? ["update", "zeros"] : ["update"],
        );
      }
    });
  });
}
