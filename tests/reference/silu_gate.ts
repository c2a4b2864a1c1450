/**
 * The f64 oracle of the gate of SwiGLU (Shazeer 2020).
 *
 * @module
 */

/** `gate / (1 + exp(-gate)) * up`, element by element. */
export function siluGate(gate: ArrayLike<number>, up: ArrayLike<number>): Float64Array {
  const y = new Float64Array(gate.length);
  for (let i = 0; i < gate.length; i++) y[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
  return y;
}
