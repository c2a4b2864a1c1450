/**
 * A scalar algebra that gives the same bits on the host and on every device. Update rules use it, because their results stay in the offsets and
 * in the state of a run.
 *
 * Devices may fuse a product into a sum, flush subnormal numbers, and compute quotients and roots inexactly. In this algebra, a product is
 * therefore rounded separately and becomes 0 below 2^-92, which keeps every sum away from subnormals and from the value of frozen offsets.
 * Quotients and roots are Newton iterations of such products, starting from an integer estimate. Their relative error is at most 2^-22.
 *
 * @module
 */
import { hostOps, type Ops } from "./ops.ts";
import { WgslEmitter } from "./wgsl_ops.ts";

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

function bitsOf(value: number): number {
  floatView[0] = value;
  return bitsView[0];
}

function fromBits(bits: number): number {
  bitsView[0] = bits;
  return floatView[0];
}

/** Products below this become 0. */
const least = 2 ** -92;

function product(a: number, b: number): number {
  const rounded = Math.fround(a * b);
  return Math.abs(rounded) < least ? 0 : rounded;
}

/** The first estimate is within 3.5 %. Each round squares the relative error and multiplies it by 1.5. */
function inverseRoot(x: number): number {
  const half = product(0.5, x);
  let y = fromBits(0x5f3759df - (bitsOf(x) >>> 1));
  for (let round = 0; round < 3; round++) {
    y = product(y, Math.fround(1.5 - product(product(half, y), y)));
  }
  return y;
}

/** The first estimate is within 12 %. Each round squares the relative error. */
function reciprocal(x: number): number {
  const bits = bitsOf(x);
  let y = fromBits((0x7ef311c7 - (bits & 0x7fffffff)) | (bits & 0x80000000));
  for (let round = 0; round < 4; round++) y = product(y, Math.fround(2 - product(x, y)));
  return y;
}

/**
 * The host's interpretation. `div` requires divisors between 2^-90 and 2^90, `sqrt` numbers from 0 to 2^100.
 *
 * @example A root and a quotient
 * ```ts
 * import { elementOps } from "@qzo/qzo/optim";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * assertAlmostEquals(elementOps.sqrt(9), 3, 1e-6);
 * assertAlmostEquals(elementOps.div(1, -8), -0.125, 1e-7);
 * assertEquals(elementOps.mul(2 ** -60, 2 ** -60), 0);
 * ```
 */
export const elementOps: Ops<number> = {
  ...hostOps,
  mul: product,
  div: (a, b) => product(a, reciprocal(b)),
  sqrt: (a) => product(a, inverseRoot(a)),
};

/** The same algebra as WGSL. Requires {@linkcode elementOpsWgsl}. */
export class ElementEmitter extends WgslEmitter {
  /** `product(a, b)` */
  override mul(a: string, b: string): string {
    return this.line(`product(${a}, ${b})`);
  }
  /** `product(a, reciprocal(b))` */
  override div(a: string, b: string): string {
    return this.line(`product(${a}, reciprocal(${b}))`);
  }
  /** `product(a, inverse_root(a))` */
  override sqrt(a: string): string {
    return this.line(`product(${a}, inverse_root(${a}))`);
  }
}

/**
 * The functions that {@linkcode ElementEmitter} calls. `zero` is the name of a u32 that is 0 although a compiler cannot know it. It prevents
 * products from being fused into the sums that use them.
 *
 * @example The functions that are declared
 * ```ts
 * import { elementOpsWgsl } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const names = elementOpsWgsl("zero").matchAll(/fn (\w+)/g);
 * assertEquals([...names].map(([, name]) => name), ["product", "inverse_root", "reciprocal"]);
 * ```
 */
export function elementOpsWgsl(zero: string): string {
  return `fn product(a: f32, b: f32) -> f32 {
  let bits = bitcast<u32>(a * b) ^ ${zero};
  return bitcast<f32>(select(bits, 0u, (bits & 0x7f800000u) < (35u << 23u)));
}
fn inverse_root(x: f32) -> f32 {
  let half = product(0.5, x);
  var y = bitcast<f32>(0x5f3759dfu - (bitcast<u32>(x) >> 1u));
  for (var i = 0; i < 3; i++) { y = product(y, 1.5 - product(product(half, y), y)); }
  return y;
}
fn reciprocal(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  var y = bitcast<f32>((0x7ef311c7u - (bits & 0x7fffffffu)) | (bits & 0x80000000u));
  for (var i = 0; i < 4; i++) { y = product(y, 2.0 - product(x, y)); }
  return y;
}
`;
}
