/**
 * First-order optimisers: the rules of their zeroth-order namesakes, on the exact gradient.
 *
 * @module
 */
import { exactGradient } from "../estimators/exact_gradient.ts";
import { type Optimiser, optimiser, type OptimiserOptions } from "../optimiser.ts";
import { assertOptions, scheduled } from "../options.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import type { Schedule } from "../transformations/schedule.ts";
import { adam, type AdamOptions, adamw, type AdamwOptions } from "../updates/adam.ts";

/** What all of them take. */
export interface FirstOrderOptions extends Pick<OptimiserOptions, "form" | "projection" | "span"> {
  /** Constant or scheduled. */
  readonly learningRate?: number | Schedule;
}

const shared = { form: "any", projection: "any", span: "any" } as const;

/**
 * FO-SGD: descent along the exact gradient, learning rate 1e-3. It keeps nothing per offset besides the gradient. For `finetune` without a
 * ledger; see {@linkcode exactGradient}.
 *
 * @throws RangeError for an option that it does not have or a value that it cannot have; TypeError for a value of another kind.
 *
 * @example It looks at one point
 * ```ts
 * import { foSgd } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(foSgd({ learningRate: 0.1 }).estimator.branches.length, 1);
 * ```
 */
export function foSgd(options: FirstOrderOptions = {}): Optimiser {
  assertOptions("make foSgd", options, { ...shared, learningRate: scheduled });
  const { learningRate = 1e-3, ...rest } = options;
  return optimiser({
    ...rest,
    name: "foSgd",
    estimator: exactGradient(),
    transformations: [scaleBySchedule(learningRate)],
  });
}

/**
 * FO-Adam: Adam on the exact gradient, two f32 per offset besides it; defaults are those of {@linkcode adam}. For `finetune` without a ledger;
 * see {@linkcode exactGradient}.
 *
 * @throws RangeError for an option that it does not have or a value that it cannot have; TypeError for a value of another kind.
 *
 * @example Its rule is Adam's
 * ```ts
 * import { foAdam } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(foAdam({ learningRate: 1e-3, form: "relative" }).update?.name, "adam");
 * ```
 */
export function foAdam(
  { form, projection, span, ...rule }: FirstOrderOptions & AdamOptions = {},
): Optimiser {
  return firstOrder("foAdam", { form, projection, span }, adam(rule));
}

/**
 * FO-AdamW: {@linkcode foAdam} with decoupled weight decay, towards the base; defaults are those of {@linkcode adamw}.
 *
 * @throws RangeError for an option that it does not have or a value that it cannot have; TypeError for a value of another kind.
 *
 * @example Its rule is AdamW's
 * ```ts
 * import { foAdamW } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(foAdamW({ weightDecay: 0.1 }).update?.name, "adamw");
 * ```
 */
export function foAdamW(
  { form, projection, span, ...rule }: FirstOrderOptions & AdamwOptions = {},
): Optimiser {
  return firstOrder("foAdamW", { form, projection, span }, adamw(rule));
}

function firstOrder(
  name: string,
  { form, projection, span }: {
    readonly [Name in "form" | "projection" | "span"]: OptimiserOptions[Name] | undefined;
  },
  update: OptimiserOptions["update"],
): Optimiser {
  return optimiser({
    ...(form === undefined ? {} : { form }),
    ...(projection === undefined ? {} : { projection }),
    ...(span === undefined ? {} : { span }),
    name,
    estimator: exactGradient(),
    update,
  });
}
