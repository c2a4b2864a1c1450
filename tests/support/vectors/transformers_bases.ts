/**
 * Writes the folders that transformers_vectors.py computes.
 *
 * @module
 */
import { join } from "@std/path";
import { writeRandomFolder } from "../../models/random_folder.ts";
import { SMALL_CONFIGS, SMALL_VARIANTS } from "../../models/small_configs.ts";

for (const [name, config] of Object.entries({ ...SMALL_CONFIGS, ...SMALL_VARIANTS })) {
  const folder = join(Deno.args[0], name);
  await Deno.mkdir(folder, { recursive: true });
  await writeRandomFolder(folder, config, { seed: 5 });
}
