/**
 * Momentum and Adam without a moment per element: rebuilt from the last steps' seeds and derivatives.
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
  /** Share of the momentum that a step keeps, above 0 and below 1; 0.9 by default. */
  readonly decay?: number;
  /** Steps remembered; 32 by default, where 0.9 has fallen to 3 %. Each costs a hash per offset and step. */
  readonly length?: number;
  /** Directions of a step; 1 by default. */
  readonly directions?: number;
}

/** Arguments of {@linkcode adamFromSeeds}. */
export interface AdamFromSeedsOptions extends MomentumFromSeedsOptions {
  /** Share of the second moment that a step keeps, above 0 and below 1; 0.999 by default. */
  readonly secondDecay?: number;
  /** Added to the root of the second moment; 1e-8 by default. */
  readonly epsilon?: number;
}

/** Coefficients that a ledger's record may have. */
const mostMoves = 1024;

/** The options of a rule, defaults filled in: how far it may reach back depends on how many directions it has. */
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

/** Powers of the decay that are constants of the program; more are host scalars, as a text that names each compiles for minutes. */
const mostConstants = 64;

/** `decay` to the power of an age, by age from 1 on, as host scalars: none where they are constants. */
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
 * Momentum, `b_t = decay b_{t-1} + d_t z_t`, cut after `length` steps and never stored: a step moves along the directions
 * of the last `length` steps, each made again from its seed, by `decay^j d_{t-j}`. What is cut is `decay^length` of the sum.
 *
 * State are the derivatives of the last steps, scalars all; offsets move by the plain rule, so a replay gives the same
 * bits on every adapter, which stored moments cannot. The price is `length` hashes an offset instead of one (32
 * steps made an update of a million offsets take 8 times as long on a software adapter), and a ledger record of 7 bytes a
 * remembered step.
 *
 * Source: MeZO (arXiv 2305.17333, appendix B.2) for recomputing moments from the history.
 *
 * @example Half of what was before
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
 * Adam's step from seeds: the first moment as in {@linkcode momentumFromSeeds} with Adam's `1 - decay` and bias
 * correction; the second as one scalar, `v = b v + (1 - b) sum(d^2) / directions^2`.
 *
 * With one Rademacher direction a step `z^2 = 1`, so `v` is every element's second moment: up to the cut this **is** Adam.
 * With other directions it is the mean of Adam's `v` over the directions' law.
 *
 * Source: Kingma and Ba (arXiv 1412.6980); for zeroth-order training MeZO (arXiv 2305.17333, appendix B.2) and
 * ZO-Bench's ZO-Adam, both with stored or replayed moments per element.
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
