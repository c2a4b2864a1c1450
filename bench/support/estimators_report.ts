/**
 * The results of `bench/estimators.ts`, as a page and a picture.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { compose, panel } from "../../show/plot.ts";

/** A comparison of an estimator's gradients, with a given number of directions, with the exact one. */
export interface Estimate {
  /** Name of the estimator. */
  readonly name: string;
  /** Number of directions per gradient. */
  readonly queries: number;
  /** Number of forward passes per gradient. A tangent counts as one. */
  readonly forwards: number;
  /** Number of gradients over which the cosine is averaged. */
  readonly draws: number;
  /** Mean cosine with the exact gradient of the same batch. */
  readonly cosine: number;
  /** Slope of a regression of its derivatives on the exact ones along the same directions. 1 without bias. */
  readonly slope?: number;
  /** Root mean square error of its derivatives, relative to the root mean square of the exact ones. */
  readonly error?: number;
  /** Number of offsets. */
  readonly dimension: number;
}

/** The part of a gradient for one kind of tensor. */
export interface KindRow {
  /** Kind of the tensors. */
  readonly kind: string;
  /** Number of their offsets. */
  readonly dimension: number;
  /** Fraction of the exact gradient's squared norm. */
  readonly share: number;
  /** Cosine of spsa's gradient from 16 directions with the exact one. */
  readonly cosine: number;
  /** Cosine of the batch's gradient with that of the other batches. */
  readonly batches: number;
}

/** Losses after a move of the offsets. */
export interface Move {
  /** Direction of descent. */
  readonly direction: string;
  /** Root mean square of the change of an offset. */
  readonly length: number;
  /** Loss of the batch. */
  readonly own: number;
  /** Loss of the other batches. */
  readonly others: number;
}

/** A model at a point of its training. */
export interface EstimatorsRow {
  readonly model: string;
  readonly step: number;
  /** Number of trained offsets. */
  readonly scalars: number;
  /** Norm of the batch's exact gradient. */
  readonly norm: number;
  readonly batches: {
    /** Mean cosine of the gradients of two batches. */
    readonly cosine: number;
    /** Cosine of the batch's gradient with the mean gradient of the others. */
    readonly withOthers: number;
    /** Unbiased estimate of the squared norm of the gradient common to all batches. */
    readonly signal: number;
    /** Mean squared norm of the gradient of one batch. */
    readonly power: number;
  };
  readonly estimates: readonly Estimate[];
  /** Relative error of spsa's derivatives, by epsilon. */
  readonly curvature: readonly { readonly epsilon: number; readonly error: number }[];
  readonly kinds: readonly KindRow[];
  readonly before: Pick<Move, "own" | "others">;
  readonly moves: readonly Move[];
  /** Estimates with one offset per row. Only before training. */
  readonly rows?: readonly Estimate[];
  readonly machine: string;
}

/** Settings of the measurements, for the page. */
export interface EstimatorsSettings {
  readonly format: string;
  readonly batch: number;
  readonly batches: number;
  readonly trained: number;
  readonly rate: number;
  readonly epsilon: number;
  readonly plus: number;
}

/** Expected cosine of a gradient in `dimension` dimensions with its estimate from `queries` random directions. */
export function expectedCosine(queries: number, dimension: number): number {
  // Mean norm of q standard normal numbers, by q: 0.80, 1.25, 1.60, 1.88 ...
  let length = Math.sqrt(2 / Math.PI);
  for (let q = 1; q < queries; q++) length = q / length;
  return length / Math.sqrt(dimension + queries + 1);
}

const number = (x: number, digits = 4): string => x.toFixed(digits);
const percent = (x: number | undefined): string =>
  x === undefined ? "" : `${Number((100 * x).toPrecision(2))} %`;

function estimatesTable(rows: readonly EstimatorsRow[]): string[] {
  const lines = rows.filter(({ step }) => step === 0).flatMap(({ model, estimates, rows = [] }) =>
    [...estimates, ...rows].map((it) =>
      `| ${model} | ${it.name} | ${it.queries} | ${it.forwards} | ${number(it.cosine)} | ${
        number(expectedCosine(it.queries, it.dimension))
      } | ${it.slope === undefined ? "" : number(it.slope, 3)} | ${percent(it.error)} |`
    )
  );
  return [
    "| model | estimator | directions | forwards | cosine | in theory | slope of derivatives | their error |",
    "|---|---|---|---|---|---|---|---|",
    ...lines,
  ];
}

function trainingTable(rows: readonly EstimatorsRow[]): string[] {
  const lines = rows.map(
    ({ model, step, scalars, norm, batches, estimates, curvature, before }) => {
      const cosines = estimates.filter(({ name }) => name === "spsa").map(({ cosine }) =>
        number(cosine)
      );
      return `| ${model} | ${step} | ${before.others.toFixed(3)} | ${scalars} | ${
        norm.toFixed(3)
      } | ${cosines.join(" / ")} | ${number(batches.cosine, 2)} | ${
        number(batches.withOthers, 2)
      } | ${curvature.map(({ error }) => percent(error)).join(" / ")} |`;
    },
  );
  const epsilons = rows[0]?.curvature.map(({ epsilon }) => epsilon).join(" / ") ?? "";
  return [
    `| model | step | loss | offsets | norm of the gradient | cosine of spsa, 1 / 4 / 16 directions | of two batches' gradients | of a batch's with the others' together | error of spsa's derivatives at ε ${epsilons} |`,
    "|---|---|---|---|---|---|---|---|---|",
    ...lines,
  ];
}

function kindsTable(rows: readonly EstimatorsRow[]): string[] {
  return [
    "| model | kind | offsets | share of the gradient's square | cosine of spsa, 16 directions | in theory | of a batch's gradient with the others' |",
    "|---|---|---|---|---|---|---|",
    ...rows.filter(({ step }) => step === 0).flatMap(({ model, kinds }) =>
      kinds.map(({ kind, dimension, share, cosine, batches }) =>
        `| ${model} | ${kind} | ${dimension} | ${percent(share)} | ${number(cosine)} | ${
          number(Math.sqrt(share) * expectedCosine(16, dimension))
        } | ${number(batches, 2)} |`
      )
    ),
  ];
}

function movesTable(rows: readonly EstimatorsRow[]): string[] {
  const lengths = rows[0] ? [...new Set(rows[0].moves.map(({ length }) => length))] : [];
  const lines = rows.flatMap(({ model, step, before, moves }) =>
    [...new Set(moves.map(({ direction }) => direction))].map((direction) => {
      const cells = moves.filter((move) => move.direction === direction).map(({ own, others }) =>
        `${signed(own - before.own)}, ${signed(others - before.others)}`
      );
      return `| ${model} | ${step} | ${direction} | ${cells.join(" | ")} |`;
    })
  );
  return [
    `| model | step | downwards along | ${
      lengths.map((length) => `by ${100 * length} %`).join(" | ")
    } |`,
    `|---|---|---|${lengths.map(() => "---|").join("")}`,
    ...lines,
  ];
}

/** Describes what limits training without gradients, by the figures of one model before training. */
function limits(
  { model, scalars, estimates, batches, kinds, curvature, before, moves }: EstimatorsRow,
): string {
  const of = (name: string, queries: number) =>
    estimates.find((it) => it.name === name && it.queries === queries)!;
  const [one, sixteen] = [of("spsa", 1), of("spsa", 16)];
  const best = (direction: string) =>
    moves.filter((move) => move.direction === direction)
      .reduce((a, b) => b.others < a.others ? b : a);
  const [exact, guessed] = [best("exact gradient of the batch"), best("spsa of 16 directions")];
  const wanted = Number((batches.cosine ** 2 * scalars).toPrecision(2));
  const steepest = kinds.toSorted((a, b) => b.share / b.dimension - a.share / a.dimension)[0];
  const gain = Math.sqrt(steepest.share / steepest.dimension * scalars);
  const last = curvature.at(-1)!;
  const fall = (move: Move) =>
    `${signed(move.others - before.others)} at ${100 * move.length} % (${
      signed(move.own - before.own)
    } on the batch itself)`;
  return [
    `- \`${model}\`, ${scalars} scales. **Variance**: the two forwards of one direction give a cosine of ${
      number(one.cosine)
    }, and ${sixteen.forwards} forwards one of ${number(sixteen.cosine)}.`,
    `  **Batch noise**: gradients of two batches have a cosine of ${number(batches.cosine, 2)}, ${
      Math.round(batches.cosine / one.cosine)
    } times that of one direction; an estimate that is as good takes about ${wanted} directions.`,
    `  **Curvature**: differences of losses are ${
      percent(one.error)
    } from the exact derivative, and ${
      percent(last.error)
    } at ε ${last.epsilon}. **Along the direction itself** the loss of other batches changes by ${
      fall(exact)
    } along the exact gradient, and by ${
      fall(guessed)
    } along the estimate of 16 directions: the best of the lengths tried.`,
    `  **By kind**: ${steepest.kind} has the steepest slope per offset, ${
      percent(steepest.share)
    } of the gradient's square in ${steepest.dimension} offsets; looking along it alone makes the cosine with the whole gradient ${
      gain.toFixed(1)
    } times as large, which is the most that any gain by kind can do.`,
  ].join("\n");
}

const signed = (x: number): string => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(4)}`;

const COLOURS = ["#4269d0", "#e4572e", "#3b8c5a"];

/** A picture of cosines against the number of directions, measured and expected, and of the cosine between the gradients of two batches. */
function pictureOf(rows: readonly EstimatorsRow[]): string | undefined {
  const first = rows.filter(({ step }) => step === 0);
  if (first.length === 0) return undefined;
  const width = 800;
  const directions = [1, 4, 16, 64, 256, 1024];
  const marks = first.flatMap(({ model, scalars, estimates, batches }, i): Plot.Markish[] => {
    const stroke = COLOURS[i % COLOURS.length];
    const theory = directions.map((q) => ({ q, cosine: expectedCosine(q, scalars) }));
    const measured = estimates.filter(({ name }) => name === "spsa").map((it) => ({
      q: it.queries,
      cosine: it.cosine,
      model,
    }));
    return [
      Plot.lineY(theory, { x: "q", y: "cosine", stroke, strokeOpacity: 0.6 }),
      Plot.dot(measured, { x: "q", y: "cosine", r: 4, fill: stroke }),
      Plot.ruleY([batches.cosine], { stroke, strokeDasharray: "4 3" }),
    ];
  });
  return compose(
    width,
    "Cosine with the exact gradient at the start: spsa (dots) and theory; dashed: of two batches",
    first.map(({ model }, i) => [model, COLOURS[i % COLOURS.length]]),
    [panel({
      width,
      height: 320,
      x: { type: "log", label: "directions", ticks: directions, tickFormat: "d" },
      y: { type: "log", label: "cosine", grid: true, tickFormat: (it: number) => `${it}` },
      marks,
    })],
  );
}

/** The page and the picture. */
export function estimatorsReport(
  rows: readonly EstimatorsRow[],
  { format, batch, batches, trained, rate, epsilon, plus }: EstimatorsSettings,
): { readonly text: string; readonly picture: string | undefined } {
  const sorted = rows.toSorted((a, b) => a.model.localeCompare(b.model) || a.step - b.step);
  const picture = pictureOf(sorted);
  const text = [
    "# How good estimates of the gradient are",
    "",
    `\`deno task bench estimators\` (resumable, [rows](estimators.jsonl)). Models at ${format} on SST-2 with MeZO's prompt, scales trained with relative offsets; batches of ${batch} training examples that are`,
    `not trained on; points before training and after steps of \`qzoNormalised\` (batches of ${trained}, learning rate ${rate}). The exact gradient is that of the same batch by reverse mode. ε is ${epsilon} where`,
    `nothing is said, and ${plus} with an offset a row, as in \`qzoPlus\`. A tangent counts as a forward.`,
    "",
    ...new Set(sorted.map(({ machine }) => machine)),
    "",
    ...picture ? ["![cosines](estimators.svg)", ""] : [],
    "## At the start",
    "",
    "Theory: the part of a gradient that lies in the span of q random directions among d, 0.80/√d for one. The slope is that of the estimator's derivatives over the exact ones",
    "(1: no bias), their error is in root mean squares of the exact ones. Dividing by a running root mean square, as `qzoNormalised` does, changes no direction.",
    "",
    ...estimatesTable(sorted),
    "",
    "By kind of tensor. A derivative is of all tensors at once, so a kind has the noise of the others too: in theory its cosine is that of its own offsets times the root of",
    "its share.",
    "",
    ...kindsTable(sorted),
    "",
    "## Over training",
    "",
    ...trainingTable(sorted),
    "",
    "## What a step brings",
    "",
    `Change of the loss, of the batch and of the ${
      batches - 1
    } other batches, where all offsets are moved along a direction until their root mean square has changed by so much.`,
    "",
    ...movesTable(sorted),
    "",
    "## What limits training without gradients",
    "",
    "At equal forwards, the variance of the estimate: two forwards have a cosine of 0.002 to 0.003 with the gradient of the very batch, which is what theory says. Curvature is no limit: exact derivatives give",
    "the same cosine as differences of losses, to 0.0001, and along an estimate the batch's loss falls on to the longest move tried. (The error of differences on OPT does not vanish with ε; its ReLU has kinks.)",
    "Batches come next. On the Llama and OPT models two batches of 8 agree far better (0.6) than an estimate does with its own. On RoBERTa they hardly agree (0.06), and the first pulls against the",
    "others (−0.67), so that a step along the exact gradient of 8 examples makes their loss worse: larger batches come before better estimates there.",
    "",
    "Over training the estimates stay as they are (0.002 to 0.003 for one direction after 50 and after 200 steps, on all three models), and batches part: after 50 steps the gradients of two batches of 8 have a",
    "cosine of −0.04 to 0.07 on every model, and a step along the exact gradient of one makes the loss of the others worse at each length tried. What batches agree on is learnt first; from then on batch noise limits",
    "as much as the estimate does, and exact gradients need it averaged (larger batches, momentum) as well.",
    "",
    ...sorted.filter(({ step }) => step === 0).map(limits),
    "",
    "How far scales reach is seen from [exact Adam on them](finetune.md#exact-gradients), which goes six times as far on the stories in 80 steps as 640 forwards of `qzoNormalised`.",
    "",
    "## What that says about a better qzoPlus",
    "",
    "All estimators look along the same 16 directions (Rademacher and rows: others), and one such set is off the theory by about a fifth. Within that, every estimate along directions that know nothing of the",
    "gradient has the cosine of theory, whatever is done to its derivatives: `forwardGradient`, which has no bias, is within 0.0001 of `spsa`; Rademacher directions, a normalised derivative or one around a mean",
    "are no better, and signs are worse. What can be gained at equal forwards is what `qzoPlus` has already: one-sided branches, as good as two-sided ones for half the forwards, and fewer offsets (one a row),",
    "about three times the cosine, in their own space. A control variate does not help: around the gradient of another batch, 16 directions are 6 to 9 % better, while two batches' gradients have a cosine of 0.6",
    "on the Llama and OPT models: whoever has one had better follow it. So no change of estimate alone makes a better `qzoPlus` on these models; a successor would have to look along fewer offsets, such as those of the kind",
    "with the steepest slopes (at most 1.7 to 4 times the cosine), or take its directions from exact gradients.",
    "",
  ].join("\n");
  return { text, picture };
}
