import { assert, assertEquals, assertRejects } from "@std/assert";
import { PieceMemory } from "../../../quant/piece_memory.ts";
import { formatByName, type PackedTensor } from "../../../quant/mod.ts";
import { forCaller, piecesOf, type TensorSource } from "../../../models/checkpoints/checkpoint.ts";

const F32 = formatByName("F32");
/** A row of 1 MiB, so that a piece is of four. */
const COLUMNS = 2 ** 18;

interface Reads {
  begun: string[];
  underWay: number;
  most: number;
}

function tensor(
  name: string,
  rows: number,
  reads: Reads,
  { fromFile }: { fromFile: boolean },
): TensorSource {
  const read = async (first: number, count: number, memory?: PieceMemory) => {
    reads.begun.push(`${name} ${first}+${count}`);
    reads.most = Math.max(reads.most, ++reads.underWay);
    await Promise.resolve();
    reads.underWay--;
    const bytes = memory?.take(4 * COLUMNS * count) ?? new Uint8Array(4 * COLUMNS * count);
    return { ...F32.adopt!(bytes, count, COLUMNS)!, first } as PackedTensor;
  };
  const source = { name, rows, columns: COLUMNS, format: F32, read };
  return fromFile ? { ...source, read: forCaller(read) } : source;
}

const none = (): Reads => ({ begun: [], underWay: 0, most: 0 });

Deno.test("pieces come in the order of tensors and rows, the last of each marked", async () => {
  for (const fromFile of [true, false]) {
    const reads = none();
    const tensors = [["a", 9], ["b", 1], ["c", 8]] as const;
    const found: string[] = [];
    for await (
      const { tensor: { name }, firstRow, packed, last } of piecesOf(
        tensors.map(([name, rows]) => tensor(name, rows, reads, { fromFile })),
      )
    ) found.push(`${name} ${firstRow}+${packed.rows}${last ? " last" : ""}`);
    assertEquals(
      found,
      ["a 0+4", "a 4+4", "a 8+1 last", "b 0+1 last", "c 0+4", "c 4+4 last"],
    );
  }
});

Deno.test("tensors in files are read ahead by 12 MiB, over their ends", async () => {
  const reads = none();
  const tensors = ["a", "b", "c", "d", "e"].map((name) =>
    tensor(name, 4, reads, { fromFile: true })
  );
  const pieces = piecesOf(tensors);
  await pieces.next();
  assertEquals(reads.begun, ["a 0+4", "b 0+4", "c 0+4", "d 0+4"]);
  await pieces.next();
  assertEquals(reads.begun.at(-1), "e 0+4");
});

Deno.test("others are read ahead by a piece of the same tensor: reading them may be work", async () => {
  const reads = none();
  const pieces = piecesOf([
    tensor("a", 8, reads, { fromFile: false }),
    tensor("b", 8, reads, { fromFile: false }),
  ]);
  await pieces.next();
  assertEquals(reads.begun, ["a 0+4", "a 4+4"]);
  await pieces.next();
  assertEquals(reads.begun, ["a 0+4", "a 4+4"]);
  await pieces.next();
  assertEquals(reads.begun, ["a 0+4", "a 4+4", "b 0+4", "b 4+4"]);
  assertEquals(reads.most, 1);
});

Deno.test("memory given back is read into; pieces under way never share it", async () => {
  const reads = none();
  const memory = new PieceMemory();
  const buffers: ArrayBufferLike[] = [];
  const held = new Set<ArrayBufferLike>();
  for await (
    const { packed } of piecesOf([tensor("a", 40, reads, { fromFile: true })], { memory })
  ) {
    assert(!held.has(packed.codes.buffer));
    held.add(packed.codes.buffer);
    buffers.push(packed.codes.buffer);
    if (buffers.length < 2) continue;
    const back = buffers[buffers.length - 2];
    held.delete(back);
    memory.give(new Uint8Array(back as ArrayBuffer));
  }
  assertEquals(buffers.length, 10);
  assert(new Set(buffers).size <= 6);
});

Deno.test("an abort stops between two pieces, an error of a read ahead comes at its place", async () => {
  const reads = none();
  const controller = new AbortController();
  const pieces = piecesOf([tensor("a", 40, reads, { fromFile: true })], controller);
  await pieces.next();
  controller.abort(new Error("enough"));
  await assertRejects(() => pieces.next(), Error, "enough");
  const broken = { ...tensor("b", 4, reads, { fromFile: true }) };
  const failing = {
    ...broken,
    read: forCaller(() => Promise.reject(new RangeError("torn"))),
  };
  const both = piecesOf([tensor("a", 4, reads, { fromFile: true }), failing]);
  assertEquals((await both.next()).value?.tensor.name, "a");
  await assertRejects(() => both.next(), RangeError, "torn");
});
