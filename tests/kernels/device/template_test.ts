import { assertEquals, assertThrows } from "@std/assert";
import { expandShader, type ShaderKey } from "../../../kernels/mod.ts";

/** The expansion's lines without the constants. */
function body(source: string, key: ShaderKey, library: Record<string, string> = {}): string[] {
  return expandShader(source, key, library).split("\n").filter((line) => !line.startsWith("const"));
}

Deno.test("numbers of the key become constants, the rest does not reach the text", () => {
  assertEquals(
    expandShader("x", { ROWS: 4, NAME: "a", FLAG: true }),
    "const ROWS: u32 = 4u;\nx",
  );
});

Deno.test("conditions take flags, negations, comparisons and conjunctions", () => {
  const holds = (condition: string, key: ShaderKey) =>
    body(`#if ${condition}\nyes\n#endif`, key).includes("yes");
  assertEquals(holds("A", { A: true }), true);
  assertEquals(holds("A", { A: false }), false);
  assertEquals(holds("A", { A: 0 }), false);
  assertEquals(holds("!A", { A: 0 }), true);
  assertEquals(holds("A == 3", { A: 3 }), true);
  assertEquals(holds("A == 3", { A: 4 }), false);
  assertEquals(holds("A != 3", { A: 4 }), true);
  assertEquals(holds("KIND == min", { KIND: "min" }), true);
  assertEquals(holds("KIND != min", { KIND: "min" }), false);
  assertEquals(holds("A && !B && C == 1", { A: true, B: false, C: 1 }), true);
  assertEquals(holds("A && !B && C == 1", { A: true, B: true, C: 1 }), false);
});

Deno.test("the first branch that holds is taken", () => {
  const source = "#if A == 1\none\n#elif A == 2\ntwo\n#else\nother\n#endif\nend";
  assertEquals(body(source, { A: 1 }), ["one", "end"]);
  assertEquals(body(source, { A: 2 }), ["two", "end"]);
  assertEquals(body(source, { A: 3 }), ["other", "end"]);
});

Deno.test("blocks nest, and what is not taken is not looked at", () => {
  const source = `#if A
#if B
both
#else
a
#endif
#elif UNKNOWN
#for i UNKNOWN
#endfor
#endif
#for i 2
#for j N
{i}{j}
#if j == 1
last
#endif
#endfor
#endfor`;
  assertEquals(body(source, { A: true, B: false, N: 2 }), [
    "a",
    "00",
    "01",
    "last",
    "10",
    "11",
    "last",
  ]);
});

Deno.test("braces take names and up to two operations, and leave other braces alone", () => {
  const at = (text: string) => body(text, { N: 3, B: 4, S: "word" })[0];
  assertEquals(at("{N} {S} {N+1} {N-1} {N*B} {N*4+1}"), "3 word 4 2 12 13");
  assertEquals(at("if (x) {y} else { z }"), "if (x) {y} else { z }");
});

Deno.test("includes are texts, and may include", () => {
  const library = { "a.wgsl": '  #include "b.wgsl"\na', "b.wgsl": "#if A\nb\n#endif" };
  assertEquals(body('#include "a.wgsl"\nmain', { A: true }, library), ["b", "a", "main"]);
});

Deno.test("an include's name may depend on the key, and one of its parts may be taken alone", () => {
  const library = {
    "of_a.wgsl":
      '// For readers.\n\n#part one\na{c}\n#if A\n#include "of_a.wgsl" two\n#endif\n#endpart\n#part two\n  two\n#endpart\n',
    "of_b.wgsl": "#part none\n#endpart",
  };
  const source = '#for c 2\n#include "of_{KIND}.wgsl" one\n#endfor\nend';
  assertEquals(body(source, { KIND: "a", A: true }, library), [
    "a0",
    "  two",
    "a1",
    "  two",
    "end",
  ]);
  assertEquals(body(source, { KIND: "a", A: false }, library), ["a0", "a1", "end"]);
  assertEquals(body('#include "of_{KIND}.wgsl" none\nend', { KIND: "b" }, library), ["end"]);
});

Deno.test("what is not taken is not included", () => {
  assertEquals(body('#if A\n#include "no.wgsl"\n#endif', { A: false }), [""]);
});

Deno.test("texts of the key are inserted as they are", () => {
  const source = "  #insert PROGRAM\nlet x = {CHOSEN};\n#insert NOTHING\nend";
  const key = { PROGRAM: "  {A}\n#if A", CHOSEN: "b", NOTHING: "", A: 1 };
  assertEquals(body(source, key), ["  {A}", "#if A", "let x = b;", "", "end"]);
});

Deno.test("mistakes are named", () => {
  const fails = (source: string, message: string, library = {}) => {
    assertThrows(() => expandShader(source, { A: 1, S: "s" }, library), SyntaxError, message);
  };
  fails("#if B\n#endif", '"B" is not in the key');
  fails("#if A <\n#endif", 'condition "A <"');
  fails("#if A\nx", '"#if A" in line 1 does not close');
  fails("x\n#for i 2\nx", '"#for" in line 2 does not close');
  fails("#for i S\n#endfor", '"S" is not a number of the key');
  fails("#for i\n#endfor", "is not a number of the key");
  fails("#endif", 'unexpected "#endif" in line 1');
  fails("#define X", 'unexpected "#define" in line 1');
  fails("{A+S}", '"S" is not a number of the key');
  fails('#include "no.wgsl"', 'no include "no.wgsl"');
  fails('#include "{S}.wgsl"', 'no include "s.wgsl"');
  fails("#include s.wgsl", '"#include s.wgsl" names no file');
  fails('#include "a" b', 'include "a" has no part "b"', { a: "#part c\n#endpart" });
  fails('#include "a" b', '"#part" in line 1 does not close', { a: "#part b" });
  fails("#part b\n#endpart", 'unexpected "#part" in line 1');
  fails("#insert A", '"A" is not a text of the key');
  fails("#insert B", '"B" is not a text of the key');
  fails('#include "loop"', "includes nest deeper than 8", { loop: '#include "loop"' });
});
