import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { shaderModule, staleShaders } from "../../scripts/shaders.ts";
import { root } from "./module_graph.ts";

Deno.test("shaders: the modules made of them are current; if not, run `deno task shaders`", async () => {
  assertEquals((await staleShaders(root)).map(({ path }) => path), []);
});

Deno.test("shaders: a module says exactly what its shader says", async () => {
  for (
    const text of [
      "",
      "a\n",
      "// `x` and ${y}, \\n, \\` and $ {\n",
      "// a\\\n`${`${}`}`",
      'let x = "\u2028é";\n',
    ]
  ) {
    const module = shaderModule("x.wgsl", text);
    const url = `data:text/typescript;charset=utf-8,${encodeURIComponent(module)}`;
    assertEquals((await import(url)).default, text);
    assertEquals(shaderModule("x.wgsl", text.replaceAll("\n", "\r\n")), module);
  }
});

Deno.test("shaders: what is changed, missing or left over is seen", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const wgsl = join(folder, "kernels/step");
    await Deno.mkdir(wgsl, { recursive: true });
    const write = (name: string, text: string) => Deno.writeTextFile(join(wgsl, name), text);
    await write("current.wgsl", "a\n");
    await write("current.wgsl.ts", shaderModule("current.wgsl", "a\n"));
    await write("changed.wgsl", "b\n");
    await write("changed.wgsl.ts", shaderModule("changed.wgsl", "a\n"));
    await write("missing.wgsl", "c\n");
    await write("left.wgsl.ts", shaderModule("left.wgsl", "d\n"));
    assertEquals(await staleShaders(folder), [
      { path: "kernels/step/changed.wgsl.ts", text: shaderModule("changed.wgsl", "b\n") },
      { path: "kernels/step/left.wgsl.ts", text: undefined },
      { path: "kernels/step/missing.wgsl.ts", text: shaderModule("missing.wgsl", "c\n") },
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
