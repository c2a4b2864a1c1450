import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { PieceMemory } from "../../quant/piece_memory.ts";
import { formatByName } from "../../quant/mod.ts";
import { randomBytes } from "./random.ts";

const MIB = 2 ** 20;

Deno.test("a buffer given back is taken again for a piece of its length, by one taker", () => {
  const memory = new PieceMemory();
  const first = memory.take(MIB);
  memory.give(first);
  assert(memory.take(MIB - 4).buffer !== first.buffer);
  assertStrictEquals(memory.take(MIB).buffer, first.buffer);
  assert(memory.take(MIB).buffer !== first.buffer);
});

Deno.test("views of a part, and short buffers, are not kept", () => {
  const memory = new PieceMemory();
  const whole = new Uint8Array(2 * MIB);
  memory.give(whole.subarray(0, MIB));
  memory.give(new Uint32Array(whole.buffer, 4));
  assert(memory.take(MIB).buffer !== whole.buffer);
  assert(memory.take(2 * MIB).buffer !== whole.buffer);
  const short = new Uint8Array(16);
  memory.give(short);
  assert(memory.take(16).buffer !== short.buffer);
});

Deno.test("idle memory is bounded: what was given first goes first", () => {
  const memory = new PieceMemory();
  const given = Array.from({ length: 9 }, () => new Uint8Array(4 * MIB));
  for (const one of given) memory.give(one);
  const taken = new Set(Array.from({ length: 9 }, () => memory.take(4 * MIB).buffer));
  assert(!taken.has(given[0].buffer));
  assertEquals(given.filter(({ buffer }) => taken.has(buffer)).length, 8);
});

Deno.test("planes in used memory are those of fresh memory", () => {
  for (const name of ["Q4_0", "Q4_K", "Q6_K", "F16", "int4_g32"]) {
    const format = formatByName(name);
    const rows = 256;
    const bytes = randomBytes(7, rows * format.rowBytes(1024));
    const fresh = format.unpack(bytes, rows, 1024);
    const memory = new PieceMemory();
    memory.give(new Uint8Array(fresh.codes.byteLength).fill(255));
    const used = format.unpack(bytes, rows, 1024, memory);
    assertEquals(used, fresh, name);
    assert(memory.take(fresh.codes.byteLength).buffer !== used.codes.buffer);
  }
});

Deno.test("dense planes are adopted from the whole of a buffer, with no copy, and only then", () => {
  for (const name of ["F32", "F16", "BF16"]) {
    const format = formatByName(name);
    const bytes = randomBytes(3, 6 * format.rowBytes(34));
    const adopted = format.adopt!(bytes, 6, 34)!;
    assertEquals(adopted, format.unpack(bytes, 6, 34));
    assertStrictEquals(adopted.codes.buffer, bytes.buffer);
    assertEquals(format.adopt!(bytes.subarray(0), 6, 34)?.rows, 6);
    const more = new Uint8Array([...bytes, 0, 0, 0, 0]);
    assertEquals(format.adopt!(more.subarray(0, bytes.length), 6, 34), undefined);
  }
  // Padded in memory, not in the file.
  assertEquals(formatByName("F16").adopt!(randomBytes(1, 6), 1, 3), undefined);
  assertEquals(formatByName("Q4_0").adopt, undefined);
});
