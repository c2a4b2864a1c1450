/**
 * Checks that a ledger belongs to a model and to what is trained.
 *
 * @module
 */
import { NOISE_VERSION } from "../directions/noise.ts";
import type { Trainable } from "../trainable.ts";
import { type LedgerHeader, wordOf } from "./ledger_header.ts";

const trainableKeys = [
  "id",
  "count",
  "form",
  "span",
  "rows",
  "columns",
  "share",
  "gain",
  "group",
  "exact",
] as const;

const placeKeys = ["layer", "part"] as const;

/** The beginning of a fingerprint, enough to distinguish two. */
function shortened(model: string): string {
  return model.length > 20 ? `${model.slice(0, 18)}…` : model;
}

/**
 * Rejects a ledger that was written for another model or other trainables, or with other noise.
 *
 * @throws {RangeError} naming the first difference.
 *
 * @example Another model
 * ```ts
 * import { assertLedgerFits, encodeHeader, NOISE_VERSION, qzo } from "@qzo/qzo/optim";
 * import { assertThrows } from "@std/assert";
 *
 * const { header } = encodeHeader({
 *   ...{ model: "toy", trainables: [], optimiser: qzo().describe(), seed: 1, data: null },
 *   ...{ distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
 *   ...{ directions: 1, stateSize: 0, created: "2026-01-01T00:00:00Z" },
 * });
 * assertLedgerFits(header, "toy", []);
 * assertThrows(() => assertLedgerFits(header, "another", []), RangeError, "not the base");
 * ```
 */
export function assertLedgerFits(
  header: LedgerHeader,
  model: string,
  trainables: readonly Trainable[],
): void {
  const refuse = (why: string) => new RangeError(`Cannot use ledger: ${why}`);
  if (header.model !== model) {
    throw refuse(
      `the loaded model is not the base this ledger was made with: its fingerprint is ${
        shortened(model)
      }, but that of the ledger's base is ${shortened(header.model)}. ` +
        "Load exactly the model that was trained: changing a single byte or key makes it a different model",
    );
  }
  if (header.noiseVersion !== NOISE_VERSION) {
    throw refuse(
      `it was made with noise version ${header.noiseVersion}, but this library has ${NOISE_VERSION}`,
    );
  }
  const placed = header.features?.includes("places");
  header.trainables.forEach((theirs, i) => {
    const ours = trainables.at(i);
    if (!ours || ours.name !== theirs.name) {
      throw refuse(
        `its trainable ${i} is "${theirs.name}", but the one given is "${ours?.name ?? "(none)"}"`,
      );
    }
    for (const key of [...trainableKeys, ...(placed ? placeKeys : [])]) {
      const [our, their] = [ours, theirs].map((one) => wordOf(one[key]));
      if (our !== their) {
        throw refuse(`"${theirs.name}" has ${key} ${their} in it, but ${our} here`);
      }
    }
  });
  if (trainables.length > header.trainables.length) {
    throw refuse(`the trainable "${trainables[header.trainables.length].name}" is not in it`);
  }
}
