/**
 * Momentum and Adam without a moment per element: they are recomputed from the seeds and derivatives of the last steps.
 *
 * @module
 */
import {
  assertOptions,
  directions as directionsRule,
  magnitude,
  type OptionRules,
  share,
} from "../options.ts";
import type { Transformation } from "./transformation.ts";

/** Arguments of {@linkcode momentumFromSeeds}. */
export interface MomentumFromSeedsOptions {
  /** Fraction of the momentum that a step keeps, greater than 0 and less than 1. Default 0.9. */
  readonly decay?: number;
  /** Number of steps remembered. Each costs one hash per offset and step. Default 32, after which 0.9 has fallen to 3 %. */
  readonly length?: number;
  /** Directions per step. Default 1. */
  readonly directions?: number;
}

/** Arguments of {@linkcode adamFromSeeds}. */
export interface AdamFromSeedsOptions extends MomentumFromSeedsOptions {
  /** Fraction of the second moment that a step keeps, greater than 0 and less than 1. Default 0.999. */
  readonly secondDecay?: number;
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
}

/** The most coefficients in a ledger record. */
const mostMoves = 1024;

/** A rule's options with defaults filled in. The limit of `length` depends on the number of directions. */
function checked<Options extends MomentumFromSeedsOptions>(
  what: string,
  options: Options,
  more: OptionRules<Omit<Options, keyof MomentumFromSeedsOptions>>,
): Options & Required<MomentumFromSeedsOptions> {
  const { decay = 0.9, length = 32, directions = 1 } = options;
  const all = { directions, ...options, decay, length };
  assertOptions(`make ${what}`, all, {
    ...{ decay: share, directions: directionsRule },
    length: { min: 2, max: Math.floor(mostMoves / directions), whole: true },
    ...more,
  } as OptionRules<typeof all>);
  return { ...all, directions };
}

/**
 * The most powers of the decay that are constants in the program. More are passed as host scalars, because a program that names each takes
 * minutes to compile.
 */
const mostConstants = 64;

/** `decay` to the power of each age, from 1, as host scalars. Empty if they are constants. */
function powersOf(
  { decay, length }: { readonly decay: number; readonly length: number },
): number[] {
  return length - 1 <= mostConstants
    ? []
    : Array.from({ length: length - 1 }, (_, j) => decay ** (j + 1));
}

function assertDirections(values: readonly unknown[], directions: number): void {
  if (values.length === directions) return;
  throw new TypeError(
    `Cannot remember ${values.length} values: the rule was made for ${directions} directions`,
  );
}

/**
 * Momentum, `b_t = decay b_{t-1} + d_t z_t`, cut off after `length` steps and never stored. A step moves along the directions of the last
 * `length` steps, each regenerated from its seed, by `decay^j d_{t-j}`. The part that is cut off is `decay^length` of the sum.
 *
 * The state consists of the derivatives of the last steps, which are scalars. Offsets move by the plain rule, so a replay gives the same bits on
 * every adapter. The cost is `length` hashes per offset instead of one (with 32 steps, an update of a million offsets takes 8 times as long on a
 * software adapter), and 7 bytes per remembered step in each ledger record.
 *
 * Source: MeZO (arXiv 2305.17333, appendix B.2), which proposes recomputing moments from the history.
 *
 * @example Half of the previous step
 * ```ts
 * import { hostOps, momentumFromSeeds } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = momentumFromSeeds({ decay: 0.5, length: 3 });
 * let state = rule.init();
 * for (const d of [8, 4]) state = rule.update(hostOps, [d], state, []).state;
 * assertEquals(rule.update(hostOps, [1], state, []).values, [1, 2, 2]);
 * ```
 */
export function momentumFromSeeds(options: MomentumFromSeedsOptions = {}): Transformation {
  const { decay, length, directions } = checked("momentumFromSeeds", options, {});
  const powers = powersOf({ decay, length });
  return {
    name: "momentumFromSeeds",
    parameters: { decay, length, directions },
    stateSize: (length - 1) * directions,
    inputSize: powers.length,
    memory: length,
    init: () => new Array<number>((length - 1) * directions).fill(0),
    inputs: () => powers,
    update(o, values, state, inputs) {
      assertDirections(values, directions);
      const factors = powers.length > 0
        ? inputs
        : Array.from({ length: length - 1 }, (_, j) => o.constant(decay ** (j + 1)));
      const older = state.map((d, i) => o.mul(d, factors[Math.floor(i / directions)]));
      return {
        values: [...values, ...older],
        state: [...values, ...state.slice(0, state.length - directions)],
      };
    },
  };
}

/**
 * Adam from seeds. The first moment is that of {@linkcode momentumFromSeeds} with Adam's factor `1 - decay` and bias correction. The second
 * moment is a single scalar, `v = b v + (1 - b) sum(d^2) / directions^2`.
 *
 * With one Rademacher direction per step, `z^2 = 1`, so `v` is the second moment of every element: except for the cut-off, this **is** Adam.
 * With other directions, it is the mean of Adam's `v` over their distribution.
 *
 * Source: Kingma and Ba (arXiv 1412.6980); for zeroth-order training MeZO (arXiv 2305.17333, appendix B.2) and ZO-Bench's ZO-Adam, both with
 * stored or replayed moments per element.
 *
 * @example The first step has length 1
 * ```ts
 * import { adamFromSeeds, hostOps } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const rule = adamFromSeeds();
 * const { values } = rule.update(hostOps, [-40], rule.init(), rule.inputs(0));
 * assertAlmostEquals(values[0], -1, 1e-5);
 * ```
 */
export function adamFromSeeds(options: AdamFromSeedsOptions = {}): Transformation {
  const { decay, length, directions, secondDecay = 0.999, epsilon = 1e-8 } = checked(
    "adamFromSeeds",
    options,
    { secondDecay: share, epsilon: magnitude },
  );
  const powers = powersOf({ decay, length });
  return {
    name: "adamFromSeeds",
    parameters: { decay, secondDecay, epsilon, length, directions },
    power: 0,
    stateSize: 1 + (length - 1) * directions,
    inputSize: 2 + powers.length,
    memory: length,
    init: () => new Array<number>(1 + (length - 1) * directions).fill(0),
    inputs: (step) => [
      (1 - decay) / (1 - decay ** (step + 1)),
      1 / (1 - secondDecay ** (step + 1)),
      ...powers,
    ],
    update(o, values, [second, ...before], [first, correction, ...decays]) {
      assertDirections(values, directions);
      const squares = values.map((value) => o.mul(value, value));
      const sum = squares.reduce((total, square) => o.add(total, square));
      const fresh = o.mul(sum, o.constant((1 - secondDecay) / directions ** 2));
      const next = o.add(o.mul(second, o.constant(secondDecay)), fresh);
      const size = o.add(o.sqrt(o.mul(next, correction)), o.constant(epsilon));
      const factor = o.div(first, size);
      const moves = [...values, ...before].map((d, i) => {
        const age = Math.floor(i / directions);
        if (age === 0) return o.mul(d, factor);
        return o.mul(o.mul(d, decays[age - 1] ?? o.constant(decay ** age)), factor);
      });
      return {
        values: moves,
        state: [next, ...values, ...before.slice(0, before.length - directions)],
      };
    },
  };
}
