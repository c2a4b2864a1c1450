import type { InputStatistics } from "../../quant/mod.ts";
import { normals } from "./random.ts";

/** Statistics of `[tokens][columns]` inputs. */
export function statisticsOf(inputs: ArrayLike<number>, columns: number): InputStatistics {
  const tokens = inputs.length / columns;
  const moments = new Float32Array(columns * columns);
  const magnitudes = new Float32Array(columns);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let t = 0; t < inputs.length; t += columns) sum += inputs[t + i] * inputs[t + j];
      moments[i * columns + j] = sum / tokens;
    }
    let sum = 0;
    for (let t = 0; t < inputs.length; t += columns) sum += Math.abs(inputs[t + i]);
    magnitudes[i] = sum / tokens;
  }
  return { columns, tokens, moments, magnitudes };
}

/** Inputs that go together: a few directions and noise. */
export function correlated(seed: number, tokens: number, columns: number): Float32Array {
  const directions = normals(seed, 8 * columns);
  const weights = normals(seed + 1, tokens * 8);
  const inputs = normals(seed + 2, tokens * columns);
  return inputs.map((noise, i) => {
    const [t, k] = [Math.floor(i / columns), i % columns];
    let sum = noise;
    for (let d = 0; d < 8; d++) sum += weights[t * 8 + d] * directions[d * columns + k];
    return sum;
  });
}

/** Statistics of such inputs, a few columns of them ten times as large. */
export function outlyingInputs(seed: number, columns: number, tokens: number): InputStatistics {
  const inputs = correlated(seed, tokens, columns);
  return statisticsOf(inputs.map((x, i) => i % columns % 17 === 5 ? 10 * x : x), columns);
}
