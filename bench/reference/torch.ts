/**
 * Runs qzo_torch.py and other scripts that use PyTorch.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

// Not the first python3 in PATH, which may belong to a version manager, because distributions package torch for their own Python.
const python = Deno.env.get("PYTHON") ?? "/usr/bin/python3";

/** The output of qzo_torch.py for a run. */
export interface TorchRun {
  /** Held-out loss before training, in nats. */
  readonly lossBefore: number;
  /** Pairs of number of steps and held-out loss. */
  readonly curve: readonly (readonly [number, number])[];
  /** Root mean square of the directional derivatives before any transformation. */
  readonly derivativeRms: number;
  /** Directional derivatives of the first steps. */
  readonly derivatives: readonly number[];
  /** Mean losses over both branches in the first steps. */
  readonly firstTrainingLosses: readonly number[];
}

async function runPython(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const command = new Deno.Command(python, { args: [...args], stdout: "piped", stderr: "piped" });
  const output = await command.output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((b) => new TextDecoder().decode(b));
  if (output.success) return { stdout, stderr };
  throw new Error(`Cannot run ${python} ${args.join(" ")}: ${stderr.trim().split("\n").at(-1)}`);
}

/** Why torch cannot be run on this machine. Undefined if it can. */
export async function torchMissing(): Promise<string | undefined> {
  try {
    await runPython(["-c", "import torch, numpy"]);
    return undefined;
  } catch {
    return `${python} has no torch`;
  }
}

/** Runs a script next to this file and returns what it prints. Throws an Error with the last line if it fails. */
export async function runTorchScript(name: string, args: readonly string[]): Promise<string> {
  const script = fromFileUrl(new URL(`./${name}`, import.meta.url));
  return (await runPython([script, ...args])).stdout;
}

/** Runs qzo_torch.py on a folder written by export_case.ts. Throws an Error with the last line if it fails. */
export async function runTorch(folder: string, args: readonly string[]): Promise<TorchRun> {
  return JSON.parse(await runTorchScript("qzo_torch.py", [folder, ...args])) as TorchRun;
}
