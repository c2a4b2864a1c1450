/**
 * An adapter applied to a model: its tensors, its effect on the forward pass, and its description in ledgers.
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

/** An adapter for a model of a given shape, with or without a device. */
export interface FittedAdapter extends ForwardHooks {
  /** The adapter. */
  readonly adapter: Adapter;
  /** Its tensors by name, in the order of the forward pass. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
}

/**
 * Fits an adapter to a model.
 *
 * @throws {RangeError} when its scheme is unknown, or it does not fit the model.
 */
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
            ? `the model needs ${tensor.rows} x ${tensor.columns}`
            : "the adapter has no such tensor for this model"
        }`,
      );
    }
  }
  assertReplaced(config, adapter);
  return { adapter, tensors, ...scheme.hooks(plan) };
}

/** Rejects replacements for tensors that the model does not have. */
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

/**
 * Rejects an adapter whose initial values the base model has not computed yet.
 *
 * @throws {TypeError} with the remedy.
 */
export function assertStarted({ scheme, start }: Pick<Adapter, "scheme" | "start">): void {
  if (!start) return;
  throw new TypeError(
    `Cannot add the ${scheme} adapter to a model: its initial values are computed by the base; use await startedAdapter(base, adapter)`,
  );
}

/**
 * The number of positions left for sequences, after those that an adapter puts before each of them.
 *
 * @param most Number of positions of the base model.
 * @throws {RangeError} when there are none left.
 */
export function positionsLeft({ lead }: Pick<FittedAdapter, "lead">, most: number): number {
  const taken = lead?.positions ?? 0;
  if (most - taken >= 2) return most - taken;
  throw new RangeError(
    `Cannot add the adapter to the model: it takes ${taken} positions, but the model was loaded for ${most}`,
  );
}

/**
 * A tensor of an adapter as laid out on a device.
 *
 * @throws {RangeError} when it exceeds one binding.
 */
export function adapterDeviceTensor(
  { name, rows, columns }: AdapterTensor,
  maxBinding: number,
): DeviceTensor {
  const tensor = new DeviceTensor(name, { kind: "dense", type: "f32" }, rows, columns, maxBinding);
  if (tensor.pieces.length === 1) return tensor;
  throw new RangeError(
    `Cannot place "${name}" of ${rows} x ${columns}: it exceeds one binding of ${maxBinding} bytes; use a smaller rank`,
  );
}

/** The initial values of an adapter's tensor, packed. */
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

/** SHA-256 of an adapter's values that are not random. */
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

/**
 * The description of an adapter in ledgers: everything, except that values from a file are replaced by their SHA-256.
 *
 * @example A new LoRA adapter
 * ```ts
 * import { describeAdapter, loraAdapter, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const { scheme, seed } = Object(describeAdapter(loraAdapter(source, { rank: 4, seed: 7 })));
 * assertEquals([scheme, seed], ["lora", 7]);
 * ```
 */
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

/** JSON text that does not depend on the order of keys. */
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
 * @param given An adapter with the values of its file, if the ledger started from a file.
 * @throws {RangeError} when its scheme is unknown, or it started from a file that is not given or is a different one.
 *
 * @example There and back
 * ```ts
 * import { describeAdapter, describedAdapter, loraAdapter, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const adapter = loraAdapter(source, { rank: 4 });
 * assertEquals(describedAdapter(describeAdapter(adapter)), adapter);
 * ```
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
  if (unknown.length > 0) throw refuse(`it has the unknown key "${unknown[0].slice(0, 60)}"`);
  if (values !== undefined || replaced !== undefined || given) {
    throw refuse(
      given
        ? "it was started from a different adapter from the one given"
        : "it was started from an adapter file, which must be given too",
    );
  }
  if (!Number.isSafeInteger(seed) || seed as number < 0) {
    throw refuse(`its seed is ${seed}, not an integer of at least 0`);
  }
  if (!isFields(plan)) throw refuse("it has no plan");
  return { scheme, seed: seed as number, plan: parse(plan as AdapterPlan) };
}
