import type { InputStatistics } from "../../quant/mod.ts";
import { normals } from "./random.ts";

/** Statistics of `[tokens][columns]` inputs. */
export function statisticsOf(inputs: ArrayLike<number>, columns: number): InputStatistics {
  const tokens = inputs.length / columns;
  const moments = new Float32Array(columns * columns);
  const magnitudes = new Float32Array(columns);
  const byColumn = Array.from(
    { length: columns },
    (_, i) => Float64Array.from({ length: tokens }, (_, t) => inputs[t * columns + i]),
  );
  for (const [i, own] of byColumn.entries()) {
    for (let j = 0; j <= i; j++) {
      const other = byColumn[j];
      let sum = 0;
      for (let t = 0; t < tokens; t++) sum += own[t] * other[t];
      moments[i * columns + j] = moments[j * columns + i] = sum / tokens;
    }
    let sum = 0;
    for (let t = 0; t < tokens; t++) sum += Math.abs(own[t]);
    magnitudes[i] = sum / tokens;
  }
  return { columns, tokens, moments, magnitudes };
}

/** Inputs that go together: a few directions and noise. */
export function correlated(seed: number, tokens: number, columns: number): Float32Array {
  const directions = normals(seed, 8 * columns);
  const weights = normals(seed + 1, tokens * 8);
  const inputs = normals(seed + 2, tokens * columns);
  for (let t = 0, i = 0; t < tokens; t++) {
    for (let k = 0; k < columns; k++, i++) {
      let sum = inputs[i];
      for (let d = 0; d < 8; d++) sum += weights[t * 8 + d] * directions[d * columns + k];
      inputs[i] = sum;
    }
  }
  return inputs;
}

/** Statistics of such inputs, a few columns of them ten times as large. */
export function outlyingInputs(seed: number, columns: number, tokens: number): InputStatistics {
  const inputs = correlated(seed, tokens, columns);
  return statisticsOf(inputs.map((x, i) => i % columns % 17 === 5 ? 10 * x : x), columns);
}
