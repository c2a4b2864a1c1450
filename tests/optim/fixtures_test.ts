import { assertEquals } from "@std/assert";
import { qzoNormalised, readLedger, Session, tensorId, zoAdam } from "../../optim/mod.ts";

/** Written by the first release's code: `qzoNormalised({ queries: 2, learningRate: 0.05 })` on six numbers. */
const fixture = new URL("./fixtures/version_1.ledger", import.meta.url);

Deno.test("a ledger of the first format still replays to the bits it was written with", async () => {
  const bytes = await Deno.readFile(fixture);
  const { head, header, records, tornBytes } = readLedger(bytes);
  assertEquals([new DataView(bytes.buffer).getUint32(8, true), records.length, tornBytes], [
    1,
    40,
    0,
  ]);
  assertEquals([head.recordSize, header.directions, header.stateSize], [12, 2, 1]);
  const optimiser = qzoNormalised({ queries: 2, learningRate: 0.05 });
  assertEquals(header.optimiser, JSON.parse(JSON.stringify(optimiser.describe())));
  const session = new Session({
    parameters: [0.5, -1, 1, 2, -0.25, 3],
    optimiser,
    seed: header.seed,
    tensorId: tensorId(header.trainables[0].name),
  });
  for (const record of records) session.replay(record);
  const expected = [0x3e1bf36f, 0x3e420fd4, 0xbdedd716, 0x3df64216, 0x3d067ac9, 0xbf746c5f];
  assertEquals([...new Uint32Array(session.offsets.buffer)], expected);
  assertEquals(session.state, [558.5413818359375]);
});

/** Written before optimisers had update rules: `zoAdam({ queries: 2, length: 4, learningRate: 0.05, weightDecay: 0.01 })`. */
const planned = new URL("./fixtures/version_2.ledger", import.meta.url);

Deno.test("a ledger of the second format still replays to the bits it was written with", async () => {
  const bytes = await Deno.readFile(planned);
  const { head, header, records, tornBytes } = readLedger(bytes);
  assertEquals([new DataView(bytes.buffer).getUint32(8, true), records.length, tornBytes], [
    2,
    40,
    0,
  ]);
  assertEquals([head.moves, head.update, header.stateSize], [9, undefined, 7]);
  const optimiser = zoAdam({
    state: "seeds",
    queries: 2,
    length: 4,
    learningRate: 0.05,
    weightDecay: 0.01,
    projection: "keep-sign",
  });
  assertEquals(header.optimiser, JSON.parse(JSON.stringify(optimiser.describe())));
  const session = new Session({
    parameters: [0.5, -1, 1, 2, -0.25, 3],
    optimiser,
    seed: header.seed,
    tensorId: tensorId(header.trainables[0].name),
  });
  for (const record of records) session.replay(record);
  const expected = [0x3ea8e686, 0x3e8dc1bf, 0xbe06f6c4, 0xbebfe27d, 0x3de2be2c, 0xbf9191bc];
  assertEquals([...new Uint32Array(session.offsets.buffer)], expected);
});
