import { assert } from "@std/assert";
import { openGpu } from "../../../kernels/mod.ts";
import { loadModel, openModelSource } from "../../../models/mod.ts";

/** Resident memory of this process, in MiB. */
const resident = () => Deno.memoryUsage().rss / 2 ** 20;

// Writes that are queued and never submitted are kept by the device: 1.3 MiB a load here.
Deno.test("loading a model and disposing of it leaves memory as it was", async () => {
  using gpu = await openGpu();
  using source = await openModelSource("demo/model.gguf");
  const load = async (times: number) => {
    for (let i = 0; i < times; i++) {
      using _model = await loadModel(gpu, source, { maxPositions: 64 });
    }
  };
  await load(60);
  const [before, account] = [resident(), gpu.memory.total];
  await load(100);
  assert(resident() - before < 40, `${before} MiB before, ${resident()} MiB after`);
  assert(gpu.memory.total === account);
});
