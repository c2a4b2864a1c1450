/** Ledgers that earlier versions wrote, on six numbers: they replay to the bits they were written with. */
import { assertEquals, assertNotEquals } from "@std/assert";
import {
  linear,
  type Optimiser,
  qzoNormalised,
  qzoPlus,
  readLedger,
  Session,
  tensorId,
  zoAdam,
  zoAdamW,
} from "../../../optim/mod.ts";

interface Fixture {
  /** The optimiser that wrote it, as it is made today. */
  readonly optimiser: Optimiser;
  /** Bytes of a record, moves, values kept per offset. */
  readonly shape: readonly [number, number, number];
  /** Bits of the offsets after the last of 40 steps. */
  readonly offsets: readonly number[];
  /** The state after it. */
  readonly state: readonly number[];
}

const fixtures: Record<number, Fixture> = {
  1: {
    optimiser: qzoNormalised({ queries: 2, learningRate: 0.05 }),
    shape: [12, 2, 0],
    offsets: [0x3e1bf36f, 0x3e420fd4, 0xbdedd716, 0x3df64216, 0x3d067ac9, 0xbf746c5f],
    state: [558.5413818359375],
  },
  // Before there were update rules, when Adam was always from seeds.
  2: {
    optimiser: zoAdam({
      state: "seeds",
      queries: 2,
      length: 4,
      learningRate: 0.05,
      weightDecay: 0.01,
      projection: "keep-sign",
    }),
    shape: [57, 9, 0],
    offsets: [0x3ea8e686, 0x3e8dc1bf, 0xbe06f6c4, 0xbebfe27d, 0x3de2be2c, 0xbf9191bc],
    state: [
      15.113322257995605,
      -3.9806365966796875,
      -4.340171813964844,
      23.96106719970703,
      25.360107421875,
      10.934829711914062,
      27.655601501464844,
    ],
  },
  3: {
    optimiser: zoAdamW({
      queries: 2,
      learningRate: linear(0.05, { total: 60, warmup: 5 }),
      weightDecay: 0.3,
      projection: "keep-sign",
    }),
    shape: [8, 2, 2],
    offsets: [0xbe9b803d, 0x3ebcaf6b, 0x3d33d746, 0xbf1bafd2, 0x3e800000, 0xbf502301],
    state: [],
  },
};

for (const [version, fixture] of Object.entries(fixtures)) {
  Deno.test(`a ledger of format ${version} still replays to the bits it was written with`, async () => {
    const url = new URL(`../fixtures/version_${version}.ledger`, import.meta.url);
    const bytes = await Deno.readFile(url);
    const { head, header, records, tornBytes } = readLedger(bytes);
    const found = new DataView(bytes.buffer).getUint32(8, true);
    assertEquals([found, records.length, tornBytes], [Number(version), 40, 0]);
    assertEquals([head.recordSize, head.moves, head.update?.stateSize ?? 0], fixture.shape);
    const { optimiser } = fixture;
    assertEquals(header.optimiser, JSON.parse(JSON.stringify(optimiser.describe())));
    const session = new Session({
      parameters: [0.5, -1, 1, 2, -0.25, 3],
      optimiser,
      seed: header.seed,
      tensorId: tensorId(header.trainables[0].name),
    });
    for (const record of records) session.replay(record);
    assertEquals([...new Uint32Array(session.offsets.buffer)], fixture.offsets);
    assertEquals(session.state, fixture.state);
  });
}

Deno.test("a ledger of qzoPlus from before its steps were bounded by epsilon still replays to its bits", async () => {
  const url = new URL("../fixtures/qzo_plus_before_bound.ledger", import.meta.url);
  const { header, records, tornBytes } = readLedger(await Deno.readFile(url));
  assertEquals([records.length, tornBytes], [40, 0]);
  const options = { queries: 2, learningRate: linear(0.5, { total: 40 }) };
  const described = JSON.stringify(header.optimiser);
  assertEquals(described, JSON.stringify(qzoPlus({ ...options, largest: 0.5 }).describe()));
  assertNotEquals(described, JSON.stringify(qzoPlus(options).describe()));
  // Coefficients are what is kept: the optimiser of today replays them too.
  for (const optimiser of [qzoPlus({ ...options, largest: 0.5 }), qzoPlus(options)]) {
    const session = new Session({
      parameters: [0.5, -1, 1, 2, -0.25, 3],
      optimiser,
      seed: header.seed,
      tensorId: tensorId(header.trainables[0].name),
    });
    for (const record of records) session.replay(record);
    assertEquals(
      [...new Uint32Array(session.offsets.buffer)],
      [0x3da4f482, 0x3e30bcb4, 0x3de5a52b, 0x3e2c963d, 0xbd1165d5, 0x3e426561],
    );
    assertEquals(session.state, [
      0.10769472271203995,
      5.38473653793335,
      0.06092602759599686,
      0.0021215728484094143,
    ]);
  }
});
