/**
 * Texts of shaders by the case that first has them, and what cases share.
 *
 * @module
 */
import { expandShader, type Graph, SHADER_LIBRARY, Storage } from "../kernels/mod.ts";
import { DISTRIBUTIONS, type Law } from "../optim/mod.ts";
import { structureNames } from "../optim/directions/structures.ts";

/** A shader of a case. */
export interface ShaderText {
  /** Which case, and which of its dispatches. */
  readonly name: string;
  /** What is compiled. */
  readonly text: string;
}

/** What cases call the laws that have a structure: as they did when law and structure were one word, so that commits can be compared. */
const PREFIXES: Readonly<Record<string, string>> = {
  mask: "sparse",
  blocks: "block",
  lowRank: "lowRank",
};

/** Every law, by what cases call it. */
export const LAWS: ReadonlyMap<string, Law> = new Map(
  [undefined, ...structureNames].flatMap((structure) =>
    DISTRIBUTIONS.map((dense) => structure ? { dense, structure } : { dense })
  ).map((law) => [wordOf(law), law]),
);

function wordOf({ dense, structure }: Law): string {
  if (structure === undefined) return dense;
  return (PREFIXES[structure] ?? structure) + dense[0].toUpperCase() + dense.slice(1);
}

/** What a binding holds at most. */
export const MAX_BINDING: number = 2 ** 27;

/** Dispatches by their first case. */
export class Texts {
  readonly #names = new Map<string, Map<string, string>>();
  /** All texts. */
  readonly found: ShaderText[] = [];

  /** Takes those of a graph. */
  add(name: string, graph: Graph): void {
    graph.dispatches.forEach(({ source, key }, i) => {
      let keys = this.#names.get(source);
      if (!keys) this.#names.set(source, keys = new Map());
      const of = JSON.stringify(key);
      if (keys.has(of)) return;
      keys.set(of, name);
      const text = expandShader(source, key, SHADER_LIBRARY);
      this.found.push({ name: `${name}, dispatch ${i}`, text });
    });
  }
}

/** A buffer that no device has. */
export function storage(label: string, bytes = 4096): Storage {
  return new Storage(label, bytes, "scratch");
}
