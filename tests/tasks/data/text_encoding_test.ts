/**
 * Bytes as text: every encoding against what the text was, in pieces of every length, and what is refused, with its place.
 */
import { assertEquals, assertThrows } from "@std/assert";
import type { TextEncoding } from "../../../tasks/mod.ts";
import { TextBytes } from "../../../tasks/data/text_encoding.ts";
import { random } from "../../models/tokenizers/tokenizer_mutate.ts";

/** Latin letters, Greek, Chinese, two code units; a NEL and a separator of lines, which are text. */
const text = "Le café \u03b1 \u6f22\u5b57 \u{1f600}\u{10ffff} é\u0085\u2028end\n\uFEFFnext";

function utf16(text: string, littleEndian: boolean): number[] {
  const view = new DataView(new ArrayBuffer(2 * text.length));
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
  return [...new Uint8Array(view.buffer)];
}

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];

function read(bytes: readonly number[], encoding?: TextEncoding, cuts?: () => number): string {
  const reader = new TextBytes("a.txt", encoding);
  const all = new Uint8Array(bytes);
  let out = "";
  for (let at = 0; at < all.length;) {
    const end = at + 1 + Math.floor((cuts?.() ?? 1) * 7);
    out += reader.push(all.slice(at, end));
    at = end;
  }
  return out + reader.end();
}

Deno.test("each encoding gives the text, by its mark or by its name, however it is cut", () => {
  const files: [string, number[], TextEncoding | undefined][] = [
    ["UTF-8", utf8(text), undefined],
    ["UTF-8 with a mark", [0xef, 0xbb, 0xbf, ...utf8(text)], undefined],
    ["UTF-16 LE with a mark", [0xff, 0xfe, ...utf16(text, true)], undefined],
    ["UTF-16 BE with a mark", [0xfe, 0xff, ...utf16(text, false)], undefined],
    ["UTF-16 LE by name", utf16(text, true), "utf-16le"],
    ["UTF-16 BE by name", utf16(text, false), "utf-16be"],
    ["UTF-8 by name, with a mark", [0xef, 0xbb, 0xbf, ...utf8(text)], "utf-8"],
  ];
  const next = random(3);
  for (const [name, bytes, encoding] of files) {
    for (let i = 0; i < 20; i++) assertEquals(read(bytes, encoding, next), text, name);
    assertEquals(read(bytes, encoding, () => 1e6), text, name);
  }
  for (const short of ["", "a", "é", "ab\n"]) {
    assertEquals(read(utf8(short)), short);
    assertEquals(read([0xff, 0xfe, ...utf16(short, true)]), short);
  }
});

Deno.test("latin1 is ISO 8859-1 for every byte, windows-1252 has quotation marks there", () => {
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1);
  const characters = String.fromCharCode(...bytes);
  assertEquals(read(bytes, "latin1"), characters);
  assertEquals(read([0x93, 0xe9, 0x94, 0x80], "windows-1252"), "\u201cé\u201d\u20ac");
});

Deno.test("a byte that begins no character is named with offset and line, in any cut", () => {
  const next = random(5);
  const bad: [number[], TextEncoding | undefined, string][] = [
    // The half of a character at the end, as in a file that was cut.
    [[...utf8("bon\nd\u00e9"), 0xc3], undefined, "byte 0xc3 at offset 7 (line 2)"],
    // Latin-1.
    [[...utf8("un\ndeux caf"), 0xe9, 0x20, 0x61], undefined, "byte 0xe9 at offset 11 (line 2)"],
    [[0x80, 0x61], undefined, "byte 0x80 at offset 0 (line 1)"],
    // An encoded surrogate and an overlong slash.
    [[0x61, 0xed, 0xa0, 0x80], undefined, "byte 0xed at offset 1"],
    [[0x61, 0xc0, 0xaf], undefined, "byte 0xc0 at offset 1"],
    // An odd length, and half a pair.
    [[0xff, 0xfe, ...utf16("a\n", true), 0x41], undefined, "byte 0x41 at offset 6 (line 2)"],
    [[0xff, 0xfe, ...utf16("a\ud800b", true)], undefined, "byte 0x00 at offset 4 (line 1)"],
    [utf16("a\udc00", false), "utf-16be", "byte 0xdc at offset 2 (line 1)"],
  ];
  for (const [bytes, encoding, message] of bad) {
    for (const cuts of [next, () => 1e6]) {
      assertThrows(() => read(bytes, encoding, cuts), SyntaxError, message);
    }
  }
  assertThrows(() => read(bad[0][0]), SyntaxError, "data.encoding to latin1");
});

Deno.test("UTF-32, a contradicting mark and NULs are refused by name", () => {
  const refused = (bytes: number[], encoding: TextEncoding | undefined, ...words: string[]) => {
    for (const word of words) {
      assertThrows(() => read(bytes, encoding, () => 1e6), SyntaxError, word);
    }
  };
  refused([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0], undefined, "UTF-32", "iconv");
  refused([0, 0, 0xfe, 0xff, 0, 0, 0, 0x61], undefined, "UTF-32");
  refused([0xff, 0xfe, ...utf16("a", true)], "latin1", "mark says UTF-16");
  refused([0xef, 0xbb, 0xbf, 0x61], "windows-1252", "mark says UTF-8");
  refused(
    utf16("plain text", true),
    undefined,
    "NUL at byte offset 1",
    "data.encoding to utf-16le",
  );
  refused(
    utf16("plain text", false),
    undefined,
    "NUL at byte offset 0",
    "data.encoding to utf-16be",
  );
  refused([...utf8("one\ntwo"), 0, 0x61], undefined, "NUL at byte offset 7 (line 2)", "damaged");
  refused([0xff, 0xfe, ...utf16("ab\nc\0d", true)], undefined, "NUL at byte offset 10 (line 2)");
  refused([0x61, 0xe9, 0], "latin1", "NUL at byte offset 2");
});
