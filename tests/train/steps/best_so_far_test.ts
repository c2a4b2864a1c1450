/**
 * Which evaluation is the best: accuracies that chance could tell apart do not decide, losses do.
 */
import { assertEquals } from "@std/assert";
import { accuracy } from "../../../tasks/mod.ts";
import { bestEvaluation, type RunEvent } from "../../../train/runs/run_folder.ts";
import { BestSoFar } from "../../../train/steps/best_so_far.ts";

/** Which of evaluations of 100 examples, as [right ones, loss], were the best as they came. */
function bestOf(looks: readonly (readonly [number | undefined, number])[]): number[] {
  const best = new BestSoFar();
  return looks.flatMap(([correct, loss], i) =>
    best.add({ correct, loss, examples: 100 }) ? [i] : []
  );
}

Deno.test("within the interval of the highest accuracy the loss decides", () => {
  // 70 of 100 has an interval from 60.4 to 78.1 %.
  const right = Array.from({ length: 100 }, (_, i) => i < 70 ? 1 : 0);
  const { low } = accuracy(right, new Array(100).fill(1));
  assertEquals(Math.round(low * 1000), 604);
  assertEquals(bestOf([[70, 0.6], [61, 0.5]]), [0, 1]);
  assertEquals(bestOf([[70, 0.6], [60, 0.5]]), [0]);
  assertEquals(bestOf([[70, 0.6], [75, 0.7]]), [0]);
});

Deno.test("an accuracy that is higher beyond the interval is better whatever its loss", () => {
  assertEquals(bestOf([[52, 0.69], [80, 0.75]]), [0, 1]);
  // From step to step no accuracy is given up for a loss: the highest one counts, not the last best.
  assertEquals(bestOf([[80, 0.6], [72, 0.5], [66, 0.4]]), [0, 1]);
});

Deno.test("of equals the earlier; without accuracies the lowest loss", () => {
  assertEquals(bestOf([[50, 0.6], [50, 0.6]]), [0]);
  assertEquals(bestOf([[undefined, 4.1], [undefined, 4.3], [undefined, 4.0]]), [0, 2]);
});

Deno.test("a run's metrics name the same one", () => {
  const event = (step: number, correct: number, loss: number): RunEvent => ({
    ...{ type: "evaluation", step, correct, loss, examples: 100, accuracy: correct / 100 },
    best: false,
  });
  const events = [event(0, 52, 0.8), event(4, 71, 0.62), event(8, 68, 0.58), event(12, 72, 0.6)];
  assertEquals(bestEvaluation(events)?.step, 8);
  assertEquals(bestEvaluation([]), undefined);
});
