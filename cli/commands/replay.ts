/**
 * `qzo replay`: rebuilds the offsets of a ledger on the device and on the host, which must agree bit for bit.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { replayOnHost } from "../../train/mod.ts";
import type { Command } from "../command.ts";
import { facts, grouped, status } from "../../show/terminal.ts";
import { besideOf, chosenLedger, loadSession, tunedOffsets, tunedOptions } from "../tuned.ts";
import { UsageError } from "../usage_error.ts";

type Offsets = ReadonlyMap<string, Float32Array>;

/** `qzo replay`. */
export const replayCommand: Command = {
  name: "replay",
  summary:
    "rebuild a fine-tune from its ledger on both device and host, and compare them bit for bit",
  positional: "ledger",
  first: ["ledger", "model", "step", "json"],
  examples: [
    "replay runs/a",
    "replay --model model.gguf --ledger runs/a/run.ledger --step 100",
  ],
  options: { ...tunedOptions, json: { kind: "flag", doc: "print JSON" } },
  keys: ["model", "device", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    const chosen = await chosenLedger(call);
    if (!chosen) throw new UsageError("Missing --ledger, for example --ledger runs/a/run.ledger");
    const { ledger, steps, path } = chosen;
    if (ledger.header.exact) {
      throw new TypeError(
        `Cannot replay "${path}": its gradients were exact and cannot be regenerated from seeds. Its offsets are in the state files next to it, which evaluate, generate and export use`,
      );
    }
    using session = await loadSession(call.config(), call, { beside: besideOf(chosen, call) });
    using offsets = await tunedOffsets(session, chosen, call);
    const device = await offsets.read(session.gpu);
    status(terminal, `Replaying ${steps} steps on the host`);
    const host = await replayOnHost(session.source, ledger, { steps, signal });
    status(terminal, "");
    const differing = differences(device, host);
    const hash = hashOf(device);
    const report = {
      ledger: path,
      steps,
      scalars: offsets.scalars,
      device: session.gpu.description,
      agree: differing === 0,
      differing,
      sha256: hash,
    };
    if (options.flag("json")) terminal.out(JSON.stringify(report));
    else {
      facts(terminal, [
        ["ledger", `${path}, ${grouped(ledger.records.length)} steps`],
        ["replayed", `${grouped(steps)} steps of ${grouped(offsets.scalars)} scalars`],
        ["device", session.gpu.description],
        ["bits", differing === 0 ? "device and host agree" : `${grouped(differing)} differ`],
        ["sha256", hash],
      ]);
    }
    if (differing > 0) {
      throw new RangeError(
        `Replay of "${path}" differs between "${session.gpu.description}" and the host in ${differing} offsets`,
      );
    }
  },
};

/** Number of offsets that differ in any bit. Infinite if a tensor is missing or has another length. */
function differences(a: Offsets, b: Offsets): number {
  let count = 0;
  for (const [name, values] of a) {
    const other = b.get(name);
    if (other?.length !== values.length) return Infinity;
    const [x, y] = [bits(values), bits(other)];
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) count++;
  }
  return count;
}

function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** SHA-256 over the offsets of all tensors, by name. */
function hashOf(offsets: Offsets): string {
  const hash = createHash("sha256");
  for (const name of [...offsets.keys()].sort()) {
    const values = offsets.get(name);
    if (values) hash.update(name).update(bits(values));
  }
  return hash.digest("hex");
}
