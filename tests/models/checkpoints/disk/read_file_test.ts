import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { attempting } from "../../../../models/mod.ts";
import { inWords, isFromSystem } from "../../../../models/checkpoints/disk/attempt.ts";
import { FILE_KINDS } from "../../../../models/checkpoints/disk/file_kinds.ts";
import { openFile } from "../../../../models/checkpoints/disk/files.ts";
import type { FileKindName } from "../../../../models/checkpoints/disk/file_kinds.ts";
import {
  readFileBytes,
  readFileTextNow,
  readJsonFile,
  readOptionalText,
} from "../../../../models/checkpoints/disk/read_file.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const kinds = Object.keys(FILE_KINDS) as FileKindName[];

Deno.test("one door: pipes, devices, folders and sockets are refused before they are opened, as any kind of file", async () => {
  await inFolder(async (folder) => {
    const pipe = join(folder, "pipe");
    const { success } = await new Deno.Command("mkfifo", { args: [pipe] }).output();
    assert(success);
    const zero = join(folder, "zero");
    await Deno.symlink("/dev/zero", zero);
    const listener = Deno.listen({ transport: "unix", path: join(folder, "socket") });
    try {
      for (const kind of kinds) {
        for (
          const [path, what] of [[pipe, "a pipe"], [zero, "a device"], [folder, "a folder"], [
            join(folder, "socket"),
            "a socket",
          ]]
        ) {
          const says = `Cannot read ${FILE_KINDS[kind].what} "${path}": it is ${what}`;
          const begun = performance.now();
          await assertRejects(() => readFileBytes(path, kind), TypeError, says);
          await assertRejects(() => openFile(path, kind), TypeError, says);
          assertThrows(() => readFileTextNow(path, kind), TypeError, says);
          assert(performance.now() - begun < 1000);
        }
      }
    } finally {
      listener.close();
    }
  });
});

Deno.test("one door: what is larger than its kind is refused before a byte is read", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "large");
    await Deno.writeTextFile(path, "{}");
    for (const kind of kinds.filter((it) => Number.isFinite(FILE_KINDS[it].most))) {
      const { most } = FILE_KINDS[kind];
      // Sparse: the disk holds none of it.
      await Deno.truncate(path, most + 1);
      const begun = performance.now();
      const before = Deno.memoryUsage().rss;
      await assertRejects(
        () => readFileBytes(path, kind),
        RangeError,
        `at most ${most} are allowed`,
      );
      assertThrows(() => readFileTextNow(path, kind), RangeError, `at most ${most} are allowed`);
      assert(performance.now() - begun < 1000);
      assert(Deno.memoryUsage().rss - before < 64 * 2 ** 20);
    }
  });
});

Deno.test("one door: a file that is not there is undefined where it may be absent, a link that leads nowhere is an error", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "tokenizer.json");
    assertEquals(await readJsonFile(path, "tokenizer", { optional: true }), undefined);
    await assertRejects(() => readJsonFile(path, "tokenizer"), Deno.errors.NotFound, path);
    await Deno.symlink(join(folder, "blob"), path);
    await assertRejects(
      () => readOptionalText(path, "tokenizer"),
      Deno.errors.NotFound,
      `it is a link to "${join(folder, "blob")}", which is not there`,
    );
    await Deno.writeTextFile(join(folder, "blob"), '\ufeff{"a": 1}');
    assertEquals(await readJsonFile(path, "tokenizer"), { a: 1 });
    await Deno.writeTextFile(join(folder, "blob"), "{");
    await assertRejects(
      () => readJsonFile(path, "tokenizer"),
      SyntaxError,
      `Cannot read "${path}"`,
    );
  });
});

Deno.test("in words: what a system answers keeps its class and says what was attempted, on what and what to do", () => {
  const error = (Class: new (message: string) => Error, code: string, message: string) =>
    Object.assign(new Class(message), { code });
  const { errors } = Deno;
  const cases: [Error, string][] = [
    [
      error(errors.PermissionDenied, "EACCES", "Permission denied (os error 13): open 'x'"),
      "permission denied. Change its owner or mode",
    ],
    [
      new errors.NotCapable('Requires write access to "x", run again with the --allow-write flag'),
      "Run it with --allow-write",
    ],
    [error(Error, "ENOSPC", "No space left on device (os error 28)"), "no space left on the disk"],
    [
      error(errors.IsADirectory, "EISDIR", "Is a directory (os error 21): readfile 'x'"),
      "it is a folder",
    ],
    [error(Error, "EROFS", "Read-only file system (os error 30): open 'x'"), "mounted read-only"],
    [
      error(Error, "EMFILE", "Too many open files (os error 24): open 'x'"),
      "too many files are open",
    ],
    [
      error(errors.Busy, "EBUSY", "Device or resource busy (os error 16): open 'x'"),
      "another program",
    ],
    [error(Error, "EXYZ", "Something new (os error 999): open 'x'"), "something new"],
  ];
  for (const [given, says] of cases) {
    const told = inWords(given, { what: "write the ledger" }) as Error;
    assert(told instanceof given.constructor, told.name);
    const path = given.message.includes("x") && !given.message.startsWith("No space") ? ' "x"' : "";
    assert(told.message.startsWith(`Cannot write the ledger${path}: `), told.message);
    assert(told.message.includes(says), told.message);
    assert(!told.message.includes("os error"), told.message);
    assert(isFromSystem(told) && told.cause === given);
    // Words are not put into words again.
    assertEquals(inWords(told, { what: "finetune" }), told);
  }
  const own = new RangeError("Cannot load: 3");
  assertEquals(inWords(own, { what: "x" }), own);
  assert(!isFromSystem(own));
});

Deno.test("in words: a hint is for what is not there, not for what may not be read", async () => {
  await inFolder(async (folder) => {
    const read = (path: string) =>
      attempting({ what: "read", path, hint: "Make it first" }, () => Deno.readTextFile(path));
    await assertRejects(() => read(join(folder, "none")), Deno.errors.NotFound, ". Make it first");
    const error = await assertRejects(() => read(folder), Deno.errors.IsADirectory);
    assert(!error.message.includes("Make it"), error.message);
  });
});

Deno.test("one door: the document has every kind with its limit", async () => {
  const document = await Deno.readTextFile(
    new URL("../../../../docs/files-and-errors.md", import.meta.url),
  );
  const rows = [...document.matchAll(/^\| `(\w+)` \|.*\| (any|\d+) \|$/gm)];
  assertEquals(
    rows.map(([, kind, most]) => [kind, most === "any" ? Infinity : Number(most)]),
    kinds.map((kind) => [kind, FILE_KINDS[kind].most]),
  );
});

Deno.test("one door: settings in UTF-16 are read by their mark, a byte that is no character is named with its offset", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "config.json");
    const text = '{"name": "é😀"}';
    const little = new Uint8Array(2 * text.length + 2);
    const whole = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
    const view = new DataView(little.buffer);
    [0xfeff, ...whole].forEach((unit, i) => view.setUint16(2 * i, unit, true));
    const big = little.slice();
    [0xfeff, ...whole].forEach((unit, i) => new DataView(big.buffer).setUint16(2 * i, unit));
    for (const bytes of [new TextEncoder().encode(`\uFEFF${text}`), little, big]) {
      await Deno.writeFile(path, bytes);
      assertEquals(await readJsonFile(path, "settings"), { name: "é😀" });
      assertEquals(readFileTextNow(path, "settings"), text);
    }
    await Deno.writeFile(
      path,
      new Uint8Array([...new TextEncoder().encode('{"a":"'), 0xe9, 34, 125]),
    );
    const says = "as UTF-8: the byte at offset 6 ";
    await assertRejects(() => readJsonFile(path, "tokenizer"), SyntaxError, says);
    assertThrows(() => readFileTextNow(path, "settings"), SyntaxError, says);
  });
});

Deno.test("one door: JSON is counted before it is parsed, in UTF-16 too", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "config.json");
    const deep = "[".repeat(65) + "]".repeat(65);
    // U+2234 has a quotation mark for a byte.
    const utf16 = (text: string) =>
      new Uint8Array(Uint16Array.from(`\ufeff${text}`, (letter) => letter.charCodeAt(0)).buffer);
    for (const bytes of [new TextEncoder().encode(deep), utf16(`["\u2234",${deep}]`)]) {
      await Deno.writeFile(path, bytes);
      await assertRejects(() => readJsonFile(path, "settings"), RangeError, "64 deep");
    }
    await Deno.writeFile(path, utf16('["\u5b5b\u5b5b"]'));
    assertEquals(await readJsonFile(path, "settings"), ["\u5b5b\u5b5b"]);
  });
});
