import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { lossCurveSvg } from "../../show/plot.ts";
import { message, printable, shortName } from "../../show/printable.ts";
import { guarded, notes, status, table } from "../../show/terminal.ts";
import { runCli } from "../../cli/main.ts";
import { capture } from "../cli/capture.ts";
import { f32Tensor, ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { randomLlama } from "../support/random_llama.ts";
import { smallShape } from "../models/small_model.ts";

/** Every control character and mark of direction that Unicode has, but newline and tab. */
const obeyed: string[] = [];
for (let code = 0; code < 0x110000; code++) {
  const letter = String.fromCodePoint(code);
  if (/^[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]$/u.test(letter) && !/[\n\t]/.test(letter)) {
    obeyed.push(letter);
  }
}

Deno.test("printable: every control and mark of direction is shown by its number, all else stays", () => {
  assert(obeyed.length > 70, String(obeyed.length));
  for (const letter of obeyed) {
    const shown = `\\u${letter.codePointAt(0)!.toString(16).padStart(4, "0")}`;
    assertEquals(printable(`a${letter}b`), `a${shown}b`);
  }
  const plain = "Ünïcode, 日本語, עברית, العربية, 👩‍👩‍👧, e\u0301, tab\t, line\n, end\r\n";
  assertEquals(printable(plain), plain);
  assertEquals(printable("\ud83d"), "\\ud83d");
  assertEquals(printable("50%\rdone"), "50%\\u000ddone");
});

Deno.test("printable: names of files are cut, messages are one line", () => {
  assertEquals(shortName("a".repeat(100)), "a".repeat(100));
  assert(shortName("a".repeat(65535)).length < 130);
  assertEquals(message('Cannot read "a\nb"\n'), 'Cannot read "a\\nb"');
  assert(message(`Cannot load tensor "${"n".repeat(65535)}": no place`).length < 300);
  assertMatch(message(`Cannot load tensor "${"n".repeat(65535)}": no place`), /: no place$/);
  assert(message("word ".repeat(100_000)).length < 4100);
});

Deno.test("terminal: whatever commands print passes one place", () => {
  const terminal = capture();
  const safe = guarded(terminal);
  const all = obeyed.join("");
  safe.out(all);
  safe.write(all);
  safe.note(all);
  notes(safe, [all]);
  for (const line of table([[all, 1]])) safe.out(line);
  const texts = terminal.printed + terminal.noted;
  for (const letter of obeyed) assert(!texts.includes(letter), letter.codePointAt(0)!.toString(16));
  let drawn = "";
  const target = { write: (text: string) => drawn += text, columns: () => 500 };
  status({ ...terminal, progress: target }, `Opening ${all}`);
  const text = drawn.replace("\r\x1b[K", "");
  for (const letter of obeyed) assert(!text.includes(letter), letter.codePointAt(0)!.toString(16));
});

Deno.test("terminal: names of tensors, metadata and JSON of a file reach it shown, by every command", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const shape = { ...smallShape, layers: 1 };
    const tensors = llamaF32Tensors(shape, randomLlama(shape));
    const evil = `x${obeyed.join("")}`;
    const path = join(folder, "m.gguf");
    const files: (() => Uint8Array<ArrayBuffer>)[] = [
      () => ggufBytes(llamaMetadata(shape), { ...tensors, [evil]: f32Tensor([1], [1]) }),
      () =>
        ggufBytes({
          ...llamaMetadata(shape),
          "general.architecture": { kind: "string", value: evil },
        }, tensors),
      () => new TextEncoder().encode(evil),
    ];
    for (const bytes of files) {
      await Deno.writeFile(path, bytes());
      const others = ["evaluate", "--task", "language-modelling", "--data.train", "t", "--model"];
      for (
        const command of [["inspect"], ["generate", "--prompt", "a"], [
          "quantize",
          "--format",
          "Q4_0",
          "--output",
          join(folder, "q.gguf"),
        ], others]
      ) {
        const terminal = capture();
        const args = command.at(-1) === "--model"
          ? [...command, path]
          : [command[0], path, ...command.slice(1)];
        assertEquals(await runCli(args, { terminal }), 1);
        const text = terminal.printed + terminal.noted;
        assert(text.length < 5000);
        for (const letter of obeyed) {
          assert(!text.includes(letter), `${letter.codePointAt(0)} ${args[0]}`);
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("svg: a title from a file leaves it well-formed, without controls", () => {
  const title = `<b>&"'${obeyed.join("")}`;
  const svg = lossCurveSvg({ steps: [{ step: 1, loss: 1 }, { step: 2, loss: 0.5 }] }, { title });
  for (const letter of obeyed) assert(!svg.includes(letter), letter.codePointAt(0)!.toString(16));
  assert(svg.includes("&lt;b&gt;&amp;"), svg.slice(0, 500));
  const long = lossCurveSvg({ steps: [{ step: 1, loss: 1 }] }, { title: "t".repeat(100_000) });
  assert(long.length < 50_000, String(long.length));
});
