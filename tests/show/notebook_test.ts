import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { display, folderWith, LiveCurve, stoppable, Table } from "../../show/notebook.ts";
import { root } from "../repository/module_graph.ts";
import { writeTinyTask } from "../cli/tiny_model.ts";
import { sampled } from "../support/sampled.ts";

const script = fromFileUrl(new URL("../support/run_notebook.py", import.meta.url));

interface Output {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly text?: string;
}

interface Ran {
  readonly cells: readonly { readonly cell_type: string; readonly outputs?: readonly Output[] }[];
  readonly messages: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

async function attempt(program: string, args: string[], env: Record<string, string> = {}) {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1", ...env },
    }).output();
    const decoder = new TextDecoder();
    return { success, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  } catch (error) {
    return { success: false, out: "", err: String(error) };
  }
}

/** A Python with nbclient: Debian's own, or the one in PATH. */
async function findPython(): Promise<string | undefined> {
  for (const python of ["/usr/bin/python3", "python3"]) {
    if ((await attempt(python, ["-c", "import nbclient, nbformat"])).success) return python;
  }
  return undefined;
}

/** Runs a notebook under the real kernel, or says why it cannot. */
async function underKernel(
  use: (run: (file: string, from: string, stopAfter?: number) => Promise<Ran>) => Promise<void>,
): Promise<void> {
  const python = await findPython();
  if (python === undefined) {
    console.log(
      "skipped, because there is no Python with nbclient (Debian's python3-nbclient; scripts/test_tools.sh installs it)",
    );
    return;
  }
  const home = await Deno.makeTempDir({ prefix: "qzo-jupyter-" });
  try {
    const installed = await attempt(Deno.execPath(), ["jupyter", "--install"], {
      XDG_DATA_HOME: home,
    });
    assert(installed.success, installed.err);
    await use(async (file, from, stopAfter) => {
      const args = [script, file, from, ...stopAfter === undefined ? [] : [String(stopAfter)]];
      const ran = await attempt(python, args, { JUPYTER_PATH: join(home, "jupyter") });
      assert(ran.success, ran.err);
      return JSON.parse(ran.out);
    });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** Checks what examples/notebook.ipynb must have shown. */
function assertShown({ cells, messages }: Ran, steps: number): void {
  const outputs = cells.map((cell) => cell.outputs ?? []);
  const errors = outputs.flat().filter((it) => !["display_data"].includes(it.output_type));
  assertEquals(errors, []);
  const pictures = outputs.findIndex(([first]) => first?.data?.["image/svg+xml"]);
  const [picture, ...others] = outputs[pictures];
  assertEquals(others, []);
  assertStringIncludes(picture.data!["text/plain"], `step ${steps}, loss`);
  assertMatch(picture.data!["image/svg+xml"], /^<svg [^]*<\/svg>\s*$/);
  // Live: drawn while it ran, over the picture before, at the end at least.
  const { display_data, update_display_data = 0 } = messages[pictures];
  assertEquals(display_data, 1);
  assert(update_display_data >= (steps > 50 ? 5 : 1), `${update_display_data} updates`);
  const tables = outputs.flat().flatMap((it) => it.data?.["text/html"] ?? []);
  assertEquals(tables.length, 2);
  assertMatch(tables[1], /^<table>.*<td>before<\/td>.*<td>after<\/td>/);
}

Deno.test("notebook: it runs top to bottom under a Jupyter kernel, from its folder and from the root", async () => {
  const notebook = join(root, "examples", "notebook.ipynb");
  await underKernel(async (run) => {
    const text = await Deno.readTextFile(notebook);
    const short = await Deno.makeTempFile({ suffix: ".ipynb" });
    try {
      // The same, but for its length.
      const changed = text.replace("const steps = 300;", "const steps = 20;").replace(
        "warmup: 20",
        "warmup: 2",
      );
      assert(changed !== text);
      await Deno.writeTextFile(short, changed);
      assertShown(await run(short, root), 20);
      // From its folder on a quarter of the days at its length, which takes half a minute of two cores.
      const [steps] = sampled("notebook", [300, 20, 20, 20], 1 / 4);
      assertShown(await run(steps === 300 ? notebook : short, join(root, "examples")), steps);
    } finally {
      await Deno.remove(short);
    }
  });
});

Deno.test("notebook: the stop button ends the fine-tune, not the kernel", async () => {
  await underKernel(async (run) => {
    const folder = await Deno.makeTempDir({ prefix: "qzo-notebook-" });
    try {
      const { model } = await writeTinyTask(folder);
      const sources = [
        `import * as qzo from "@qzo/qzo";
import { LiveCurve, stoppable, display, Table } from "@qzo/qzo/notebook";
const gpu = await qzo.openGpu();
const stored = await qzo.openModelSource(${JSON.stringify(model)});
const model = await qzo.loadModel(gpu, qzo.quantizedSource(stored, { format: "Q4_0" }));
const rows = qzo.readExamples(await Deno.readTextFile(${
          JSON.stringify(join(folder, "train.jsonl"))
        }), "jsonl");
const template = { name: "tiny", prompt: "{text}", labels: { "0": "x", "1": "y" } };
const train = rows.map((row) => qzo.tokeniseExample(model.tokenizer!, qzo.renderExample(template, row)));`,
        `const optimiser = qzo.qzoNormalised({ learningRate: 0.001 });
const offsets = qzo.planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
const curve = new LiveCurve();
let end = "";
await stoppable(async (signal) => {
  const options = { model, optimiser, offsets, train, steps: 1e6, signal };
  for await (const event of qzo.finetune({ ...options, objective: "classification" })) {
    await curve.add(event);
    if (event.type === "end") end = event.reason;
  }
});`,
        `await display(new Table([{ end, model: model.fingerprint.length > 10 ? "there" : "gone" }]));`,
      ];
      const notebook = {
        cells: sources.map((source, i) => ({
          ...{ cell_type: "code", id: `cell-${i}`, metadata: {}, source },
          ...{ outputs: [], execution_count: null },
        })),
        metadata: {},
        nbformat: 4,
        nbformat_minor: 5,
      };
      const path = join(folder, "stop.ipynb");
      await Deno.writeTextFile(path, JSON.stringify(notebook));
      const { cells } = await run(path, root, 1);
      assertEquals(
        cells[2].outputs?.[0]?.data?.["text/plain"],
        "end      model\naborted  there",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});

Deno.test("notebook: outside of one nothing is displayed, and markup in cells stays text", async () => {
  const curve = new LiveCurve();
  await display(new Table([{ a: 1 }]));
  const event = { type: "step", step: 1, loss: 0.5, losses: [], derivatives: [] } as const;
  const pace = { seconds: 1, millisecondsPerStep: 1 };
  await curve.add({ ...event, coefficients: [], tokensPerSecond: 1, ...pace });
  assertStringIncludes(curve.bundle()["image/svg+xml"], "<svg");
  const table = new Table([{ "<b>": '<img src="x">&' }, { other: "\u001b[31m" }]);
  const html = table.bundle()["text/html"];
  assertStringIncludes(html, "<th>&lt;b&gt;</th><th>other</th>");
  assertStringIncludes(html, "<td>&lt;img src=&quot;x&quot;&gt;&amp;</td>");
  assertEquals(html.includes("\u001b"), false);
  const shown: unknown = Reflect.get(table, Symbol.for("Jupyter.display"));
  assert(typeof shown === "function");
  assertEquals(shown.call(table), table.bundle());
  assertEquals(await stoppable(() => Promise.resolve(3)), 3);
  assertEquals(folderWith("deno.json"), Deno.cwd());
});
