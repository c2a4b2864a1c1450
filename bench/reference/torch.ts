/**
 * Runs of qzo_torch.py.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

// Not the first python3 of the path, which may be a version manager's: distributions package torch for their own.
const python = Deno.env.get("PYTHON") ?? "/usr/bin/python3";

/** What qzo_torch.py says of a run. */
export interface TorchRun {
  /** Held out, in nats. */
  readonly lossBefore: number;
  /** Steps made and held-out loss. */
  readonly curve: readonly (readonly [number, number])[];
  /** Root mean square of the directional derivatives, before anything is done to them. */
  readonly derivativeRms: number;
  /** Directional derivatives of the first steps. */
  readonly derivatives: readonly number[];
  /** Means over both branches of the first steps. */
  readonly firstTrainingLosses: readonly number[];
}

async function runPython(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const command = new Deno.Command(python, { args: [...args], stdout: "piped", stderr: "piped" });
  const output = await command.output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((b) => new TextDecoder().decode(b));
  if (output.success) return { stdout, stderr };
  throw new Error(`Cannot run ${python} ${args.join(" ")}: ${stderr.trim().split("\n").at(-1)}`);
}

/** Why torch cannot be run on this machine; undefined if it can. */
export async function torchMissing(): Promise<string | undefined> {
  try {
    await runPython(["-c", "import torch, numpy"]);
    return undefined;
  } catch {
    return `${python} has no torch`;
  }
}

/** What a script beside this file prints; throws an Error with its last line if it fails. */
export async function runTorchScript(name: string, args: readonly string[]): Promise<string> {
  const script = fromFileUrl(new URL(`./${name}`, import.meta.url));
  return (await runPython([script, ...args])).stdout;
}

/** Runs it on a folder of export_case.ts; throws an Error with its last line if it fails. */
export async function runTorch(folder: string, args: readonly string[]): Promise<TorchRun> {
  return JSON.parse(await runTorchScript("qzo_torch.py", [folder, ...args])) as TorchRun;
}
