import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  type RuntimeFolderHost,
  withRuntimeFolder,
} from "../../../kernels/device/runtime_folder.ts";
import { root } from "../../../scripts/package_copy.ts";

function host(over: Partial<RuntimeFolderHost>, before?: string) {
  const values: (string | undefined)[] = [before];
  const made: RuntimeFolderHost = {
    os: "linux",
    may: () => true,
    get: () => values.at(-1),
    set: (_, value) => values.push(value),
    ...over,
  };
  return { made, values };
}

Deno.test("the loader's folder is there while the adapter is asked for, and gone behind it", async () => {
  const { made, values } = host({});
  assertEquals(await withRuntimeFolder(() => Promise.resolve(values.at(-1)), made), "/tmp");
  assertEquals(values, [undefined, "/tmp", undefined]);
  await assertRejects(() => withRuntimeFolder(() => Promise.reject(new Error("none")), made));
  assertEquals(values.at(-1), undefined);
  // Two at once: the last one puts it back.
  const slow = Promise.withResolvers<void>();
  const first = withRuntimeFolder(() => slow.promise, made);
  assertEquals(await withRuntimeFolder(() => Promise.resolve(values.at(-1)), made), "/tmp");
  assertEquals(values.at(-1), "/tmp");
  slow.resolve();
  await first;
  assertEquals(values.at(-1), undefined);
});

Deno.test("what is set, what may not be set and other systems stay as they are", async () => {
  for (
    const [over, before] of [[{}, "/run/user/1"], [{ may: () => false }], [{ os: "darwin" }]] as [
      Partial<RuntimeFolderHost>,
      string?,
    ][]
  ) {
    const { made, values } = host(over, before);
    assertEquals(await withRuntimeFolder(() => Promise.resolve(values.length), made), 1);
    assertEquals(values, [before]);
  }
});

Deno.test("a script without a desktop opens a device in silence, and its variables are as they were", async () => {
  const program = `import { openGpu } from "@qzo/qzo/kernels";
using gpu = await openGpu().catch(() => undefined);
console.log(Deno.env.get("XDG_RUNTIME_DIR") ?? "not set");`;
  const env = Deno.env.toObject();
  delete env.XDG_RUNTIME_DIR;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", join(root, "deno.json"), program],
    env: { ...env, NO_COLOR: "1" },
    clearEnv: true,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([text(stdout).trim(), text(stderr).trim()], ["not set", ""]);
});
