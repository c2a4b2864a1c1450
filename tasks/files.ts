/**
 * Reading data files from disk.
 *
 * @module
 */
import { join } from "@std/path";
import { readFileBytes } from "../models/read_file.ts";
import { readTask, type Split, type Task } from "./task.ts";
import type { RenderedExample } from "./template.ts";

/**
 * The text of a file: UTF-8 if it is valid, else Latin-1, as old data sets are.
 *
 * @throws what `Deno.readFile` throws.
 */
export async function readDataFile(path: string): Promise<string> {
  const bytes = await readFileBytes(path, "data");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/**
 * The examples of a task's split.
 *
 * @param folder where the task's files are.
 * @throws RangeError if the task has no such split; what reading and {@linkcode readTask} throw.
 */
export async function loadTask(
  task: Task,
  split: Split,
  folder: string,
): Promise<RenderedExample[]> {
  const file = task.files[split];
  if (file === undefined) {
    const known = Object.keys(task.files).join(", ");
    throw new RangeError(
      `Cannot load ${task.name}: it has no split ${JSON.stringify(split)}, known are ${known}`,
    );
  }
  return readTask(task, await readDataFile(join(folder, file)), file);
}
