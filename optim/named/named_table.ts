/**
 * Named optimisers by their names, for configuration files and command lines.
 *
 * @module
 */
import type { BlockKind, BlockOrder } from "../directions/blocks.ts";
import { kerzoo } from "../estimators/kernel_smoothed.ts";
import { lozo } from "./lozo.ts";
import { mezo, type NamedOptions, qzo, qzoNormalised } from "./named.ts";
import {
  blockwiseZo,
  fzoo,
  meazo,
  sparseZo,
  threePointDescent,
  zoResidual,
  zoSgd,
  zoSgdConservative,
} from "./named_family.ts";
import { type MomentState, zoAdam, zoAdamW, zoSgdMomentum, zoSgdSign } from "./named_state.ts";
import type { Optimiser } from "../optimiser.ts";
import { mezoGreedy, mezoGv } from "../estimators/pool.ts";
import { qzoPlus } from "./qzo_plus.ts";
import { sparseMezo } from "./sparse_mezo.ts";

/** Arguments that only some named optimisers have. */
export interface ExtraOptions {
  /** Threshold of the derivative, or of the normalised one. */
  readonly clip?: number;
  /** Kept share of the running second moment. */
  readonly decay?: number;
  /** Kept share of the momentum. */
  readonly momentum?: number;
  /** Where momentum and Adam have their past. */
  readonly state?: MomentState;
  /** Steps that a momentum from seeds reaches back. */
  readonly length?: number;
  /** Share of itself that an offset loses a step, times the learning rate. */
  readonly weightDecay?: number;
  /** Share of the elements that a step leaves alone. */
  readonly sparsity?: number;
  /** Steps until other elements, or another kept factor, are drawn. */
  readonly resample?: number;
  /** Columns of the factors of a direction. */
  readonly rank?: number;
  /** Order of smoothness that the kernel of the radius is for. */
  readonly smoothness?: number;
  /** Candidates of a pool whose mean is the near end of the direction. */
  readonly top?: number;
  /** Do as the released code does where that differs from the paper. */
  readonly asReleased?: boolean;
  /** The power of a tensor's slope that its directions grow with. */
  readonly gainPower?: number;
  /** Most that a step moves an offset before the learning rate, as a root mean square. */
  readonly largest?: number;
  /** Which end of the magnitudes is trained. */
  readonly take?: "small" | "large";
  /** What a share by magnitude is of. */
  readonly budget?: "tensor" | "global";
  /** What a block is. */
  readonly blocks?: BlockKind;
  /** How many blocks there are. */
  readonly blockCount?: number;
  /** Which block has its turn. */
  readonly blockOrder?: BlockOrder;
}

/** A named optimiser and what it takes besides what all take. */
export interface NamedOptimiser {
  /** The arguments of its own. */
  readonly extras: readonly (keyof ExtraOptions)[];
  /** Whether a step may have several directions. */
  readonly queries: boolean;
  /** What its learning rate does over a run whose length is known, where nothing else is asked for; constant if absent. */
  readonly schedule?: "linear";
  /** Makes it; undefined arguments are its own defaults. */
  make(options: NamedOptions & ExtraOptions): Optimiser;
}

/** What people write to have an optimiser. */
export type OptimiserName =
  | "qzo"
  | "qzoNormalised"
  | "qzoPlus"
  | "mezo"
  | "zoSgd"
  | "zoSgdSign"
  | "zoSgdMomentum"
  | "zoAdam"
  | "zoAdamW"
  | "fzoo"
  | "meazo"
  | "sparseZo"
  | "sparseMezo"
  | "lozo"
  | "kerzoo"
  | "mezoGreedy"
  | "mezoGv"
  | "blockwiseZo"
  | "zoSgdConservative"
  | "zoResidual"
  | "threePointDescent";

/**
 * All named optimisers.
 *
 * @example By name
 * ```ts
 * import { namedOptimisers } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { extras, make } = namedOptimisers.meazo;
 * assertEquals(extras, ["decay"]);
 * assertEquals(make({ decay: 0.9 }).name, "meazo");
 * ```
 */
export const namedOptimisers: Readonly<Record<OptimiserName, NamedOptimiser>> = {
  qzo: { extras: ["clip"], queries: true, make: qzo },
  qzoNormalised: { extras: ["clip", "decay"], queries: true, make: qzoNormalised },
  qzoPlus: { extras: ["gainPower", "largest"], queries: true, schedule: "linear", make: qzoPlus },
  mezo: { extras: [], queries: true, make: mezo },
  zoSgd: { extras: [], queries: true, make: zoSgd },
  zoSgdSign: { extras: ["asReleased"], queries: true, make: zoSgdSign },
  zoSgdMomentum: { extras: ["momentum", "state", "length"], queries: true, make: zoSgdMomentum },
  zoAdam: { extras: ["momentum", "state", "length", "weightDecay"], queries: true, make: zoAdam },
  zoAdamW: { extras: ["momentum", "state", "length", "weightDecay"], queries: true, make: zoAdamW },
  fzoo: { extras: [], queries: true, make: fzoo },
  meazo: { extras: ["decay"], queries: true, make: meazo },
  sparseZo: {
    extras: ["sparsity", "resample", "budget", "asReleased"],
    queries: true,
    make: sparseZo,
  },
  sparseMezo: {
    extras: ["sparsity", "resample", "take", "budget"],
    queries: true,
    make: sparseMezo,
  },
  lozo: { extras: ["rank", "resample"], queries: true, make: lozo },
  kerzoo: { extras: ["smoothness"], queries: true, make: kerzoo },
  mezoGreedy: { extras: [], queries: true, make: mezoGreedy },
  mezoGv: { extras: ["top"], queries: true, make: mezoGv },
  blockwiseZo: {
    extras: ["blocks", "blockCount", "blockOrder"],
    queries: true,
    make: ({ blocks: by = "part", blockCount: count, blockOrder: order, ...options }) =>
      blockwiseZo({ ...options, blocks: { by, count, order } }),
  },
  zoSgdConservative: { extras: [], queries: false, make: zoSgdConservative },
  zoResidual: { extras: [], queries: true, make: zoResidual },
  threePointDescent: { extras: [], queries: false, make: threePointDescent },
};

/** Their names. */
export const optimiserNames: readonly OptimiserName[] = Object.keys(
  namedOptimisers,
) as OptimiserName[];
