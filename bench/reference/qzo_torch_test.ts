import { assertAlmostEquals, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  finetune,
  loadModel,
  openGpu,
  openModelSource,
  planOffsets,
  quantizedSource,
  qzo,
} from "../../mod.ts";
import { evaluate } from "../../train/mod.ts";
import { exists, sharedData } from "../../tests/support/shared_data.ts";
import { main, windowsOfCase } from "./export_case.ts";

// Not the first python3 of the path, which may be a version manager's: distributions package torch for their own.
const python = Deno.env.get("PYTHON") ?? "/usr/bin/python3";

async function runPython(...args: string[]): Promise<{ success: boolean; stdout: string }> {
  const command = new Deno.Command(python, { args, stdout: "piped", stderr: "null" });
  const { success, stdout } = await command.output();
  return { success, stdout: new TextDecoder().decode(stdout) };
}

const folder = sharedData("models/tinystories-656k");
const missing = !exists(folder)
  ? "no real models beside the repository"
  : !(await runPython("-c", "import torch, numpy").catch(() => ({ success: false }))).success
  ? `${python} has no torch`
  : undefined;

/** What qzo_torch.py says of a run. */
interface Run {
  readonly lossBefore: number;
  readonly firstTrainingLosses: readonly number[];
}

Deno.test({
  name: "torch and the library begin at the same losses, held out and batch by batch" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  fn: async () => {
    const steps = 3;
    const seed = 1;
    const directory = await Deno.makeTempDir();
    try {
      await main([directory, "--seeds", "2", "--steps", String(steps)]);
      // So little amplitude that both branches are the base, whatever the noise; and nothing moves.
      const script = fromFileUrl(new URL("./qzo_torch.py", import.meta.url));
      const { stdout } = await runPython(
        ...[script, directory, "--form", "relative", "--epsilon", "1e-9", "--lr", "0"],
        ...["--schedule", "constant", "--steps", String(steps), "--seed", String(seed)],
      );
      const torch = JSON.parse(stdout) as Run;

      using gpu = await openGpu();
      using source = quantizedSource(await openModelSource(folder), { format: "int4_g32" });
      using model = await loadModel(gpu, source);
      const { train, heldOut } = await windowsOfCase("stories", model.tokenizer!);
      const optimiser = qzo({ form: "relative", epsilon: 1e-9, learningRate: 0 });
      using offsets = planOffsets(model, optimiser.form, gpu.maxBinding).allocate(gpu);
      const objective = "language-modelling";
      const before = await evaluate(model, heldOut, { objective });
      assertAlmostEquals(torch.lossBefore, before.loss, 2e-5);
      const losses: number[] = [];
      for await (
        const event of finetune({
          ...{ model, optimiser, offsets, objective, train, batchSize: 8, steps, seed },
        })
      ) if (event.type === "step") losses.push(event.loss);
      assertEquals(losses.length, torch.firstTrainingLosses.length);
      losses.forEach((loss, i) => assertAlmostEquals(torch.firstTrainingLosses[i], loss, 2e-5));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
