/**
 * Fingerprints by which older versions of this library identified a base model.
 *
 * @module
 */

/**
 * Whether a base model is identified by a fingerprint of older versions of this library, a plain SHA-256. It covers the first and last rows of
 * each tensor, but not those between them.
 */
export function isOlderFingerprint(model: string): boolean {
  return /^[0-9a-f]{64}$/.test(model);
}

/** Message for the user if {@linkcode isOlderFingerprint} is true and the base model matches as far as can be checked. */
export const OLDER_FINGERPRINT =
  "its base is identified by an older fingerprint, middle rows unchecked: any base with the same first and last rows is accepted";
