/**
 * Writes the bases that peft_vectors.py puts adapters beside.
 *
 * @module
 */
import { join } from "@std/path";
import { writeRandomFolder } from "../../models/random_folder.ts";
import { peftBases, promptBases } from "./peft_cases.ts";

for (const [name, config] of Object.entries({ ...peftBases, ...promptBases })) {
  const folder = join(Deno.args[0], name);
  await Deno.mkdir(folder, { recursive: true });
  await writeRandomFolder(folder, config);
}
