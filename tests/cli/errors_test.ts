import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { COMMANDS } from "../../cli/main.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The error that a command line ends with. */
async function refused(...args: string[]): Promise<string> {
  const terminal = capture();
  assertEquals(await runCli(args, { terminal }), 1, `${args.join(" ")}: ${terminal.noted}`);
  return terminal.noted.trimEnd().split("\n").at(-1)!;
}

/** What was attempted comes first, and no message is the system's own. */
function assertInWords(text: string, args: readonly string[]): void {
  assert(
    !/\(os error|No such file|Is a directory|Permission denied \(|^Requires /.test(text),
    text,
  );
  assertMatch(text, /^(?:Cannot|Missing|Unknown) /, args.join(" "));
}

/** Command lines whose file, model or folder is `path`, by command; bad as the path is, no word of theirs is the system's. */
function commandLines(path: string, { model, data }: { model: string; data: string }): string[][] {
  const task = ["--task", "language-modelling", "--data", data];
  const texts = ["--data.train", "t.txt", "--data.validation", "t.txt"];
  const output = join(data, "made");
  return [
    ["finetune", path],
    ["finetune", "--model", path, ...task, ...texts, "--output", output],
    ["finetune", "--model", model, ...task, "--data.train", path, "--output", output],
    ["finetune", "--model", model, ...task, ...texts, "--resume", "--output", path],
    ["finetune", path, "t.txt"],
    ["finetune", model, path, "--output", output],
    ["evaluate", path],
    ["evaluate", "--model", path, ...task, ...texts],
    ["evaluate", "--model", model, ...task, "--data.train", path, "--data.validation", path],
    ["evaluate", "--model", model, ...task, ...texts, "--ledger", path],
    ["evaluate", "--model", model, ...task, ...texts, "--adapter", path],
    ["evaluate", "--model", model, ...task, ...texts, "--adapter", `${path}=0.5`],
    ["generate", "--model", model, "--prompt", "a", "--adapter", path, "--adapter", path],
    ["export", "--model", model, "--adapter", path, "--merge", "--output", `${output}.gguf`],
    ["chat", path],
    ["chat", "--model", model, "--chat-template", path],
    ["chat", "--model", path, "--chat-template", "vicuna"],
    ["generate", path, "--prompt", "a"],
    ["generate", model, "--chat", "--prompt", "a", "--chat-template", path],
    ["generate", "--model", model, "--prompt", "a", "--ledger", path],
    ["quantize", path, "--format", "Q4_0", "--output", `${output}.gguf`],
    ["quantize", model, "--format", "Q4_0", "--output", `${output}.gguf`, "--calibration", path],
    ["inspect", path],
    ["replay", path],
    ["replay", "--model", model, "--ledger", path],
    ["export", path],
    ["export", "--model", model, "--ledger", path, "--output", `${output}.gguf`],
    ["bench-optimisers", path],
    ["doctor", path],
    ["completion", path],
  ];
}

Deno.test("errors: whatever lies at a path, every command says what it attempted and on what", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    await Deno.writeTextFile(join(folder, "t.txt"), "a b c d e f g h i j k l m n o p");
    const bad: [string, string][] = [
      ["missing", join(folder, "none.xyz")],
      ["missing configuration", join(folder, "none.yaml")],
      ["missing folder", join(folder, "no", "where")],
      ["empty folder", join(folder, "empty")],
      ["a part that is a file", join(model, "x")],
      ["too long", join(folder, "n".repeat(300))],
      ["too long configuration", join(folder, `${"n".repeat(300)}.yaml`)],
      ["NUL", join(folder, "a\0b")],
      ["link to nothing", join(folder, "link.gguf")],
      ["links in a circle", join(folder, "circle.yaml")],
      ["device", join(folder, "zero.yaml")],
      ["empty file", join(folder, "empty.gguf")],
    ];
    await Deno.mkdir(join(folder, "empty"));
    await Deno.symlink(join(folder, "gone.gguf"), join(folder, "link.gguf"));
    await Deno.symlink(join(folder, "circle.yaml"), join(folder, "circle.yaml"));
    await Deno.symlink("/dev/zero", join(folder, "zero.yaml"));
    await Deno.writeTextFile(join(folder, "empty.gguf"), "");
    const asked = new Set<string>();
    for (const [what, path] of bad) {
      for (const args of commandLines(path, { model, data: folder })) {
        const text = await refused(...args);
        assertInWords(text, [what, ...args]);
        asked.add(args[0]);
      }
    }
    assertEquals([...asked].sort(), COMMANDS.map(({ name }) => name).sort());
  });
});

Deno.test("errors: a data file that is not there is told with the key that names it", async () => {
  await inFolder(async (folder) => {
    const { model, config } = await writeTinyTask(folder);
    await Deno.writeTextFile(join(folder, "t.txt"), "a b c d e f g h i j k l m n o p");
    const text = ["--model", model, "--task", "language-modelling", "--data", folder];
    const cases: [string, string[]][] = [
      ["data.train", [...text, "--data.train", "none.txt", "--data.validation", "t.txt"]],
      ["data.validation", [...text, "--data.train", "t.txt", "--data.validation", "none.jsonl"]],
      ["data.train", [config, "--data.train", "none.jsonl"]],
      ["data.validation", [config, "--data.validation", "none.csv"]],
      ["Task sst2", ["--model", model, "--task", "sst2", "--data", join(folder, "no")]],
    ];
    for (const [key, args] of cases) {
      for (const command of ["finetune", "evaluate"]) {
        const output = command === "finetune" ? ["--output", join(folder, "r")] : [];
        // What is judged by held-out examples reads no others.
        const split = command === "evaluate" && key === "data.train" ? ["--split", "train"] : [];
        const text = await refused(command, ...args, ...output, ...split);
        assertMatch(text, /^Cannot read the data file ".*": there is no such file or folder\. /);
        assert(text.includes(`. ${key} names it, and data.folder is "`), text);
      }
    }
  });
});

Deno.test("errors: a run that is not there is told as such, by whatever asks for it", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const none = join(folder, "none");
    const empty = join(folder, "empty");
    await Deno.mkdir(empty);
    const cases: [string[], RegExp][] = [
      [["finetune", empty, "--resume"], /^Cannot use --resume with ".*empty": there is no run in/],
      [["replay", empty], /^Cannot .*empty/],
      [["export", empty], /^Cannot .*empty/],
      [["evaluate", empty, "--step", "last"], /^Cannot .*empty|--step without/],
      [["finetune", none, "--resume"], /^Cannot use --resume with ".*none": there is no such/],
      [
        ["finetune", "--resume", "--output", none],
        /^Cannot use --resume with ".*none": there is no/,
      ],
      [["finetune", model, "--resume", "--output", none], /^Cannot resume a run in ".*none"/],
      [["evaluate", none, "--step", "last"], /^Cannot use --step with ".*none": there is no such/],
      [["generate", none, "--step", "2", "--prompt", "a"], /^Cannot use --step with ".*none"/],
      [["export", none, "--output", join(folder, "x.gguf")], /^Cannot read the ledger ".*none"/],
      [["export", none], /^Cannot read the ledger ".*none"/],
      [["replay", none], /^Cannot read the ledger ".*none"/],
    ];
    for (const [[command, ...args], message] of cases) {
      assertMatch(await refused(command, ...args), message);
    }
  });
});

Deno.test("errors: a run is not gone on with by another optimiser, which is named, whatever that one trains", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    assertEquals(await runCli(["finetune", config], { terminal: capture() }), 0);
    const run = join(folder, "run");
    for (const other of ["qzoPlus", "mezo"]) {
      assertMatch(
        await refused("finetune", run, "--resume", "--optimiser", other),
        new RegExp(
          `^Cannot resume ".*": it was started with optimiser name "qzoNormalised", not "${other}"`,
        ),
      );
    }
  });
});

Deno.test("errors: rights that were not given are named, by every command", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const main = fromFileUrl(new URL("../../cli/main.ts", import.meta.url));
    const root = fromFileUrl(new URL("../..", import.meta.url));
    const lines = [
      ["inspect", model],
      ["generate", model, "--prompt", "a"],
      ["evaluate", join(folder, "tiny.yaml")],
    ];
    await Promise.all(lines.map(async (args) => {
      const { stderr, code } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--allow-env",
          `--allow-read=${root}`,
          "--no-check",
          main,
          ...args,
        ],
        stdout: "piped",
        stderr: "piped",
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals(code, 1, text);
      assertMatch(text, /^Cannot (?:load|read the configuration) ".*": .*Run it with --allow-read/);
    }));
  });
});

Deno.test("errors: what cannot be written says where, and a run that a full disk stops says how to go on", async () => {
  await inFolder(async (folder) => {
    const { model, config } = await writeTinyTask(folder);
    const inAFile = join(model, "x");
    for (
      const args of [
        ["quantize", model, "--format", "Q4_0", "--output", `${inAFile}.gguf`],
        ["finetune", config, "--output", inAFile],
        ["finetune", config, "--output", join(folder, "n".repeat(300))],
      ]
    ) assertInWords(await refused(...args), args);

    if (Deno.build.os === "windows") return;
    // Files may have 8 or 16 KiB; the signal must not kill the process.
    const script = `trap '' XFSZ; ulimit -f 16; exec "$0" run -A --no-check --cached-only "$@"`;
    const main = fromFileUrl(new URL("../../cli/main.ts", import.meta.url));
    const { stderr, code } = await new Deno.Command("sh", {
      args: ["-c", script, Deno.execPath(), main, "finetune", config, "--steps", "400"],
    }).output();
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    assertEquals(code, 1, lines.join("\n"));
    assertMatch(lines.at(-2)!, /^To resume: deno .* finetune .* --resume$/);
    assertMatch(lines.at(-1)!, /^Cannot (?:write|append).*(?:too large|no space)/);
  });
});
