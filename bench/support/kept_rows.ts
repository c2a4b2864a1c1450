/**
 * Rows of finished runs in a file, one JSON object a line, so that a bench that is interrupted goes on where it was.
 *
 * @module
 */

/** The rows of a file; none where there is no file. */
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

/** Puts a row behind those of a file. */
export async function keepRow(path: string, row: unknown): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(row)}\n`, { append: true });
}
