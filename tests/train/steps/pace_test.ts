import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readMetrics } from "../../../train/mod.ts";
import { Pace } from "../../../train/steps/pace.ts";
import { capture } from "../../cli/capture.ts";
import { runCli } from "../../cli/run_cli.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";

const chunk = (steps: number, milliseconds: number) => ({
  steps,
  tokens: 100 * steps,
  milliseconds,
});

Deno.test("pace: tokens since the first step over the seconds since it, however chunks are told of", () => {
  const pace = new Pace();
  // Compiles for two seconds.
  assertEquals(pace.add(chunk(1, 2000))(0), {
    seconds: 0,
    tokensPerSecond: 50,
    millisecondsPerStep: 2000,
  });
  const second = pace.add(chunk(4, 400));
  assertEquals(second(3), { seconds: 0.4, tokensPerSecond: 1000, millisecondsPerStep: 100 });
  // The time of steps within a chunk is shared out: the first of them did not take all of it.
  assertAlmostEquals(second(0).seconds, 0.1, 1e-12);
  // The last chunk was done when the one before it was told of: its own speed would be 400,000 tokens a second.
  const last = pace.add(chunk(4, 1))(3);
  assertAlmostEquals(last.tokensPerSecond, 800 / 0.401, 1e-6);
  assertAlmostEquals(last.seconds, 0.401, 1e-12);
});

Deno.test("pace: a run's metrics have the running mean, and its first evaluation shows itself without a terminal", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder);
    const terminal = capture();
    assertEquals(
      await runCli(["finetune", config, "--steps", "40"], { terminal }),
      0,
      terminal.noted,
    );
    const lines = terminal.noted.split("\n");
    const evaluating = lines.indexOf("Evaluating held-out examples before the first step: 0 of 8");
    const evaluated = lines.findIndex((line) => line.startsWith("step 0  held-out loss"));
    assert(evaluating >= 0 && evaluating < evaluated, terminal.noted);
    // The first line knows neither speed nor time left, the last no time left.
    const steps = lines.filter((line) => /^\d+\/40 /.test(line));
    assert(
      /^1\/40 +loss \S+ +held-out accuracy \S+ % +(\d+ s elapsed +)?\S+ \S+ GPU memory$/.test(
        steps[0],
      ),
      steps[0],
    );
    assert(
      /^40\/40 .* tokens\/s +(\d+ s elapsed +)?\S+ \S+ GPU memory$/.test(steps.at(-1)!),
      steps.at(-1),
    );
    const events = (await readMetrics(join(folder, "run", "metrics.jsonl")))
      .filter((it) => it.type === "step");
    // A mean moves little, even in the last chunk.
    const speeds = events.slice(20).map(({ tokensPerSecond }) => tokensPerSecond);
    assert(Math.max(...speeds) < 5 * Math.min(...speeds), speeds.join(" "));
    const shown = Number(/(\d+) tokens\/s/.exec(steps.at(-1)!)![1]);
    assertEquals(shown, Math.round(speeds.at(-1)!));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
