/**
 * The differences between a folder of an unknown architecture and the nearest known architecture.
 *
 * @module
 */
import { ARCHITECTURES } from "../architectures.ts";
import { type Fields, isEmpty, isObject, type KeyTable } from "../config/config_keys.ts";
import { folderNames } from "./folder_names.ts";
import { few } from "./tensor_places.ts";

/** How a folder differs from an architecture. */
interface Difference {
  readonly modelType: string;
  /** Names of the folder's tensors that the architecture does not have. `N` stands for a layer's number. */
  readonly strangers: readonly string[];
  /** Names of tensors that the architecture needs and the folder does not have. */
  readonly missing: readonly string[];
  /** Keys of the folder's configuration that are not empty and that the architecture does not support, or not with this value. */
  readonly keys: readonly string[];
}

/** Whether a key that is not empty is unknown or has an unsupported value. */
function isRefused(key: string, json: Fields, keys: KeyTable): boolean {
  if (isEmpty(json[key])) return false;
  const rule = Object.hasOwn(keys, key) ? keys[key] : undefined;
  if (rule?.kind !== "only") return rule === undefined;
  if (rule.fits) return !rule.values.includes(json[key]) && !rule.fits(json[key], json);
  return !rule.values.includes(json[key]);
}

/** Replaces layer numbers by `N`, so that the corresponding tensors of all layers have the same name. */
const kindOf = (name: string): string => name.replace(/\.\d+(?=\.)/g, ".N");

/**
 * Describes how the nearest known architecture differs from a folder. Empty if there are no tensors, or if no architecture can be created from the
 * folder's configuration.
 *
 * @param json The folder's `config.json`, with an unknown `model_type`.
 * @param tensors Names of the folder's tensors.
 */
export function lackingOf(json: unknown, tensors: Iterable<string>): string {
  const names = [...tensors];
  if (!isObject(json) || names.length === 0) return "";
  const differences = ARCHITECTURES.flatMap(({ huggingFace }): Difference[] => {
    const [modelType] = huggingFace.modelTypes;
    try {
      const config = huggingFace.read({ ...json, model_type: modelType }, {
        what: "a folder",
        note: () => {},
      });
      const { weights, leftOut, head } = folderNames(config);
      const here = new Set(names);
      const strangers = names.filter((name) =>
        !weights.has(name) && name !== head && !leftOut.some(({ pattern }) => pattern.test(name))
      );
      return [{
        modelType,
        strangers: [...new Set(strangers.map(kindOf))],
        missing: [
          ...new Set([...weights.keys()].filter((name) => !here.has(name)).map(kindOf)),
        ],
        keys: Object.keys(json).filter((key) =>
          key !== "model_type" && isRefused(key, json, huggingFace.keys)
        ),
      }];
    } catch {
      return []; // Its sizes have other keys.
    }
  });
  const weight = ({ strangers, missing, keys }: Difference) =>
    1000 * (strangers.length + missing.length) + keys.length;
  const [nearest] = differences.sort((a, b) => weight(a) - weight(b));
  if (nearest === undefined) return "";
  const { modelType, strangers, missing, keys } = nearest;
  const lacks = [
    strangers.length > 0 && `does not have the tensors ${few(strangers)}`,
    missing.length > 0 && `needs ${few(missing)}, which are missing`,
    keys.length > 0 && `does not support ${few(keys)} in its config.json`,
  ].filter((it) => it !== false);
  return lacks.length === 0
    ? `. Its tensors and keys are those of ${modelType}: if it computes the same function, set model_type to that`
    : `. The closest is ${modelType}, which ${lacks.join(", and ")}`;
}
