import { assert, assertEquals } from "@std/assert";
import { begun, status } from "../../show/terminal.ts";
import { capture } from "../cli/capture.ts";
import {
  formatBytes,
  formatSeconds,
  ProgressLine,
  type ProgressState,
  renderProgress,
} from "../../show/progress.ts";

const middle: ProgressState = {
  step: 250,
  total: 1000,
  seconds: 50,
  loss: 0.69315,
  accuracy: 0.5675,
  elapsed: 61.7,
  tokensPerSecond: 4321.4,
  memory: 4.3e9,
};

Deno.test("progress: a wide line holds everything", () => {
  assertEquals(
    renderProgress(middle, 160),
    "████████░░░░░░░░░░░░░░░░░░░░░░  250/1000  loss 0.693  held-out accuracy 56.8 %  1 min 01 s elapsed  4321 tokens/s  4.3 GB GPU memory  2 min 30 s left",
  );
});

Deno.test("progress: no width is exceeded, the steps stay and the time left is kept longest", () => {
  for (let width = 0; width <= 170; width++) {
    const line = renderProgress(middle, width);
    assert(line.length <= width, `${line.length} columns of ${width}: ${line}`);
    if (width >= 8) assert(line.includes("250/1000"), line);
    if (width >= 26) assert(line.includes("left"), line);
  }
});

Deno.test("progress: nothing known yet, a finished run, a run without steps, a resumed one", () => {
  assertEquals(renderProgress({ step: 0, total: 10, seconds: 0 }, 14), "░░░░░░░░  0/10");
  assertEquals(renderProgress({ step: 10, total: 10, seconds: 9 }, 15), "████████  10/10");
  assertEquals(renderProgress({ step: 0, total: 0, seconds: 0 }, 13), "████████  0/0");
  assertEquals(
    renderProgress({ step: 60, total: 100, countedFrom: 50, seconds: 10 }, 20),
    "60/100  40 s left",
  );
  assertEquals(renderProgress({ step: 1, total: 2, seconds: 0, loss: NaN }, 16), "1/2  loss NaN");
});

Deno.test("progress: times and sizes", () => {
  assertEquals([0.2, 59, 59.5, 3599, 3600, 7500].map(formatSeconds), [
    "1 s",
    "59 s",
    "1 min 00 s",
    "59 min 59 s",
    "1 h 00 min",
    "2 h 05 min",
  ]);
  assertEquals([0, 999, 1000, 1.54e6, 999.6e6, 140e9].map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 kB",
    "1.5 MB",
    "1.0 GB",
    "140 GB",
  ]);
});

Deno.test("progress: on a terminal the line is redrawn, not too often, and log lines stand above", () => {
  let written = "";
  let now = 0;
  const line = new ProgressLine(
    { write: (text) => written += text, columns: () => 13 },
    () => now,
  );
  line.show({ step: 1, total: 9, seconds: 0 });
  now = 50;
  line.show({ step: 2, total: 9, seconds: 0 });
  line.log("note");
  now = 150;
  line.show({ step: 3, total: 9, seconds: 0 });
  now = 160;
  line.show({ step: 9, total: 9, seconds: 0 });
  line[Symbol.dispose]();
  line[Symbol.dispose]();
  assertEquals(written, "\r\x1b[K1/9\r\x1b[Knote\n1/9\r\x1b[K3/9\r\x1b[K9/9\n");
});

Deno.test("progress: elsewhere a plain line every ten seconds and at the end", () => {
  let written = "";
  let now = 0;
  using line = new ProgressLine(
    { write: (text) => written += text, columns: () => undefined },
    () => now,
  );
  for (let step = 1; step <= 25; step++) {
    now = step * 1000;
    line.show({ step, total: 25, seconds: step });
  }
  assertEquals(
    written,
    "1/25  1 s elapsed  24 s left\n11/25  11 s elapsed  14 s left\n21/25  21 s elapsed  4 s left\n25/25  25 s elapsed\n",
  );
});

Deno.test("progress: neither time left nor speed is shown before a step was timed, then evaluations to come count too", () => {
  const line = (seconds: number, secondsBeside = 0) =>
    renderProgress({
      step: 5,
      total: 15,
      countedFrom: 3,
      seconds,
      secondsBeside,
      tokensPerSecond: 7,
    }, 50);
  assertEquals(line(0), "██████████░░░░░░░░░░░░░░░░░░░░  5/15");
  assertEquals(line(4), "███████░░░░░░░░░░░░░░  5/15  7 tokens/s  20 s left");
  assertEquals(line(4, 30), "███████░░░░░░░░░░░░░░  5/15  7 tokens/s  50 s left");
  // Of the step that is counted from, nothing is known either.
  assertEquals(renderProgress({ step: 3, total: 15, countedFrom: 3, seconds: 9 }, 9), "3/15");
});

Deno.test("progress: a status is a plain line every five seconds where there is no terminal, at once where much begins", () => {
  const terminal = capture();
  for (let now = 0; now <= 14_000; now += 500) status(terminal, `${now}`, now);
  assertEquals(terminal.noted, "5000\n10000\n");
  // What is over begins anew.
  status(terminal, "", 14_500);
  status(terminal, "next", 15_100);
  assertEquals(terminal.noted, "5000\n10000\n");
  begun(terminal, "Evaluating: 0 of 9");
  assertEquals(terminal.noted, "5000\n10000\nEvaluating: 0 of 9\n");
  let drawn = "";
  const screen = {
    ...terminal,
    progress: { write: (text: string) => drawn += text, columns: () => 9 },
  };
  status(screen, "a status that is too long");
  begun(screen, "b");
  assertEquals(drawn, "\r\x1b[Ka status\r\x1b[Kb");
});
