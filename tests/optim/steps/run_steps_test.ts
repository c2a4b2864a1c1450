/** The protocol of a run, executed on plain arrays: what is asked for in which order, and that its steps are a session's. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  applyRecord,
  fillNoise,
  type MadeStep,
  masterSeed,
  NonFiniteLossError,
  type Optimiser,
  qzoNormalised,
  replaySteps,
  runSteps,
  Session,
  sparseMezo,
  type StepExecutor,
  type StepRecord,
  zoAdam,
  zoSgdConservative,
} from "../../../optim/mod.ts";
import { quadratic } from "../objectives.ts";
import { applyOffset } from "../../../optim/offset.ts";

const start = [0.5, -1, 1, 2, -0.25, 3];
const { loss } = quadratic([1, 2, 0.5, -1, 0, 1], 5);

/** Offsets in an array, and what was asked of it. */
class Recorder implements StepExecutor {
  readonly offsets = new Float32Array(start.length);
  readonly asked: string[] = [];
  readonly #optimiser: Optimiser;
  readonly #state: Float32Array[];

  constructor(optimiser: Optimiser) {
    this.#optimiser = optimiser;
    this.#state = Array.from(
      { length: optimiser.update?.stateSize ?? 0 },
      () => new Float32Array(start.length),
    );
  }

  losses: StepExecutor["losses"] = (looks, step) => {
    this.asked.push(`${looks.length} losses of ${step}`);
    const { law, form } = this.#optimiser;
    return Promise.resolve(looks.map(({ seed, amplitude }) => {
      const z = fillNoise(law, seed, 0, 0, new Float32Array(start.length));
      return loss(start.map((base, i) => {
        const w = this.offsets[i];
        // Frozen offsets have odd bits, see optim/preparations/frozen.ts.
        const frozen = new Uint32Array(this.offsets.buffer)[i] & 1;
        const kept = this.#optimiser.plan.magnitude && frozen;
        const moved = kept ? w : Math.fround(w + Math.fround(Math.fround(amplitude) * z[i]));
        return applyOffset(form, base, moved);
      }));
    }));
  };

  move(steps: Iterable<StepRecord>): void {
    const list = [...steps];
    this.asked.push(`move ${list.length}`);
    for (const step of list) {
      const tensor = { id: 0, offsets: this.offsets, base: start, state: this.#state };
      applyRecord(this.#optimiser, step, tensor);
    }
  }

  prepare: StepExecutor["prepare"] = (preparation) => {
    this.asked.push(`prepare ${preparation.name}`);
    preparation.change([{
      ...{ name: "x", form: this.#optimiser.form, offsets: this.offsets },
      bases: Float32Array.from(start),
    }]);
  };
}

const rules: Record<string, Optimiser> = {
  qzoNormalised: qzoNormalised({ queries: 2, learningRate: 0.05 }),
  zoAdam: zoAdam({ learningRate: 0.05 }),
  zoSgdConservative: zoSgdConservative({ learningRate: 0.05 }),
  "sparseMezo, decided anew": sparseMezo({ learningRate: 0.05, sparsity: 0.5, resample: 3 }),
};

async function make(optimiser: Optimiser, steps: number, from?: MadeStep[]) {
  const recorder = new Recorder(optimiser);
  const made: MadeStep[] = [];
  const state = {
    master: masterSeed(4),
    step: from?.length ?? 0,
    state: from?.at(-1)?.state ?? optimiser.transformation.init(),
  };
  if (from) await replaySteps(optimiser.plan, { record: (i) => from[i] }, recorder, from.length);
  for await (const step of runSteps(optimiser, recorder, state, steps)) made.push(step);
  return { recorder, made };
}

for (const [name, optimiser] of Object.entries(rules)) {
  Deno.test(`${name}: steps are those of a session, and of a run that was broken off`, async () => {
    const { recorder, made } = await make(optimiser, 8);
    const session = new Session({ parameters: start, optimiser, seed: 4 });
    for (const step of made) {
      let told = session.tell(session.ask().map(loss));
      if (told.tried) told = session.tell(session.ask().map(loss));
      assertEquals(told, step);
    }
    assertEquals(recorder.offsets, session.offsets);
    for (const broken of [1, 3, 5, 8]) {
      const resumed = await make(optimiser, 8, made.slice(0, broken));
      assertEquals(resumed.made, made.slice(broken));
      assertEquals(resumed.recorder.offsets, recorder.offsets);
    }
  });
}

Deno.test("what is asked for, in which order", async () => {
  const asked = async (name: string, steps: number) =>
    (await make(rules[name], steps)).recorder.asked;
  assertEquals(await asked("qzoNormalised", 1), ["4 losses of 0", "move 1"]);
  assertEquals(await asked("zoSgdConservative", 1), ["2 losses of 0", "3 losses of 0", "move 1"]);
  const step = (i: number) => [`2 losses of ${i}`, "move 1"];
  const anew = "sparseMezo, decided anew";
  assertEquals(await asked(anew, 4), [
    ...["prepare magnitude", ...step(0), ...step(1), ...step(2)],
    ...["prepare magnitude", ...step(3)],
  ]);
  assertEquals(await asked(anew, 0), []);
  const { made } = await make(rules[anew], 5);
  const recorder = new Recorder(rules[anew]);
  await replaySteps(rules[anew].plan, { record: (i) => made[i] }, recorder, 5);
  assertEquals(recorder.asked, ["prepare magnitude", "move 3", "prepare magnitude", "move 2"]);
});

Deno.test("records are read when they are come to", async () => {
  const read: number[] = [];
  const record = (i: number) => {
    read.push(i);
    return { seeds: [], coefficients: [] };
  };
  let first = true;
  const move = (steps: Iterable<StepRecord>) => {
    for (const _ of steps) {
      if (first) assertEquals(read, [0]);
      first = false;
    }
    assertEquals([...steps].length, 3, "they may be gone through again");
  };
  await replaySteps({ hold: 1, memory: 1 }, { record }, { move, prepare() {} }, 3);
  assertEquals(read, [0, 1, 2, 0, 1, 2]);
});

Deno.test("a loss that is not finite stops the run where it is", async () => {
  const recorder = new Recorder(rules.zoAdam);
  const before = recorder.losses;
  recorder.losses = async (looks, step) => step < 2 ? await before(looks, step) : [NaN, 1];
  const run = runSteps(
    rules.zoAdam,
    recorder,
    { master: masterSeed(4), step: 0, state: [] },
    5,
  );
  const made: MadeStep[] = [];
  await assertRejects(
    async () => {
      for await (const step of run) made.push(step);
    },
    NonFiniteLossError,
    "step 2",
  );
  const { recorder: two } = await make(rules.zoAdam, 2);
  assertEquals([made.length, recorder.offsets], [2, two.offsets]);
  assert(recorder.asked.every((it) => !it.includes(" 3")));
});
