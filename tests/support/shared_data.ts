/**
 * Real models and task files, which lie beside the repository and not in it.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

/** Path of `../shared/data/<path>`, seen from the repository's root. */
export function sharedData(path: string): string {
  return fromFileUrl(new URL(`../../../shared/data/${path}`, import.meta.url));
}

/** Whether a file or folder exists. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The stories of tinystories.txt: a blank line parts them, but paragraphs too, so openings are recognised. */
export function readStories(): string[] {
  const text = Deno.readTextFileSync(sharedData("tasks/text/tinystories.txt"));
  return text.split(/\n\s*\n(?=Once upon|One day)/);
}

/** The film reviews of reviews.txt. */
export function readReviews(): string[] {
  return Deno.readTextFileSync(sharedData("tasks/text/reviews.txt")).split("\n").filter(Boolean);
}
