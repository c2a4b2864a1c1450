import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import {
  openLedger,
  openRunSession,
  parseTrainConfig,
  readMetrics,
  Run,
  runFolder,
  type RunSession,
  type TaskExamples,
  taskExamples,
  type TrainConfig,
} from "../../../train/mod.ts";
import { RunLock } from "../../../train/runs/run_lock.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";
import { withTemp } from "../../models/quantised_folder.ts";

interface Rig {
  readonly session: RunSession;
  readonly examples: TaskExamples;
  readonly configOf: (output: string) => TrainConfig;
}

/** A tiny model that is loaded, its examples, and configurations with folders below a temporary one. */
async function withRig(body: (rig: Rig, folder: string) => Promise<void>): Promise<void> {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const text = await Deno.readTextFile(config);
    const configOf = (output: string) => ({
      ...parseTrainConfig(text, config),
      output: join(folder, output),
    });
    using session = await openRunSession(configOf("run"));
    const { model: { tokenizer, maxPositions } } = session;
    const examples = await taskExamples(configOf("run"), tokenizer!, { maxPositions });
    await body({ session, examples, configOf }, folder);
  });
}

async function trained(run: Run): Promise<void> {
  for await (const _ of run.train());
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("a run that fails before its first step leaves nothing, and the next try begins", async () => {
  await withRig(async ({ session, examples, configOf }, folder) => {
    const config = configOf("run");
    // A token beyond the vocabulary shows when the first batch is packed.
    const wrong = examples.train.examples.map((it) => ({ ...it, prompt: [1e6] }));
    const bad = { ...examples, train: { ...examples.train, examples: wrong } };
    const before = names(folder);
    const tries = async () => {
      using run = await Run.begin(config, { session, examples: bad });
      assert(names(config.output).includes("run.ledger"));
      await trained(run);
    };
    await assertRejects(tries, RangeError);
    assertEquals(names(folder), before);
    await Deno.mkdir(config.output); // a folder that was there stays
    await assertRejects(tries, RangeError);
    assertEquals(names(config.output), []);
    {
      using run = await Run.begin(config, { session, examples });
      await trained(run);
    }
    assertEquals((await openLedger(runFolder(config.output).ledger)).records.length, 6);
    // What has steps stays, whatever happens then.
    const longer = { ...config, steps: 9 };
    await assertRejects(async () => {
      using run = await Run.resume(longer, { session, examples });
      for await (const { type } of run.train()) if (type === "step") throw new RangeError("full");
    }, RangeError);
    assert((await openLedger(runFolder(config.output).ledger)).records.length >= 6);
  });
});

Deno.test("a run that is interrupted before its first step can be gone on with", async () => {
  await withRig(async ({ session, examples, configOf }) => {
    const config = configOf("run");
    {
      using run = await Run.begin(config, { session, examples });
      const controller = new AbortController();
      controller.abort();
      for await (const _ of run.train(controller.signal));
    }
    using run = await Run.resume(config, { session, examples });
    await trained(run);
    assertEquals(run.ledger.length, 6);
  });
});

Deno.test("while a run is open no other goes on with it, and its files stay whole", async () => {
  await withRig(async ({ session, examples, configOf }) => {
    const config = configOf("run");
    const { path, ledger, metrics } = runFolder(config.output);
    {
      using run = await Run.begin(config, { session, examples });
      const other = () => Run.resume(config, { session, examples });
      for await (const { type } of run.train()) {
        if (type === "step") await assertRejects(other, Deno.errors.Busy, String(Deno.pid));
      }
    }
    assertEquals((await openLedger(ledger)).records.length, 6);
    const steps = (await readMetrics(metrics)).filter(({ type }) => type === "step");
    assertEquals(steps.map(({ step }) => step), [1, 2, 3, 4, 5, 6]);
    using _free = await RunLock.take(path);
  });
});

Deno.test("of two runs begun in one folder at the same moment one trains, and its steps are there", async () => {
  await withRig(async ({ session, examples, configOf }) => {
    for (let round = 0; round < 3; round++) {
      const config = configOf(`run${round}`);
      const ends = await Promise.allSettled([1, 2].map(async (seed) => {
        using run = await Run.begin({ ...config, seed }, { session, examples });
        await trained(run);
        return seed;
      }));
      const seeds = ends.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
      assertEquals(seeds.length, 1, JSON.stringify(ends));
      const { header, records } = await openLedger(runFolder(config.output).ledger);
      assertEquals([header.seed, records.length], [seeds[0], 6]);
    }
  });
});

Deno.test("a damaged run goes on from before the damage, with a copy; a metrics file keeps what it does not know", async () => {
  await withRig(async ({ session, examples, configOf }) => {
    const config = configOf("run");
    const { ledger: path, metrics } = runFolder(config.output);
    {
      using run = await Run.begin(config, { session, examples });
      await trained(run);
    }
    const whole = await Deno.readFile(path);
    const { head } = await openLedger(path);
    const damaged = whole.slice();
    damaged[head.bytes.length + 4 * head.recordSize] ^= 1;
    await Deno.writeFile(path, damaged);
    await Deno.writeTextFile(metrics, '{"type":"remark","text":"by hand"}\n{"type":"st', {
      append: true,
    });
    {
      using run = await Run.resume(config, { session, examples });
      assertEquals([run.resumedAt, run.notes.length], [4, 1]);
      assert(run.notes[0].includes("record 4 of 6") && run.notes[0].includes("step 4"));
      assertEquals(await Deno.readFile(`${path}.damaged`), damaged);
      await trained(run);
    }
    assertEquals(await Deno.readFile(path), whole);
    const lines = (await Deno.readTextFile(metrics)).trimEnd().split("\n").map((it) =>
      JSON.parse(it)
    );
    assertEquals(lines.filter(({ type }) => type === "remark").length, 1);
    assertEquals(lines.filter(({ type }) => type === "step").map(({ step }) => step), [
      1,
      2,
      3,
      4,
      5,
      6,
    ]);
  });
});

Deno.test("metrics with impossible values are refused by line; an unfinished last line is dropped", async () => {
  await withTemp(async (folder) => {
    const path = join(folder, "metrics.jsonl");
    const good = '{"type":"evaluation","step":2,"loss":0.5,"examples":8,"best":true}';
    const write = (...lines: string[]) => Deno.writeTextFile(path, lines.join("\n"));
    await write(good, '{"type":"evaluation","step":3,"lo');
    assertEquals((await readMetrics(path)).map(({ step }) => step), [2]);
    await write(good, '{"type":"other","step":-3}', "[]", "7", "");
    assertEquals((await readMetrics(path)).length, 1);
    const bad: Record<string, string> = {
      '"step":-3': "its step is -3",
      '"step":1.5': "its step is 1.5",
      '"step":1e300': "its step is 1e+300",
      '"step":"2"': 'its step is "2"',
      '"step":1,"accuracy":1.5': "its accuracy is 1.5",
      '"step":1,"correct":-1': "its correct is -1",
      '"step":1,"examples":0.5': "its examples is 0.5",
    };
    for (const [fields, said] of Object.entries(bad)) {
      await write(good, `{"type":"evaluation",${fields},"loss":0.1}`, good);
      const error = await assertRejects(() => readMetrics(path), RangeError, said);
      assert(error.message.includes(`${path}", line 2`), error.message);
    }
    await write(good, '{"type":"eval', good);
    await assertRejects(() => readMetrics(path), SyntaxError, "line 2");
    assertEquals(await readMetrics(join(dirname(path), "none.jsonl")), []);
  });
});
