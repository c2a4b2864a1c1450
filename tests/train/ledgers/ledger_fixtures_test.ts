/**
 * Ledgers of every kind that earlier versions wrote, and some of format 7, see `tests/fixtures/record_ledgers.ts`: they say what the same optimiser says of itself
 * today, replay to the bits that they were written with, on the device, on the host and in a session, and the same steps are made again.
 */
import { assertEquals } from "@std/assert";
import { moveSeeds, readLedger } from "../../../optim/mod.ts";
import { LedgerFile, replayLedger, replayOnHost } from "../../../train/mod.ts";
import {
  type CaseBits,
  caseOffsets,
  caseSession,
  caseSource,
  caseSteps,
  fixtureUrl,
  hashSession,
  hashSteps,
  ledgerCases,
  loadCase,
  makeCase,
  makeSession,
  sessionSeed,
} from "./ledger_cases.ts";
import { hashOf } from "../tiny_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const gpu = await openSharedGpu();
const model = await loadCase(gpu);
const source = await caseSource();
Deno.test.afterAll(() => {
  model[Symbol.dispose]();
  gpu[Symbol.dispose]();
});
const bits: Record<string, CaseBits> = JSON.parse(
  await Deno.readTextFile(fixtureUrl("bits.json")),
);

Deno.test("there is a fixture of every kind, and of every format", () => {
  assertEquals(Object.keys(bits).sort(), Object.keys(ledgerCases).sort());
  assertEquals(
    new Set(Object.values(bits).map(({ version }) => version)),
    new Set([1, 2, 3, 4, 6]),
  );
});

for (const [name, one] of Object.entries(ledgerCases)) {
  const expected = bits[name];
  Deno.test(`a ledger of ${name} replays to the bits it was written with`, async () => {
    const bytes = await Deno.readFile(fixtureUrl(`${name}.ledger`));
    const ledger = readLedger(bytes);
    assertEquals([bytes[8], ledger.records.length, ledger.tornBytes], [
      expected.version,
      caseSteps,
      0,
    ]);
    assertEquals(
      JSON.stringify(ledger.header.optimiser),
      JSON.stringify(one.optimiser.describe()),
    );
    using replayed = await replayLedger(model, ledger);
    assertEquals(await hashOf(await replayed.read(gpu)), expected.model, "on the device");
    assertEquals(await hashOf(await replayOnHost(source, ledger)), expected.model, "on the host");
  });

  const makeAgain = async () => {
    const bytes = await Deno.readFile(fixtureUrl(`${name}.ledger`));
    const path = await Deno.makeTempFile({ suffix: ".ledger" });
    try {
      // The same head, without steps: gone on with from the first.
      await Deno.writeFile(path, readLedger(bytes).head.bytes);
      const { file } = await LedgerFile.resume(path);
      using again = file;
      using offsets = caseOffsets(model, one);
      assertEquals(await makeCase(model, one, offsets, again), expected.model, "made again");
      assertEquals(await Deno.readFile(path), bytes);
    } finally {
      await Deno.remove(path);
    }
  };
  if (one.again) {
    Deno.test(
      `the steps of ${name} are made again by a function of the offsets, to the same file`,
      makeAgain,
    );
  }

  Deno.test(`${name}: a session makes its steps, and replays them, to the bits it had`, async () => {
    const session = caseSession(one);
    const steps = makeSession(session);
    assertEquals(await hashSteps(steps), expected.steps);
    assertEquals(await hashSession(session), expected.session);
    const again = caseSession(one);
    const { plan, estimator: { directions } } = one.optimiser;
    steps.forEach((made, step) => {
      again.replay({ ...made, seeds: moveSeeds(plan, directions, sessionSeed, step) });
    });
    assertEquals(await hashSession(again), expected.session);
  });
}

/** What those of format 7 say that their reader must know. */
const features: Readonly<Record<string, string>> = {
  qzo: "",
  kerzoo: "",
  conservative: "",
  mask_with_shares: "directions mask",
  low_rank: "directions lowRank",
  blocks_of_layers: "directions blocks places",
  blocks_of_tensors: "directions blocks",
  accumulated_mask: "directions mask",
  magnitude_decided_anew: "directions magnitude",
  adamw_from_seeds: "directions",
  adam_accumulated: "directions update zeros",
  momentum_that_rests: "directions update",
  gains: "directions gains",
  gains_with_adam: "directions gains update zeros",
  adam_by_magnitude: "directions magnitude update zeros",
};

for (const [name, needed] of Object.entries(features)) {
  Deno.test(`a ledger of ${name} that names its features replays to the bits of the older one`, async () => {
    const read = async (folder: string) =>
      readLedger(await Deno.readFile(fixtureUrl(`${name}.ledger`, folder)));
    const [older, ledger] = [await read("ledgers"), await read("ledgers_with_features")];
    assertEquals([ledger.head.version, ledger.header.features!.join(" ")], [7, needed]);
    // What the older one says, it says by the same words now.
    assertEquals(ledger.header, older.header);
    assertEquals([...ledger.records], [...older.records]);
    assertEquals(await hashOf(await replayOnHost(source, ledger)), bits[name].model);
  });
}
