/**
 * Chooses the files of a Hugging Face folder from which its weights are read, and finds each tensor in them.
 *
 * The order of preference is that of transformers: a whole `model.safetensors`, then the shards of an index. Files that are not read are noted. An
 * ambiguous choice is an error.
 *
 * @module
 */
import { join } from "@std/path";
import { readSafetensors } from "../../../quant/files/safetensors.ts";
import { type FileSource, openFile } from "../disk/files.ts";
import { list } from "../disk/look.ts";
import { notThere } from "../disk/places.ts";
import { readJsonFile } from "../disk/read_file.ts";
import type { StoredTensorPlace } from "./stored_tensors.ts";

const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const SHARD = /^(.+)-(\d{5})-of-(\d{5})((?:\.[\w-]+)?)\.safetensors$/;
const VARIANT = /^model\.([\w-]+)\.safetensors$/;
const VARIANT_INDEX = /^model\.safetensors\.index\.([\w-]+)\.json$/;

/** Far more than the shards of any model. */
const MOST_FILES = 10_000;

/** Files of a folder that contain its weights. */
export interface WeightFiles {
  /** Names of the files. */
  readonly names: readonly string[];
  /** The file of each tensor, if there is an index. */
  readonly index?: { readonly name: string; readonly files: ReadonlyMap<string, string> };
  /** Information for the user: what was chosen and what was left. */
  readonly notes: readonly string[];
}

/** Files next to a model from which it is never read: adapters, training states, and the original form of a model, which uses other names. */
const OTHERS = /^(?:adapter(?:_model)?|consolidated|optimizer|scheduler|rng_state\w*)[.-]/;

/** Whether a file name is that of safetensors weights from which a model may be read. */
export function isWeights(name: string): boolean {
  return name.endsWith(".safetensors") && !OTHERS.test(name);
}

/**
 * Chooses the files of a folder by their names and its index. Undefined if there are none.
 *
 * @param entries Names of the folder's files.
 * @throws {Deno.errors.NotFound} when shards are missing.
 * @throws {RangeError} when the choice is ambiguous.
 * @throws {SyntaxError} when the index is not valid.
 */
export async function weightFiles(
  folder: string,
  entries: readonly string[],
): Promise<WeightFiles | undefined> {
  const weights = entries.filter(isWeights).sort();
  const chosen = entries.includes(INDEX)
    ? await byIndex(folder, INDEX, weights)
    : weights.includes(WHOLE)
    ? { names: [WHOLE], notes: [] }
    : await withoutIndex(folder, entries, weights);
  if (!chosen) return undefined;
  const left = entries.filter((name) =>
    name.endsWith(".safetensors") && !chosen.names.includes(name)
  ).sort();
  const said = chosen.notes.join(" ");
  const unsaid = left.filter((name) => !said.includes(name));
  return {
    ...chosen,
    notes: [
      ...chosen.notes,
      ...unsaid.length === 0 || said.includes("left over")
        ? []
        : [`"${folder}": ${list(chosen.names)} is read, not ${list(unsaid)}`],
    ],
  };
}

async function byIndex(
  folder: string,
  indexName: string,
  weights: readonly string[],
): Promise<WeightFiles> {
  const whole = weights.includes(WHOLE);
  const files = await readIndex(folder, indexName);
  const names = [...new Set(files.values())].sort();
  if (whole && !names.includes(WHOLE)) {
    return {
      names: [WHOLE],
      notes: [
        `"${folder}": ${WHOLE} is read, as in transformers; ${indexName}${
          names.some((name) => weights.includes(name)) ? " and the shards that it names are" : " is"
        } left over from another save. Remove one of the two sets`,
      ],
    };
  }
  const missing = names.filter((name) => !weights.includes(name));
  if (missing.length === 0) return { names, index: { name: indexName, files }, notes: [] };
  const [only, ...others] = weights.filter((name) => !SHARD.test(name));
  if (missing.length === names.length && only !== undefined && others.length === 0) {
    return {
      names: [only],
      notes: [`"${folder}": ${only} is read; none of the shards that ${indexName} names is there`],
    };
  }
  throw notThere(
    `Cannot load "${folder}": ${missing.length} of the ${names.length} files that its ${indexName} names are missing: ${
      list(missing)
    }. Download or copy them too`,
  );
}

async function readIndex(folder: string, name: string): Promise<Map<string, string>> {
  const path = join(folder, name);
  const json = await readJsonFile(path, "index");
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new SyntaxError(`Cannot read "${path}": this safetensors index has no weight_map`);
  }
  const files = new Map<string, string>();
  const names = new Set<string>();
  for (const [tensor, given] of Object.entries(map as Record<string, unknown>)) {
    // Some writers prefix file names with `./`.
    const file = typeof given === "string" ? given.replace(/^\.\//, "") : given;
    if (typeof file !== "string" || file.length > 255 || /[\\/\0]|^\.{0,2}$/.test(file)) {
      throw new SyntaxError(
        `Cannot read "${folder}": its index names the file ${
          JSON.stringify(file)?.slice(0, 100)
        } for "${tensor}"`,
      );
    }
    files.set(tensor, file);
    if (names.add(file).size > MOST_FILES) {
      throw new RangeError(`Cannot read "${path}": it names more than ${MOST_FILES} files`);
    }
  }
  if (files.size === 0) throw new RangeError(`Cannot read "${path}": its weight_map is empty`);
  return files;
}

async function withoutIndex(
  folder: string,
  entries: readonly string[],
  weights: readonly string[],
): Promise<WeightFiles | undefined> {
  const variants = entries.filter((name) => VARIANT_INDEX.test(name));
  if (variants.length === 1) {
    const chosen = await byIndex(folder, variants[0], weights);
    const [, variant] = VARIANT_INDEX.exec(variants[0])!;
    return {
      ...chosen,
      notes: [
        ...chosen.notes,
        `"${folder}": the variant "${variant}" is read, according to ${
          variants[0]
        }; there is no ${INDEX}`,
      ],
    };
  }
  const sets = Map.groupBy(
    weights.filter((name) => SHARD.test(name)),
    (name) => {
      const [, prefix, , count, suffix] = SHARD.exec(name)!;
      return `${prefix}-?-of-${count}${suffix}.safetensors`;
    },
  );
  const single = weights.filter((name) => !SHARD.test(name));
  if (sets.size === 0 && single.length === 0) return undefined;
  if (sets.size === 0 && single.length === 1) {
    const variant = VARIANT.exec(single[0])?.[1];
    return {
      names: single,
      notes: variant === undefined
        ? []
        : [`"${folder}": ${single[0]}, the variant "${variant}", is read; there is no ${WHOLE}`],
    };
  }
  if (sets.size === 1 && single.length === 0) {
    const [[pattern, found]] = sets;
    const wanted = shardsOf(pattern);
    const missing = wanted.filter((name) => !found.includes(name));
    if (missing.length === 0) {
      return {
        names: wanted,
        notes: [
          `"${folder}": it has no ${INDEX}; all ${wanted.length} shards implied by the names of its safetensors files are read`,
        ],
      };
    }
    throw notThere(
      `Cannot load "${folder}": it has ${found.length} safetensors files and no ${INDEX}, and ${missing.length} of the ${wanted.length} shards are missing: ${
        list(missing)
      }. Download or copy them too`,
    );
  }
  throw new RangeError(
    `Cannot load "${folder}": it is not clear which of its ${weights.length} safetensors files to read. It has ${
      list(weights)
    }, but neither ${WHOLE} nor ${INDEX}. Keep only one set`,
  );
}

function shardsOf(pattern: string): string[] {
  const count = /-\?-of-(\d{5})/.exec(pattern)![1];
  // At most 99999 names. Messages abbreviate the list if many of the files are missing.
  return Array.from(
    { length: Number(count) },
    (_, i) => pattern.replace("-?-", `-${String(i + 1).padStart(5, "0")}-`),
  );
}

/** Positions of tensors, with notes. */
export interface LocatedTensors {
  /** Positions by name in the file. */
  readonly tensors: Map<string, StoredTensorPlace>;
  /** Information for the user, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Opens the chosen files and finds every tensor. If several files contain a tensor, the index decides which is read.
 *
 * @param files Receives the opened files. The caller must close them, even after an error.
 * @throws {RangeError} when a file lacks a tensor that the index assigns to it, or two files contain a tensor that no index assigns.
 * @throws Any error of opening files and of {@linkcode readSafetensors}.
 */
export async function locateTensors(
  folder: string,
  { names, index, notes }: WeightFiles,
  files: Map<string, FileSource>,
): Promise<LocatedTensors> {
  const tensors = new Map<string, StoredTensorPlace>();
  const owners = new Map<string, string>();
  const twice: string[] = [];
  for (const name of names) {
    const file = await openFile(join(folder, name));
    files.set(name, file);
    const { tensors: own } = await readSafetensors(file);
    for (const [tensor, where] of own) {
      const owner = owners.get(tensor);
      const placed = index?.files.get(tensor);
      if (owner !== undefined && placed === undefined) {
        throw new RangeError(
          `Cannot read tensor "${tensor}" of "${folder}": both ${owner} and ${name} contain it, and ${
            index ? `${index.name} does not say` : "there is no index to say"
          } which one to use`,
        );
      }
      if (owner !== undefined) twice.push(tensor);
      if (owner === undefined || placed === name) {
        tensors.set(tensor, { ...where, file, planes: own });
        owners.set(tensor, name);
      }
    }
  }
  for (const [tensor, file] of index?.files ?? []) {
    if (owners.get(tensor) === file) continue;
    const other = owners.get(tensor);
    throw new RangeError(
      `Cannot read tensor "${tensor}" of "${folder}": ${
        index!.name
      } has it in ${file}, which does not have it${
        other === undefined ? "" : ` (${other} does)`
      }. The index and the files come from different saves, or one of them was changed`,
    );
  }
  return {
    tensors,
    notes: twice.length === 0 ? notes : [
      ...notes,
      `"${folder}": ${list(twice.map((it) => `"${it}"`))} ${
        twice.length === 1 ? "is" : "are"
      } in several files; the one that ${index!.name} names is read`,
    ],
  };
}
