/**
 * A ledger gives the same bits on the host and on every device.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { readScales } from "../../quant/mod.ts";
import { replayOnHost } from "../../train/mod.ts";
import { lavapipe, swiftShader } from "../support/vulkan_drivers.ts";
import { hashOf } from "../train/tiny_model.ts";
import { caseLedger, caseSource, replayCases } from "./replay_cases.ts";
import type { ReplayReport } from "./replay_child.ts";

let onHost: Promise<Record<string, string>> | undefined;

/** The hashes of all cases, replayed on the host. */
function hostHashes(): Promise<Record<string, string>> {
  return onHost ??= (async () => {
    const hashes: Record<string, string> = {};
    for (const replayCase of replayCases) {
      const source = await caseSource(replayCase);
      const offsets = await replayOnHost(source, await caseLedger(replayCase, source));
      hashes[replayCase.name] = await hashOf(offsets);
    }
    return hashes;
  })();
}

let ofMachine: Promise<ReplayReport> | undefined;

/** Replays in a process that sees one Vulkan driver only; this machine's own adapter is lavapipe where no GPU is there, and replays once. */
async function replayOn(driver: string | undefined, name: RegExp): Promise<ReplayReport> {
  ofMachine ??= replayIn(undefined);
  const own = await ofMachine;
  return driver === undefined || name.test(own.adapter) ? own : await replayIn(driver);
}

async function replayIn(driver: string | undefined): Promise<ReplayReport> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", fromFileUrl(import.meta.resolve("./replay_child.ts"))],
    // The second name is the one that older loaders know.
    env: driver ? { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver } : {},
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}

async function assertSameBits(driver: string | undefined, name: RegExp): Promise<void> {
  const { adapter, hashes, trained, trainedOnHost } = await replayOn(driver, name);
  assert(name.test(adapter), `the driver ${driver} gave the adapter "${adapter}"`);
  assertEquals(hashes, await hostHashes());
  assertEquals(trained, trainedOnHost);
}

Deno.test("replay: the cases reach the projections, and differ", async () => {
  const hashes = Object.values(await hostHashes());
  assertEquals(new Set(hashes).size, hashes.length);
  const [absolute, , relative] = replayCases;
  {
    const source = await caseSource(absolute);
    const offsets = await replayOnHost(source, await caseLedger(absolute, source));
    const stopped = { positive: 0, negative: 0 };
    for (const [name, values] of offsets) {
      const tensor = source.tensors.get(name)!;
      const scales = new Set(readScales(await tensor.read(0, tensor.rows)));
      for (const value of values) {
        if (value < 0 && scales.has(-value)) stopped.positive++;
        if (value > 0 && scales.has(-value)) stopped.negative++;
      }
    }
    assert(stopped.positive > 20 && stopped.negative > 20, JSON.stringify(stopped));
  }
  const source = await caseSource(relative);
  const ledger = await caseLedger(relative, source);
  const last = [...(await replayOnHost(source, ledger)).values()].flatMap((it) => [...it]);
  assert(last.filter((value) => value === -1).length > 5 && Math.min(...last) === -1);
  const before = await replayOnHost(source, ledger, { steps: ledger.records.length - 1 });
  assertNotEquals(last, [...before.values()].flatMap((it) => [...it]));
});

Deno.test("replay: the same bits on this machine's adapter", async () => {
  await assertSameBits(undefined, /./);
});

Deno.test(
  `replay: the same bits on lavapipe${
    lavapipe ? "" : ": skipped, it or the Vulkan loader is not installed"
  }`,
  {
    ignore: lavapipe === undefined,
  },
  async () => {
    await assertSameBits(lavapipe, /llvmpipe/i);
  },
);

Deno.test(
  `replay: the same bits on SwiftShader${
    swiftShader ? "" : ": skipped, scripts/test_tools.sh has not installed it"
  }`,
  { ignore: swiftShader === undefined },
  async () => {
    await assertSameBits(swiftShader, /swiftshader/i);
  },
);
