/**
 * What a run's folder says of what was run, after commands typed in another folder than the program's.
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { parse } from "@std/yaml";
import {
  configToYaml,
  optimiserOfConfig,
  parseTrainConfig,
  readMetrics,
} from "../../../train/mod.ts";
import { namedOptimisers, optimiserNames } from "../../../optim/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed } from "../typed.ts";

async function qzo(cwd: string, ...args: string[]): Promise<string> {
  const { code, noted } = await typed(cwd, ...args);
  assertEquals(code, 0, noted);
  return noted;
}

/** The same of an optimiser, by the names that configurations have. */
interface Resolved extends Record<string, unknown> {
  readonly learning_rate: number;
  readonly epsilon: number;
  readonly parts: { readonly transformations: readonly { readonly name: string }[] };
}

const resolvedOf = (yaml: string): Resolved =>
  (parse(yaml) as { resolved: { optimiser: Resolved } }).resolved.optimiser;

Deno.test("config.yaml says rates, epsilon, clip and schedule as used; metrics have time and learning rate; runs go on, old ones too", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await qzo(
      folder,
      ...["finetune", "tiny.yaml", "--optimiser.schedule.kind", "linear", "--output", "mine"],
    );
    const config = join(folder, "mine", "config.yaml");
    const metrics = join(folder, "mine", "metrics.jsonl");
    const { parts, ...said } = resolvedOf(await Deno.readTextFile(config));
    assertEquals(said, {
      name: "qzoNormalised",
      epsilon: 0.02,
      learning_rate: 0.008,
      schedule: { kind: "linear", total: 6, warmup: 0, end: 0 },
      decay: 0.99,
      clip: 3,
      queries: 1,
      form: "relative",
      projection: "keep-sign",
      distribution: "normal",
      span: "block",
    });
    assertEquals(parts.transformations[0].name, "normaliseByRms");

    const steps = (await readMetrics(metrics)).filter((it) => it.type === "step");
    assertEquals(steps.length, 6);
    steps.forEach(({ step, learningRate, seconds, time }, i) => {
      assertAlmostEquals(learningRate!, 0.008 * (1 - (step - 1) / 6), 1e-12);
      assert(seconds! >= (steps[i - 1]?.seconds ?? 0), `step ${step}`);
      assert(Math.abs(Date.now() - Date.parse(time!)) < 600_000 && time!.endsWith("Z"), time);
      assert(time! >= (steps[i - 1]?.time ?? ""));
    });
    const evaluations = (await readMetrics(metrics)).filter((it) => it.type === "evaluation");
    assert(evaluations.every(({ time, seconds }) => Date.parse(time!) > 0 && seconds! > 0));

    // A second session of the same run; one from before such lines were written goes on as well.
    await qzo(folder, "finetune", "mine", "--resume");
    const old = (await Deno.readTextFile(config)).split("# What was used")[0];
    await Deno.writeTextFile(config, old);
    const lines = (await Deno.readTextFile(metrics)).trimEnd().split("\n").map((line) => {
      const { time: _t, seconds: _s, learningRate: _r, ...rest } = JSON.parse(line);
      return JSON.stringify(rest);
    });
    await Deno.writeTextFile(metrics, lines.join("\n") + "\n");
    await qzo(folder, "finetune", "mine", "--resume");
    assertStringIncludes(await Deno.readTextFile(config), "resolved:");
    // What is said is not read: the keys above it count.
    const yaml = await Deno.readTextFile(config);
    assertEquals(parseTrainConfig(yaml, "a.yaml"), parseTrainConfig(old, "b.yaml"));
  });
});

Deno.test("every optimiser says what it used, and its folder is read again", () => {
  for (const name of optimiserNames) {
    for (const more of ["", ", accumulate: 2, learning_rate: 0.25", ", epsilon: 0.125"]) {
      const optimiser = `optimiser: {name: ${name}${more}}`;
      const config = parseTrainConfig(`model: a.gguf\nsteps: 8\n${optimiser}`, "a.yaml");
      // Exact derivatives have no epsilon, and one that is given is refused.
      const { tangents, exact: gradients, parameters } = namedOptimisers[name]().estimator;
      // A gradient may stand beside differences of losses.
      const differs = JSON.stringify(parameters).includes('"epsilon"');
      const exact = tangents || gradients && !differs;
      if (exact && more.includes("epsilon")) {
        assertThrows(() => optimiserOfConfig(config), RangeError, `${name} are exact`);
        continue;
      }
      // A gradient beside noise does not add up over steps.
      const mixed = gradients && namedOptimisers[name]().estimator.directions > 1;
      if (mixed && more.includes("accumulate")) {
        assertThrows(() => optimiserOfConfig(config), RangeError, "accumulate");
        continue;
      }
      const made = optimiserOfConfig(config);
      const yaml = configToYaml(config, made);
      const said = resolvedOf(yaml);
      // A gradient beside noise is no query.
      const { directions } = made.estimator;
      const queries = gradients && directions > 1 ? directions - 1 : directions;
      assertEquals([said.name, said.queries], [name, queries]);
      assert(
        said.learning_rate > 0 && (exact ? said.epsilon === undefined : said.epsilon > 0),
        yaml,
      );
      if (more.includes("rate")) assertEquals(said.learning_rate, 0.25, name);
      if (more.includes("epsilon")) assertEquals(said.epsilon, 0.125, name);
      assertEquals<unknown>(said.parts, JSON.parse(JSON.stringify(made.describe())));
      assertEquals(parseTrainConfig(yaml, "b.yaml"), config);
    }
  }
});
