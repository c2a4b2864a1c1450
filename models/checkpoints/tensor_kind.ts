/**
 * What a tensor is to the choice of its format.
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

/** The kind of a tensor: what its architecture says; a guess by its name where none was asked. */
export function kindOf(
  { name, rows, role }: Pick<TensorSource, "name" | "rows" | "role">,
): TensorKind {
  return role === undefined ? tensorKind(name, rows) : KINDS[role];
}

/** What the choice of its format looks at. */
export function formatSubject(
  tensor: Pick<TensorSource, "name" | "rows" | "columns" | "role">,
): FormatSubject {
  return { name: tensor.name, kind: kindOf(tensor), columns: tensor.columns };
}
