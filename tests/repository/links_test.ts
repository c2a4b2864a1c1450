import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertInstanceOf,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli";
import { basename, fromFileUrl, join, SEPARATOR, toFileUrl } from "@std/path";
import { parse, stringify } from "@std/yaml";

// Holds with the real packages of JSR and with the stand-ins in links/ alike.

Deno.test("std stand-ins: deep equality of numbers, typed arrays and maps", () => {
  assertEquals(NaN, NaN);
  assertEquals(0, -0);
  assertEquals([[0], [1]], [[-0], [1]]);
  assertEquals(new Float32Array([0, 1]), new Float32Array([-0, 1]));
  assertNotEquals([[0], [1]], [[-0], [2]]);
  assertEquals(new Float32Array([1, NaN]), new Float32Array([1, NaN]));
  assertNotEquals<unknown>(new Float32Array([1]), new Float64Array([1]));
  assertNotEquals<unknown>(new Uint8Array([1, 2]), new Uint8Array([1, 3]));
  assertNotEquals<unknown>({ a: undefined }, {});
  assertEquals(new Map([["a", [1]]]), new Map([["a", [1]]]));
  assertThrows(() => assertEquals({ a: 1 }, { a: 2 }), AssertionError, "Values are not equal");
  assertThrows(() => assertStrictEquals(0, -0), AssertionError);
  assertThrows(() => assertAlmostEquals(1, 1.1), AssertionError);
  assertAlmostEquals(1, 1.05, 0.1);
  assertArrayIncludes([[1], [2]], [[2]]);
});

Deno.test("std stand-ins: thrown and rejected errors are returned and checked", async () => {
  const error = assertThrows(
    () => {
      throw new RangeError("value 7 is too large");
    },
    RangeError,
    "value 7",
  );
  assertInstanceOf(error, RangeError);
  assertMatch(error.message, /too large$/);
  assertThrows(
    () =>
      assertThrows(() => {
        throw new Error("x");
      }, RangeError),
    AssertionError,
  );
  assertThrows(() => assertThrows(() => 1), AssertionError, "Expected function to throw");
  const rejected = await assertRejects(() => Promise.reject(new TypeError("shape")), TypeError);
  assertEquals(rejected.message, "shape");
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject",
  );
});

Deno.test("std stand-ins: flags are typed, negated and collected only when named so", () => {
  const unknown: string[] = [];
  const flags = parseArgs(
    [
      "tune",
      "a.gguf",
      "--steps=20",
      "--seed",
      "1",
      "--seed",
      "2",
      "-v",
      "--no-bar",
      "--set",
      "a",
      "--set",
      "b",
      "--wrong=1",
    ],
    {
      string: ["steps", "seed", "set", "output"],
      boolean: ["verbose", "bar"],
      collect: ["set"],
      negatable: ["bar"],
      alias: { verbose: "v" },
      default: { bar: true },
      unknown: (arg, key) => {
        if (key === undefined) return true;
        unknown.push(arg);
        return false;
      },
    },
  );
  assertEquals(flags._, ["tune", "a.gguf"]);
  assertEquals(flags.steps, "20");
  assertEquals(flags.seed, "2");
  assertEquals(flags.set, ["a", "b"]);
  assertEquals(flags.output, undefined);
  assert(flags.verbose);
  assertEquals(flags.bar, false);
  assertEquals(unknown, ["--wrong=1"]);
});

Deno.test("std stand-ins: paths and file URLs", () => {
  const path = join(import.meta.dirname!, "x y.txt");
  assertEquals(basename(path), "x y.txt");
  assertEquals(fromFileUrl(toFileUrl(path)), path);
  assertEquals(SEPARATOR, Deno.build.os === "windows" ? "\\" : "/");
});

Deno.test("std stand-ins: YAML values and syntax errors", () => {
  assertEquals(parse("a: [1, 2.5, 1e-3]\nb: {c: yes, d: null}\n"), {
    a: [1, 2.5, 0.001],
    b: { c: "yes", d: null },
  });
  assertEquals(parse(""), null);
  assertEquals(parse(stringify({ a: ["x: y", true] })), { a: ["x: y", true] });
  assertThrows(() => parse("a: [1"), SyntaxError);
  assertThrows(() => parse("a: 1\na: 2"), SyntaxError);
});
