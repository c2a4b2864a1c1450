/**
 * The kind of a tensor, which determines its format.
 *
 * @module
 */
import {
  type FormatSubject,
  type TensorKind,
  tensorKind,
} from "../../quant/formats/choose_format.ts";
import type { WeightRole } from "../architecture.ts";
import type { TensorSource } from "./checkpoint.ts";

const KINDS: Readonly<Record<WeightRole, TensorKind>> = {
  matrix: "matrix",
  norm: "vector",
  bias: "vector",
  embedding: "embedding",
  positions: "positions",
  types: "positions",
  head: "head",
};

/** The kind of a tensor: from its role in the architecture, or guessed from its name if it has no role. */
export function kindOf(
  { name, rows, role }: Pick<TensorSource, "name" | "rows" | "role">,
): TensorKind {
  return role === undefined ? tensorKind(name, rows) : KINDS[role];
}

/** The properties of a tensor that determine its format. */
export function formatSubject(
  tensor: Pick<TensorSource, "name" | "rows" | "columns" | "role">,
): FormatSubject {
  return { name: tensor.name, kind: kindOf(tensor), columns: tensor.columns };
}
