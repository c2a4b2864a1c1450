import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { driverHints, type Machine } from "../../../cli/driver_hints.ts";
import { RIGHTS } from "../../../cli/invocation.ts";

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));

async function doctor(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; error: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...RIGHTS.split(" "), "--no-check", main, "doctor", ...args],
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), error: decoder.decode(stderr) };
}

Deno.test("doctor: adapter, features, limits and checks, as text and as JSON", async () => {
  const { code, out, error } = await doctor([]);
  assertEquals(code, 0, error);
  for (const name of ["adapter", "vendor", "features", "subgroups", "buffers", "workgroups"]) {
    assert(new RegExp(`^${name} +\\S`, "m").test(out), `${name}: ${out}`);
  }
  assert(/^ok +offsets of a replayed step +0 of \d+/m.test(out), out);
  const report = JSON.parse((await doctor(["--json"])).out);
  assert(report.checks.length > 0);
  for (const { name, right } of report.checks) assert(right, name);
  assertEquals(report.subgroups !== null, report.features.includes("subgroups"));
  if (report.subgroups) assert(report.subgroups.seen.length > 0);
  assert(report.limits.maxBufferSize > 0);
});

Deno.test("doctor: without an adapter it says what to install and fails", async () => {
  const nowhere = {
    DENO_WEBGPU_BACKEND: "vulkan",
    VK_DRIVER_FILES: "/nowhere/driver.json",
    VK_ICD_FILENAMES: "/nowhere/driver.json",
  };
  const { code, out, error } = await doctor([], nowhere);
  assertEquals(code, 1, out);
  assert(error.includes("Cannot open a GPU: WebGPU found no adapter"), error);
  if (Deno.build.os === "linux") assert(out.includes("names /nowhere/driver.json"), out);
  const json = await doctor(["--json"], nowhere);
  assertEquals(json.code, 1);
  const { adapter, hints } = JSON.parse(json.out);
  assertEquals(adapter, null);
  assert(hints.length > 0);
});

Deno.test("doctor: an adapter of another name is an error that names this one", async () => {
  const { code, error } = await doctor(["no such adapter"]);
  assertEquals(code, 1);
  assert(error.includes('Cannot open the adapter "no such adapter": this machine offers'), error);
});

Deno.test("doctor: hints follow the system and what of it is there", () => {
  const machine = (over: Partial<Machine>): Machine => ({
    os: "linux",
    release: undefined,
    loaders: [],
    drivers: [],
    named: undefined,
    ...over,
  });
  const first = (over: Partial<Machine>) => driverHints(machine(over), "none")[0];
  const release = (text: string) => first({ release: text });
  assert(release("ID=ubuntu\nID_LIKE=debian\n").endsWith("apt install libvulkan1"));
  assert(
    release('ID="rocky"\nID_LIKE="rhel centos fedora"\n').endsWith("dnf install vulkan-loader"),
  );
  assert(release('ID="opensuse-leap"\n').endsWith("zypper install libvulkan1"));
  assert(release("ID=arch\n").endsWith("pacman -S vulkan-icd-loader"));
  assert(release("ID=alpine\n").endsWith("apk add vulkan-loader"));
  assertEquals(release("ID=unheard\n"), "Install the Vulkan loader");
  const loaders = ["/usr/lib/libvulkan.so.1"];
  assert(first({ loaders, release: "ID=debian\n" }).endsWith("apt install mesa-vulkan-drivers"));
  const named = { variable: "VK_DRIVER_FILES", missing: ["/x.json"] };
  assert(first({ named }).startsWith("VK_DRIVER_FILES names /x.json"));
  assert(
    driverHints(machine({ loaders, drivers: ["/d.json"] }), "none").at(-1)!.includes("render"),
  );
  assert(first({ os: "darwin" }).includes("Metal"));
  assert(first({ os: "windows" }).includes("NVIDIA, AMD or Intel"));
});
