import { assertEquals, assertThrows } from "@std/assert";
import { readTask } from "../../../tasks/mod.ts";
import { parseTrainConfig, type TrainConfig } from "../../../train/config/mod.ts";
import { formatOfSplit, taskOfConfig } from "../../../train/config/task.ts";

function config(yaml: string): TrainConfig {
  return parseTrainConfig(`model: a.gguf\n${yaml}`, "t.yaml");
}

Deno.test("config task: a described task reads its data", () => {
  const task = taskOfConfig(config(`
task:
  template: "{sentence} It was{label}"
  labels: [" bad", " good"]
data: {train: a.tsv, validation: b.tsv}
`));
  assertEquals(task?.files, { train: "a.tsv", dev: "b.tsv" });
  assertEquals(task && readTask(task, "sentence\tlabel\nFine.\t1\n"), [
    { prompt: "Fine. It was", candidates: [" bad", " good"], label: 1 },
  ]);
});

Deno.test("config task: language modelling by name, or when nothing is said", () => {
  assertEquals(taskOfConfig(config("data: {train: a.txt}")), undefined);
  assertEquals(taskOfConfig(config("task: language-modelling")), undefined);
  assertEquals(formatOfSplit(config("data: {train: a.TXT}"), "a.TXT"), "paragraphs");
  assertEquals(formatOfSplit(config("task: {format: lines}"), "a.txt"), "lines");
});

Deno.test("config task: what is missing is said", () => {
  assertThrows(() => taskOfConfig(config("task: sst3")), RangeError, "sst3");
  assertThrows(
    () => taskOfConfig(config("task: {template: '{a}', labels: [x, y]}\ndata: {train: a.bin}")),
    RangeError,
    'Cannot tell the format of "a.bin"',
  );
  assertThrows(
    () => taskOfConfig(config("task: {template: '{a}'}\ndata: {train: a.tsv}")),
    TypeError,
    "labels or candidates",
  );
});
