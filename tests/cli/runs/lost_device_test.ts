/**
 * A driver that takes the device away in the middle of a run by the command line.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { runCli } from "../../../cli/main.ts";
import { readLedger } from "../../../optim/mod.ts";
import { capture } from "../capture.ts";
import { writeTinyTask } from "../tiny_model.ts";

Deno.test("a device lost while training is opened anew, and the run ends with the bits of an unbroken one", async () => {
  const folder = await Deno.makeTempDir();
  const { config } = await writeTinyTask(folder);
  const devices: GPUDevice[] = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    devices.push(device);
    return device;
  };
  const run = async (name: string, loseAt: string | undefined) => {
    const terminal = capture();
    const { write } = terminal.progress;
    let lost = false;
    const lose = (text: string) => {
      write(text);
      if (!loseAt || lost || !text.includes(loseAt)) return;
      lost = true;
      devices.at(-1)!.destroy();
    };
    Object.assign(terminal.progress, { write: lose });
    const output = join(folder, name);
    const code = await runCli(["finetune", config, "--output", output], { terminal });
    assertEquals(code, 0, terminal.noted);
    const { records } = readLedger(await Deno.readFile(join(output, "run.ledger")));
    return {
      noted: terminal.noted,
      steps: [...records].map(({ coefficients, state }) => [coefficients, state]),
    };
  };
  try {
    const whole = await run("whole", undefined);
    assertEquals(devices.length, 1);
    const broken = await run("broken", "step 3");
    assertEquals(devices.length, 3, broken.noted);
    assertEquals(broken.steps, whole.steps);
    assert(whole.steps.length === 6);
    assertStringIncludes(broken.noted, "lost");
    assertStringIncludes(broken.noted, "reopened, with at most 125 ms");
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
    await Deno.remove(folder, { recursive: true });
  }
});
