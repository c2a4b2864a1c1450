/**
 * A comparison of optimisers with equal numbers of forward passes, as described in a YAML file.
 *
 * @module
 */
import { join } from "@std/path";
import { custom, type Field, number, type Place, refusal, section, text } from "../config/field.ts";
import { optimiserOfConfig } from "../config/optimiser.ts";
import { readTrainConfig, type TrainConfig } from "../config/schema.ts";
import { pathFrom, type PathOptions, withPathsFrom } from "../config/paths.ts";
import { parseYaml } from "../config/parse_yaml.ts";

/** A comparison of optimisers. */
export interface Benchmark {
  /** Folder for the runs, the table and the curves. */
  readonly output: string;
  /** Number of forward passes of every run. It determines the number of steps. */
  readonly forwards: number;
  /** Number of held-out evaluations per run, not counting the one at the start. */
  readonly evaluations: number;
  /** Number of final runs with the chosen learning rate, with seeds from 1. Seed 0 is used to choose the learning rate. */
  readonly seeds: number;
  /** Names of the cases, in order. */
  readonly cases: readonly string[];
  /** Names of the optimisers, in order. The others are compared with the first. */
  readonly optimisers: readonly string[];
  /** Learning rates to choose from. Empty if the optimiser's default is used; a single rate needs no choice. */
  learningRates(optimiser: string): readonly number[];
  /**
   * The configuration of one run.
   *
   * @throws {RangeError | TypeError} for keys or values that a fine-tune does not accept.
   */
  job(options: Omit<BenchmarkJob, "config">): BenchmarkJob;
}

/** One run of a comparison. */
export interface BenchmarkJob {
  /** Name of the case, which gives model and data. */
  readonly case: string;
  /** Name of the optimiser. */
  readonly optimiser: string;
  /** Learning rate. Undefined for the optimiser's default. */
  readonly learningRate: number | undefined;
  /** Seed of the noise and of the order of examples. */
  readonly seed: number;
  /** Configuration of the run, including its folder. */
  readonly config: TrainConfig;
}

type Section = Readonly<Record<string, unknown>>;

interface Parsed {
  readonly output: string;
  readonly forwards: number;
  readonly evaluations: number;
  readonly seeds: number;
  readonly cases: ReadonlyMap<string, Section> | undefined;
  readonly optimisers: ReadonlyMap<string, Section> | undefined;
}

const whole = { min: 1, max: 1e6, whole: true };

const schema: Field<Parsed> = section<Parsed>("A comparison of optimisers", {
  output: text("folder of the runs, the table and the curves", "runs/optimisers"),
  forwards: number("forwards of every run", whole, 640),
  evaluations: number("held-out evaluations of a run, after the first", whole, 8),
  seeds: number(
    "runs of a finalist; plus one, with seed 0, for each learning rate",
    { ...whole, min: 0 },
    5,
  ),
  cases: custom(
    "model, data and batch: the same sections as for a fine-tune",
    "named sections",
    sections,
  ),
  optimisers: custom(
    "sections like a fine-tune's optimiser, which may include trainables; from a list of learning rates, the best is chosen",
    "named sections",
    sections,
  ),
});

// Names become folders: one made of dots alone would lead out of the output folder.
const NAME = /^(?!\.+$)[\w.+ -]{1,60}$/;

function sections(value: unknown, place: Place): ReadonlyMap<string, Section> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > 100) {
    throw new RangeError(refusal(place, value, "1 to 100 named sections"));
  }
  return new Map(entries.map(([name, inner]) => {
    if (!NAME.test(name)) {
      throw new RangeError(refusal(place, name, "names of letters, digits, spaces, . + - and _"));
    }
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) {
      throw new TypeError(refusal({ ...place, path: [...place.path, name] }, inner, "a section"));
    }
    return [name, inner as Section];
  }));
}

/** The folder of a run, within that of the comparison. */
function folderOf({ case: name, optimiser, learningRate, seed }: Omit<BenchmarkJob, "config">) {
  const rate = learningRate === undefined ? "default" : String(learningRate);
  return [name, optimiser, `lr ${rate} seed ${seed}`].map((part) => part.replaceAll(" ", "-"));
}

/**
 * Reads a comparison. Every run is a fine-tune with the settings of a case, and an optimiser with one of its learning rates.
 *
 * @param name Name of the file, for messages.
 * @param options Base of relative paths.
 * @throws {SyntaxError} when the text is not YAML.
 * @throws {RangeError | TypeError} for unknown keys, values out of range, or settings that are not valid for a fine-tune.
 *
 * @example Two optimisers on one case
 * ```ts
 * import { parseBenchmark } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const benchmark = parseBenchmark(`
 * forwards: 320
 * cases: {reviews: {model: a.gguf, task: sst2, batch_size: 8}}
 * optimisers:
 *   qzo: {name: qzoNormalised, learning_rate: [4e-3, 1e-2]}
 *   sixteen branches: {name: qzoPlus, queries: 16}
 * `, "a.yaml");
 * assertEquals(benchmark.learningRates("qzo"), [4e-3, 1e-2]);
 * const job = { case: "reviews", optimiser: "qzo", learningRate: 1e-2, seed: 3 };
 * assertEquals(benchmark.job(job).config.steps, 160);
 * assertEquals(benchmark.job(job).config.output, "runs/optimisers/reviews/qzo/lr-0.01-seed-3");
 * ```
 */
export function parseBenchmark(
  yaml: string,
  name: string,
  { folder }: PathOptions = {},
): Benchmark {
  const { cases, optimisers, ...given } = schema.read(parseYaml(yaml, name), {
    file: name,
    path: [],
  });
  const settings = { ...given, output: pathFrom(folder ?? "", given.output) };
  if (!cases || !optimisers) {
    throw new TypeError(`Missing key "${cases ? "optimisers" : "cases"}" in ${name}`);
  }
  const ratesOf = (optimiser: string): readonly number[] => {
    const rate = optimisers.get(optimiser)?.learning_rate;
    return rate === undefined ? [] : Array.isArray(rate) ? rate : [rate as number];
  };
  for (const [at, { optimiser }] of cases) {
    if (optimiser === undefined) continue;
    const place = { file: name, path: ["cases", at, "optimiser"] };
    throw new RangeError(refusal(place, optimiser, "it below optimisers, which all cases share"));
  }
  const job = (wanted: Omit<BenchmarkJob, "config">): BenchmarkJob => {
    const { learning_rate: _, trainables, ...inner } = optimisers.get(wanted.optimiser) ?? {};
    const rate = wanted.learningRate;
    const place = `${name}, ${wanted.case} with ${wanted.optimiser}`;
    const read = (steps: number, evaluateEvery: number) =>
      readTrainConfig({
        ...(folder === undefined
          ? cases.get(wanted.case)
          : withPathsFrom(cases.get(wanted.case) ?? {}, folder)),
        ...(trainables === undefined ? {} : { trainables }),
        optimiser: { ...inner, ...(rate === undefined ? {} : { learning_rate: rate }) },
        seed: wanted.seed,
        steps,
        evaluate_every: evaluateEvery,
        output: join(settings.output, ...folderOf(wanted)),
      }, place);
    // A warm-up must fit the number of steps, which follows from the number of forward passes.
    const { evaluations } = optimiserOfConfig(read(settings.forwards, 0));
    const steps = Math.max(1, Math.round(settings.forwards / evaluations));
    return { ...wanted, config: read(steps, Math.ceil(steps / settings.evaluations)) };
  };
  // Reject what cannot run before anything runs.
  for (const optimiser of optimisers.keys()) {
    for (const at of cases.keys()) {
      const rates = ratesOf(optimiser);
      for (const learningRate of rates.length > 0 ? rates : [undefined]) {
        job({ case: at, optimiser, learningRate, seed: 0 });
      }
    }
  }
  return {
    ...settings,
    cases: [...cases.keys()],
    optimisers: [...optimisers.keys()],
    learningRates: ratesOf,
    job,
  };
}
