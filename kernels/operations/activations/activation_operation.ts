/**
 * The signature of element-wise functions.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { ForwardContext } from "../context.ts";

/** Records a function of every element of `x`, multiplied by the element of `times` if it is given. */
export type ActivationOperation = (context: ForwardContext, x: Value, times?: Value) => Value;
