/**
 * The parts of a tensor, besides its scales, that differ between branches: the entries of its codebooks, its minima or
 * zero points, and vectors such as biases. Scales are perturbed whenever they are read. These parts are read too often
 * for that, so every branch gets its own copy.
 *
 * @module
 */

import type { Layout } from "../../quant/layouts/layout.ts";
import { partName, secondPart } from "../../quant/layouts/trained_part.ts";
import type { Graph, Resource, Value } from "../device/graph.ts";
import { layoutKey, UNIFORM_BYTES } from "./layout_key.ts";
import { bindPerturbation } from "../offsets/bind.ts";
import { type Perturbation, withoutNoise } from "../offsets/perturbation.ts";
import type { ShaderKey } from "../device/template.ts";
import type { Storage } from "../device/storage.ts";
import type { DeviceTensor, TensorPiece } from "../device/tensor.ts";
import source from "./perturbed_plane.wgsl.ts";
import zerosSource from "./vector_and_zeros.wgsl.ts";

/** The offsets and noise of a tensor. */
export interface TensorPerturbations {
  /** Offsets and noise of its scales (in a dense tensor, of its elements). */
  readonly perturbation: Perturbation | undefined;
  /** Offsets and noise of its codebook entries, or of its minima (zero points). */
  readonly plane: Perturbation | undefined;
}

/** Looks up the perturbation of each part of a tensor that can be trained. */
export function perturbationsOf(
  { name, layout }: DeviceTensor,
  of: (name: string) => Perturbation | undefined,
): TensorPerturbations {
  const second = secondPart(layout);
  return { perturbation: of(name), plane: second && of(partName(name, second)) };
}

/** Number of row quads in a piece of a tensor, which is the length of a group in a plane of minima. */
export function rowQuads({ rows }: TensorPiece): number {
  return Math.ceil(rows / 4);
}

/**
 * Records, for `branches` branches, the plane of a tensor to which `perturbation` applies, in f32. Codebooks are
 * `[B][books][entries][vector]`; minima are `[B][groups][rows of the piece, rounded up to 4]`. Returns one value per
 * piece of the tensor; for codebooks it is the same value for all pieces.
 *
 * @throws {RangeError} for a tensor that has neither codebooks nor minima.
 */
export function perturbedPlanes(
  graph: Graph,
  tensor: DeviceTensor,
  perturbation: Perturbation,
  branches: number,
): Value[] {
  const { layout, pieces } = tensor;
  if (secondPart(layout) === "codebook") {
    const books = perturbedPlane(graph, tensor, pieces[0], perturbation, branches);
    return pieces.map(() => books);
  }
  return pieces.map((piece) => perturbedPlane(graph, tensor, piece, perturbation, branches));
}

function perturbedPlane(
  graph: Graph,
  tensor: DeviceTensor,
  piece: TensorPiece,
  perturbation: Perturbation,
  branches: number,
): Value {
  const { layout, groups, groupColumns } = tensor;
  const part = secondPart(layout);
  const base = part === "codebook" ? tensor.codebook : piece.scales;
  if (!part || !base) {
    throw new RangeError(
      `Cannot perturb a second trained part of "${tensor.name}": its layout ${layout.kind} has only scales`,
    );
  }
  const name = partName(tensor.name, part);
  const quads = part === "codebook" ? base.bytes / 8 : groups * rowQuads(piece);
  const y = graph.value(`${name} by branch`, branches * quads * 4);
  const bound = bindPerturbation(perturbation);
  graph.add({
    label: `perturb ${name}`,
    source,
    key: { ...bound.key, PLANE: part, BEHIND: false },
    reads: { 1: base, ...bound.reads },
    writes: { 3: y },
    parameters: [
      branches,
      quads,
      rowQuads(piece),
      piece.rows,
      groups,
      Math.ceil(perturbation.span / groupColumns),
      piece.firstRow / 4,
      ...bound.parameters,
    ],
    workgroups: Math.ceil(branches * quads / 64),
  });
  return y;
}

/**
 * Records an f32 vector such as a bias, or a small matrix, for `branches` branches: `[B][rows][columns]`, with tangents
 * if the graph records them. Operations that read the result need not handle noise.
 *
 * @example A bias for two branches
 * ```ts
 * import { DeviceTensor, Graph, OffsetSet, perturbedVector, trainableOf } from "@qzo/qzo/kernels";
 * import { tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const bias = new DeviceTensor("output.bias", { kind: "dense", type: "f32" }, 1, 64, 2 ** 27);
 * const offsets = new OffsetSet([trainableOf(bias, tensorId(bias.name), "absolute", 1)], 2 ** 27);
 * const graph = new Graph();
 * const y = perturbedVector(graph, bias, offsets.perturbation(bias.name)!, 2);
 * assertEquals(y.words, 2 * 64);
 * ```
 */
export function perturbedVector(
  graph: Graph,
  tensor: DeviceTensor,
  perturbation: Perturbation,
  branches: number,
): Value {
  const { name, rows, columns, pieces: [{ codes }] } = tensor;
  const quads = Math.ceil(rows * columns / 4);
  const isRagged = rows * columns % 4 !== 0;
  const moves = graph.tangents === 0 || perturbation.noise !== undefined;
  const y = graph.value(`${name} by branch`, (moves ? branches : 1) * rows * columns);
  const copies = (of: Perturbation, count: number) => {
    const bound = bindPerturbation(of);
    graph.add({
      label: `perturb ${name}`,
      source,
      key: { ...bound.key, PLANE: isRagged ? "ragged" : "vector", BEHIND: of.tangent ?? false },
      reads: { 1: codes, ...bound.reads },
      writes: { 3: y },
      parameters: [count, quads, 0, isRagged ? rows * columns : 1, 0, 1, 0, ...bound.parameters],
      workgroups: Math.ceil(count * quads / 64),
    });
  };
  if (graph.tangents === 0) {
    copies(perturbation, branches);
    return y;
  }
  copies(withoutNoise(perturbation), 1);
  if (!moves) return withTangents(graph, y, rows * columns, branches);
  copies({ ...perturbation, tangent: true }, branches - 1);
  return y;
}

/**
 * Records an untrained vector of `length` elements with zero tangents: `[B][length]`. A vector that already has
 * tangents is returned unchanged.
 */
export function withTangents(
  graph: Graph,
  vector: Storage | Value,
  length: number,
  branches: number,
): Value {
  if ("words" in vector && vector.words !== length) return vector;
  const y = graph.value("vector and zeros", branches * length);
  graph.add({
    label: "vector and zeros",
    source: zerosSource,
    key: {},
    reads: { 1: vector },
    writes: { 3: y },
    parameters: [y.words, length],
    workgroups: Math.ceil(y.words / 64),
  });
  return y;
}

/** Whether the books of all branches fit a uniform binding, which software adapters read faster. */
function isSmall({ layout }: DeviceTensor, plane: Value): boolean {
  return secondPart(layout) === "codebook" && plane.words * 4 <= UNIFORM_BYTES;
}

/**
 * Whether the offsets of scales also multiply minima, and therefore the whole weight. This holds for relative offsets
 * if the minima have no offsets of their own. (Zero points are multiplied in any case.)
 */
export function moveMinima(
  layout: Layout,
  { perturbation, plane }: Partial<TensorPerturbations>,
): boolean {
  return layoutKey(layout).SECOND === "min" && perturbation?.form === "relative" && !plane;
}

/**
 * The part of a shader key that names the kind of plane that varies by branch, if any, and says whether other minima
 * are multiplied like their scales.
 */
export function planeKey(
  tensor: DeviceTensor,
  perturbations: Partial<TensorPerturbations>,
  plane: Value | undefined,
): ShaderKey {
  const small = plane !== undefined && isSmall(tensor, plane);
  return {
    MINIMA_MOVE: moveMinima(tensor.layout, perturbations),
    PLANE: plane ? secondPart(tensor.layout)! : "none",
    SMALL_PLANE: small,
    PLANE_QUADS: small ? plane.words / 4 : 0,
  };
}

/** Binds a plane that varies by branch, for kernels that use uniform bindings for small planes. */
export function boundPlane(tensor: DeviceTensor, plane: Value): Resource {
  return isSmall(tensor, plane) ? { value: plane, offset: 0, bytes: plane.words * 4 } : plane;
}
