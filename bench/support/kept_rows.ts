/**
 * Stores rows of finished runs in a file, one JSON object per line, so that an interrupted benchmark continues where it stopped.
 *
 * @module
 */

/** The rows of a file. Empty if it does not exist. */
export async function readRows<Row>(path: string): Promise<Row[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Row);
}

/** Appends a row to a file. */
export async function keepRow(path: string, row: unknown): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(row)}\n`, { append: true });
}
