import { assertEquals } from "@std/assert";
import { qzoNormalised, readLedger, Session, tensorId } from "../../optim/mod.ts";

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
