/** Programs with loops compute what the programs without compute, operation by operation. */
import { assert, assertEquals } from "@std/assert";
import { rolledLines } from "../../../kernels/step/rolled_lines.ts";
import { randomNumbers } from "../../support/random_llama.ts";

/** Runs WGSL of sums, differences and products as JavaScript: what it leaves in `y`. */
function run(lines: readonly string[], x: readonly number[]): number[] {
  const text = lines.map((line) =>
    line.replace(/\b(0x[0-9a-f]+)u\b/g, "$1")
      .replace(/^( *var \w+): \w+/, "$1")
      .replace(/bitcast<\w+>/g, "")
      .replace(/\b(\d+)u\b/g, "$1")
  ).join("\n");
  const y: number[] = [];
  new Function("x", "y", "scratch", `"use strict";\n${text}`)(x, y, []);
  return y;
}

const random = randomNumbers(5);
const below = (n: number) => Math.floor(random() * n);

/** A program of maps, sums, shifts and single operations over lists of about `count` scalars, and what writes its results. */
function program(count: number): [string[], string[]] {
  const lines: string[] = [];
  const scalar = (expression: string) => {
    const name = `v${lines.length}`;
    lines.push(`let ${name} = ${expression};`);
    return name;
  };
  const list = (from: number, length: number) =>
    Array.from({ length }, (_, i) => `bitcast<f32>(x[${from + i}])`);
  let values = [scalar("x[0] - x[1]"), ...list(2, count)];
  let state = list(2, count);
  const operators = ["+", "-", "*"];
  for (let part = 0; part < 2 + below(5); part++) {
    const [a, b] = [operators[below(3)], operators[below(3)]];
    const known = [...values, ...state];
    const one = known[below(known.length)];
    switch (below(5)) {
      case 0:
        values = values.map((value) => scalar(`${value} ${a} ${one}`));
        break;
      case 1:
        values = values.map((value, i) => {
          const half = scalar("0.5");
          const product = scalar(`${value} ${a} ${half}`);
          return scalar(`${product} ${b} ${state[i % state.length]}`);
        });
        break;
      case 2: {
        const sum = values.reduce((total, value) => scalar(`${total} + ${value}`));
        values = values.map((value) => scalar(`${value} ${a} ${sum}`));
        break;
      }
      case 3: // each with its neighbour, backwards every second time
        values = values.map((value, i) => scalar(`${value} ${a} ${values[Math.max(0, i - 1)]}`));
        if (part % 2) values.reverse();
        break;
      default:
        state = [...values.slice(0, 1), ...state].slice(0, state.length);
    }
  }
  const results = [...values, ...state];
  const stores = [
    ...results.map((value, i) => `let next${i} = bitcast<u32>(${value});`),
    ...results.map((_, i) => `y[${i}] = next${i};`),
  ];
  return [lines, stores];
}

Deno.test("a program with loops computes the same, and is as short for many scalars as for few", () => {
  for (let trial = 0; trial < 60; trial++) {
    const count = 30 + below(100);
    const sections = program(count);
    const { sections: rolled, words } = rolledLines(
      sections,
      (name) => name.startsWith("next") ? "u32" : "f32",
    );
    const x = Array.from({ length: count + 2 }, () => random() - 0.5);
    assertEquals(run(rolled.flat(), x), run(sections.flat(), x), `trial ${trial}`);
    assertEquals(rolled.length, 2);
    const text = rolled.flat();
    assert(text.length < 260, `trial ${trial}: ${text.length} of ${sections.flat().length} lines`);
    assert(words <= sections.flat().length);
  }
});

Deno.test("what does not repeat stays as it is; indices go up, down and in steps", () => {
  const odd = ["let a0 = x[0];", "let b = a0 + x[1];", "y[3] = b;"];
  assertEquals(rolledLines([odd], () => "f32"), { sections: [odd], words: 0 });
  const lines = Array.from({ length: 40 }, (_, i) => `y[${i}] = x[${2 * i + 1}] - x[${90 - i}];`);
  const { sections: [rolled] } = rolledLines([lines], () => "f32");
  assertEquals(rolled, [
    "for (var i0 = 0u; i0 < 40u; i0++) {",
    "  y[0u + i0] = x[1u + 2u * i0] - x[90u - i0];",
    "}",
  ]);
  // Literals of their own stay where they are.
  const own = Array.from({ length: 30 }, (_, i) => `y[${i}] = bitcast<f32>(0x${i + 10}u);`);
  assertEquals(rolledLines([own], () => "f32").sections, [own]);
  // Numbers in the names of types and literals are no indices.
  const casts = Array.from({ length: 30 }, (_, i) => `y[${i}] = vec2<u32>(0x3f000000u, 2u).x;`);
  assertEquals(
    rolledLines([casts], () => "f32").sections[0][1],
    "  y[0u + i0] = vec2<u32>(0x3f000000u, 2u).x;",
  );
});
