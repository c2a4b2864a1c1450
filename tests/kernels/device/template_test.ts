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
  fails('#include "loop"', "includes nest deeper than 8", { loop: '#include "loop"' });
});
