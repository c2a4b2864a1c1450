/**
 * `qzo doctor`: which adapter this machine has, whether it computes correctly, and what to install if something is missing.
 *
 * @module
 */
import {
  type Gpu,
  type GpuOptions,
  NoAdapterError,
  openGpu,
  type SelfCheck,
  selfCheck,
  subgroupSizes,
  type WideVectors,
  wideVectors,
} from "../../kernels/mod.ts";
import { basename } from "@std/path";
import type { DeviceConfig } from "../../train/mod.ts";
import { gpuOptions } from "../../train/runs/session.ts";
import type { Call, Command } from "../command.ts";
import { driverHints, type Machine, thisMachine } from "../driver_hints.ts";
import { formatBytes } from "../../show/progress.ts";
import { facts, grouped, status, table, type Terminal } from "../../show/terminal.ts";

/** Time for the checks in milliseconds, unless all are asked for. */
const CHECK_FOR = 1000;

/** `qzo doctor`. */
export const doctorCommand: Command = {
  name: "doctor",
  summary:
    "show the GPU adapter, its features and limits, test its kernels, and say what is missing",
  positional: "device",
  first: ["device", "all", "json"],
  examples: ["doctor", "doctor --all", "doctor config.yaml --json"],
  options: {
    device: {
      kind: "text",
      doc: "high-performance, low-power, or a part of the adapter's name [the configuration's]",
    },
    all: { kind: "flag", doc: "run every check, however long the driver takes to compile" },
    json: { kind: "flag", doc: "print JSON" },
  },
  keys: [],
  run: async (call) => await examine(call, thisMachine()),
};

/** The printed report on an adapter. */
interface Report {
  readonly adapter: string;
  readonly vendor: string;
  readonly class: string;
  readonly drivers: readonly string[];
  readonly features: readonly string[];
  readonly subgroups:
    | { readonly min: number; readonly max: number; readonly seen: number[] }
    | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly wideVectors: { readonly on: boolean; readonly reason: string };
  readonly checks: SelfCheck["checks"];
  readonly left: readonly string[];
  readonly hints: readonly string[];
}

/** The device settings of the named configuration or run, if any. `--device` overrides their adapter. */
function wantedDevice({ options, config, configPath, runPath }: Call): GpuOptions {
  const adapter = options.text("device");
  const { device } = configPath === undefined && runPath === undefined
    ? { device: {} as Partial<DeviceConfig> }
    : config();
  return gpuOptions({ device: { activations: 0, ...device, ...adapter ? { adapter } : {} } });
}

async function examine(call: Call, machine: Machine): Promise<void> {
  const { options, terminal, signal } = call;
  const wanted = wantedDevice(call);
  const json = options.flag("json");
  let gpu: Gpu;
  try {
    gpu = await openGpu(wanted);
  } catch (error) {
    if (!(error instanceof NoAdapterError) || wanted.adapter !== undefined) throw error;
    const hints = driverHints(machine, "none");
    if (json) terminal.out(JSON.stringify({ adapter: null, drivers: machine.drivers, hints }));
    else advise(terminal, hints);
    throw error;
  }
  using opened = gpu;
  status(terminal, "Checking kernels");
  const milliseconds = options.flag("all") ? Infinity : CHECK_FOR;
  const { checks, left } = await selfCheck(opened, { milliseconds, signal });
  const seen = await subgroupSizes(opened);
  status(terminal, "");
  const report: Report = {
    adapter: opened.description,
    vendor: opened.vendor,
    class: opened.adapterClass,
    drivers: machine.drivers,
    features: [...opened.features].sort(),
    subgroups: opened.subgroups === undefined ? null : { ...opened.subgroups, seen },
    limits: opened.limits,
    wideVectors: told(wideVectors()),
    checks,
    left,
    hints: hintsFor(opened, machine),
  };
  if (json) terminal.out(JSON.stringify(report));
  else print(terminal, report);
  const wrong = checks.filter(({ right }) => !right).map(({ name }) => name);
  if (wrong.length > 0) {
    throw new Error(
      `Cannot trust the adapter "${opened.description}": it computes wrong results: ${
        wrong.join("; ")
      }. Update its driver, or choose another adapter`,
    );
  }
}

function told(wide: WideVectors | undefined): Report["wideVectors"] {
  return { on: wide?.on ?? false, reason: wide?.reason ?? "no adapter was asked for" };
}

function hintsFor(gpu: Gpu, machine: Machine): string[] {
  const hints: string[] = [];
  if (gpu.adapterClass === "software") hints.push(...driverHints(machine, "software"));
  else if (machine.os === "windows" && gpu.subgroups === undefined) {
    hints.push(
      "The device has no subgroups, as with Direct3D's old compiler: it may be faster with DENO_WEBGPU_BACKEND=vulkan",
    );
  }
  return hints;
}

function print(terminal: Terminal, report: Report): void {
  const { limits, subgroups, checks, left, hints } = report;
  const software = report.class === "software";
  facts(terminal, [
    ["adapter", `${report.adapter}${software ? " (software: it runs on the CPU)" : ""}`],
    ["vendor", report.vendor],
    report.drivers.length > 0
      ? ["drivers", report.drivers.map((path) => basename(path)).join(", ")]
      : undefined,
    ["features", report.features.join(", ") || "none"],
    [
      "subgroups",
      subgroups === null
        ? "not granted"
        : `granted, ${subgroups.min} to ${subgroups.max} lanes; seen: ${subgroups.seen.join(", ")}`,
    ],
    software
      ? ["512 bits", `${report.wideVectors.on ? "on" : "off"}: ${report.wideVectors.reason}`]
      : undefined,
    ["buffers", `at most ${formatBytes(limits.maxBufferSize)}`],
    ["bindings", `at most ${formatBytes(limits.maxStorageBufferBindingSize)}`],
    [
      "workgroups",
      `${grouped(limits.maxComputeInvocationsPerWorkgroup)} invocations, ${
        formatBytes(limits.maxComputeWorkgroupStorageSize)
      } of memory`,
    ],
  ]);
  terminal.out("");
  for (
    const line of table(
      checks.map(({ name, right, found }) => [right ? "ok" : "WRONG", name, found]),
    )
  ) terminal.out(line);
  if (left.length > 0) {
    terminal.out(`${left.length} more checks did not fit into a second; --all runs them`);
  }
  advise(terminal, hints);
}

function advise(terminal: Terminal, hints: readonly string[]): void {
  if (hints.length === 0) return;
  terminal.out("");
  terminal.out("For a GPU");
  for (const hint of hints) terminal.out(`- ${hint}`);
}
