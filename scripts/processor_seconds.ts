/**
 * Loaded before tests (`deno test --preload`): writes what each test file took of the processors to the file that `QZO_PROCESSOR_SECONDS` names,
 * as JSON. Unlike the seconds of a report they hardly depend on what else the machine does, and they count every thread of a software adapter.
 *
 * @module
 */
import process from "node:process";

const to = Deno.env.get("QZO_PROCESSOR_SECONDS")!;
const seconds: Record<string, number> = {};
const { test } = Deno;

/** Of processes that tests started and waited for; Linux alone says so. */
let children = 0;

/** Of this process, all its threads, and of its children. */
function used(): number {
  try {
    const stat = Deno.readTextFileSync("/proc/self/stat");
    const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(14, 16).map(Number);
    children = (user + system) / 100;
  } catch {
    // No Linux, or a test without the right to read.
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + children;
}

/** The test file that calls `Deno.test` now, from the root; the name of the test where it is an example (`test_modules.ts`). */
function caller(name: string): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  const path = stack.match(/file:\/\/(\S+_test\.ts)/)?.[1] ?? "";
  return path.endsWith("/examples_test.ts") ? name : path.slice(path.lastIndexOf("/tests/") + 1);
}

type Run = (t: Deno.TestContext) => void | Promise<void>;

function measured(path: string, run: Run): Run {
  return async (t) => {
    const before = used();
    try {
      await run(t);
    } finally {
      seconds[path] = (seconds[path] ?? 0) + used() - before;
    }
  };
}

/** `Deno.test` takes a name, options and a function in several orders. */
function register(...given: unknown[]): void {
  const at = given.findIndex((it) => typeof it === "function");
  const definition = (at < 0 ? given[0] : { fn: given[at] }) as { name?: string; fn: Run };
  const named = given.find((it) => typeof it === "string") as string | undefined;
  const name = named ?? (given[0] as { name?: string }).name ?? definition.fn.name;
  const fn = measured(caller(name), definition.fn);
  const args = at < 0 ? [{ ...definition, fn }] : given.with(at, fn);
  Reflect.apply(test, Deno, args);
}

Object.assign(Deno, { test: Object.assign(register, test) });
globalThis.addEventListener("unload", () => Deno.writeTextFileSync(to, JSON.stringify(seconds)));
