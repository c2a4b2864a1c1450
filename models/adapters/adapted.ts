/**
 * An adapter on a model: its tensors, what it does in the forward, and what ledgers say of it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { DeviceTensor } from "../../kernels/mod.ts";
import { isFields } from "../../optim/ledger/fields.ts";
import type { JsonValue } from "../../optim/mod.ts";
import type { PackedTensor } from "../../quant/layouts/layout.ts";
import { weightsOf } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";
import { initialValues } from "./initial_values.ts";
import type { Adapter, AdapterPlan, AdapterTensor, ForwardHooks } from "./scheme.ts";
import { adapterScheme } from "./schemes.ts";

/** An adapter on a model of some shape, with or without a device. */
export interface FittedAdapter extends ForwardHooks {
  /** What was fitted. */
  readonly adapter: Adapter;
  /** Its tensors by name, in the order of the forward. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
}

/** An adapter on a model. @throws {RangeError} When its scheme is not known, or it does not fit the model */
export function fitAdapter(config: ModelConfig, adapter: Adapter): FittedAdapter {
  const scheme = adapterScheme(adapter.scheme);
  const plan = scheme.parse(adapter.plan);
  const tensors = new Map(scheme.tensors(config, plan).map((one) => [one.name, one]));
  for (const [name, values] of adapter.values ?? []) {
    const tensor = tensors.get(name);
    const count = tensor && tensor.rows * tensor.columns;
    if (values.length !== count) {
      throw new RangeError(
        `Cannot use an adapter's ${values.length} values of "${name}": ${
          tensor
            ? `the model wants ${tensor.rows} x ${tensor.columns}`
            : "the adapter has no such tensor on this model"
        }`,
      );
    }
  }
  assertReplaced(config, adapter);
  return { adapter, tensors, ...scheme.hooks(plan) };
}

/** Refuses tensors in place of some that the model does not have. */
function assertReplaced(config: ModelConfig, { replaced }: Adapter): void {
  if (!replaced) return;
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  for (const [name, { length }] of replaced) {
    const weight = weights.get(name);
    if (length === (weight && weight.rows * weight.columns)) continue;
    throw new RangeError(
      `Cannot use an adapter's own ${length} values of "${name}" in place of the base's: ${
        weight ? `the model has ${weight.rows} x ${weight.columns}` : "the model has no such tensor"
      }`,
    );
  }
}

/** Refuses an adapter whose first values its base has not computed yet. @throws {TypeError} That says what to do */
export function assertStarted({ scheme, start }: Pick<Adapter, "scheme" | "start">): void {
  if (!start) return;
  throw new TypeError(
    `Cannot put the ${scheme} adapter beside a model: it begins with what its base computes; use await startedAdapter(base, adapter)`,
  );
}

/**
 * Positions that sequences have beside an adapter, whose own stand before every one.
 *
 * @param most Those of the base
 * @throws {RangeError} When there are none left
 */
export function positionsLeft({ lead }: Pick<FittedAdapter, "lead">, most: number): number {
  const taken = lead?.positions ?? 0;
  if (most - taken >= 2) return most - taken;
  throw new RangeError(
    `Cannot put the adapter beside the model: it takes ${taken} positions, the model was loaded for ${most}`,
  );
}

/** A tensor of an adapter as it lies on a device. @throws {RangeError} When it does not fit one binding */
export function adapterDeviceTensor(
  { name, rows, columns }: AdapterTensor,
  maxBinding: number,
): DeviceTensor {
  const tensor = new DeviceTensor(name, { kind: "dense", type: "f32" }, rows, columns, maxBinding);
  if (tensor.pieces.length === 1) return tensor;
  throw new RangeError(
    `Cannot place "${name}" of ${rows} x ${columns}: it exceeds one binding of ${maxBinding} bytes; take a smaller rank`,
  );
}

/** What a tensor of an adapter holds before training, packed. */
export function adapterValues(
  { values, seed }: Pick<Adapter, "values" | "seed">,
  tensor: AdapterTensor,
): PackedTensor {
  return denseRows(values?.get(tensor.name) ?? initialValues(tensor, seed), tensor);
}

/** Numbers as a packed tensor of f32. */
export function denseRows(
  own: Float32Array<ArrayBuffer>,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): PackedTensor {
  return {
    layout: { kind: "dense", type: "f32" },
    rows,
    columns,
    codes: new Uint32Array(own.buffer, own.byteOffset, own.length),
    scales: new Uint32Array(0),
    codebook: new Uint32Array(0),
  };
}

const digests = new WeakMap<ReadonlyMap<string, Float32Array>, string>();

/** SHA-256 of an adapter's values that are not drawn. */
function digestOf(values: ReadonlyMap<string, Float32Array<ArrayBuffer>>): string {
  const known = digests.get(values);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  for (const name of [...values.keys()].sort()) {
    const own = values.get(name)!;
    hash.update(`${name} ${own.length}\n`);
    hash.update(new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
  }
  const digest = hash.digest("hex");
  digests.set(values, digest);
  return digest;
}

/** What ledgers say of an adapter: all of it, but of values from a file only their SHA-256. */
export function describeAdapter({ scheme, plan, seed, values, replaced }: Adapter): JsonValue {
  return {
    ...{ scheme, seed, plan },
    ...values ? { values: digestOf(values) } : {},
    ...replaced && replaced.size > 0 ? { replaced: digestOf(replaced) } : {},
  };
}

/** Whether an adapter is the one that a ledger describes. */
export function isDescribed(
  adapter: Adapter | undefined,
  described: JsonValue | undefined,
): boolean {
  const own = adapter && describeAdapter(adapter);
  return canonical(own ?? null) === canonical(described ?? null);
}

/** The same text for the same value, whatever the order of its keys. */
function canonical(value: JsonValue): string {
  return JSON.stringify(
    value,
    (_, one: JsonValue) =>
      isFields(one)
        ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
        : one,
  );
}

/**
 * The adapter that a ledger describes.
 *
 * @param given One with the values of its file, where the ledger says that it began from one
 * @throws {RangeError} When it is of an unknown scheme, or began from a file that is not given, or another
 */
export function describedAdapter(described: JsonValue, given?: Adapter): Adapter {
  const refuse = (why: string) => new RangeError(`Cannot use the ledger's adapter: ${why}`);
  if (given && isDescribed(given, described)) return given;
  const { scheme, seed, plan, values, replaced, ...rest } = {
    ...described as Record<string, JsonValue>,
  };
  if (typeof scheme !== "string") throw refuse("it names no scheme");
  const { parse } = adapterScheme(scheme);
  const unknown = Object.keys(rest);
  if (unknown.length > 0) throw refuse(`"${unknown[0].slice(0, 60)}" is not known of adapters`);
  if (values !== undefined || replaced !== undefined || given) {
    throw refuse(
      given
        ? "it began from another adapter than the one that is given"
        : "it began from an adapter's file, which must be given as well",
    );
  }
  if (!Number.isSafeInteger(seed) || seed as number < 0) throw refuse(`its seed is ${seed}`);
  if (!isFields(plan)) throw refuse("it has no plan");
  return { scheme, seed: seed as number, plan: parse(plan as AdapterPlan) };
}
