import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { encodeHeader, encodeRecord, type LedgerHeader, readLedger } from "../../../optim/mod.ts";
import { CHANGES, writeSplitBase } from "../../support/split_base.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";

/** What the library of 2026-11-28 (18f44e1), which left middle rows out, made of the base of `split_base.ts`. */
const OLDER = "1467d0f5f873af0e46a53189cf8605715b69616d916afcb227bfff29087091c4";

async function qzo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

const TASK = ["--task", "language-modelling", "--max-length", "32", "--batch-size", "4"];

/** A run of two steps over the split base, an adapter of it, and every command that reads a fine-tune. */
async function made(folder: string) {
  const { paths: [model] } = await writeSplitBase(folder);
  const text = Array.from({ length: 24 }, (_, i) => `a story of ${i} cats and ${i * 7} dogs.`);
  await Deno.writeTextFile(join(folder, "story.txt"), text.join("\n\n"));
  const data = ["--data", folder, "--data.train", "story.txt", "--data.validation", "story.txt"];
  const run = join(folder, "run");
  const adapter = join(folder, "adapter.safetensors");
  const base = ["--model", model, ...TASK, ...data];
  const rest = ["--evaluate-every", "0", "--output", run];
  const done = async (...args: string[]) => {
    const { code, err } = await qzo(...args);
    assertEquals(code, 0, err);
  };
  await done("finetune", ...base, "--steps", "2", ...rest);
  await done("export", run, "--step", "last", "--output", adapter);
  const out = join(folder, "tuned");
  const commands: Record<string, () => string[]> = {
    replay: () => ["replay", run],
    evaluate: () => ["evaluate", run, "--step", "last"],
    export: () => ["export", run, "--step", "last", "--output", `${out}${counter++}.gguf`],
    generate: () => ["generate", run, "--prompt", "a", "--max-tokens", "1"],
    resume: () => ["finetune", run, "--resume", "--steps", "2"],
    adapter: () => ["evaluate", ...base, "--adapter", adapter],
  };
  return { run, adapter, commands };
}

let counter = 0;

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("every command refuses a ledger or an adapter whose base was changed, wherever it was", async (t) => {
  await inFolder(async (folder) => {
    const { commands } = await made(folder);
    for (const [name, args] of Object.entries(commands)) {
      const { code, err } = await qzo(...args());
      // Data that are trained on and held out are noted; bases are not.
      const noted = /note:(?! \d+ of \d+ validation examples)/.test(err);
      assertEquals([name, code, noted], [name, 0, false], err);
    }
    for (const [change, how] of Object.entries(CHANGES)) {
      await t.step(change, async () => {
        await writeSplitBase(folder, how);
        for (const [name, args] of Object.entries(commands)) {
          const { code, err } = await qzo(...args());
          assertEquals([name, code], [name, 1]);
          const what = name === "adapter" ? "adapter" : "ledger";
          assertStringIncludes(err, `not the base this ${what} was made with`, name);
        }
      });
    }
  });
});

Deno.test("a ledger and an adapter with an older fingerprint are noted once and go on, but not over other first rows", async () => {
  await inFolder(async (folder) => {
    const { run, adapter, commands } = await made(folder);
    const path = join(run, "run.ledger");
    const { header, records } = readLedger(await Deno.readFile(path));
    await Deno.writeFile(path, withBase(header, OLDER, records));
    await rename(adapter, header.model, OLDER);
    const every = async (check: (name: string, it: { code: number; err: string }) => void) => {
      for (const [name, args] of Object.entries(commands)) check(name, await qzo(...args()));
    };
    const goesOn = (name: string, { code, err }: { code: number; err: string }) => {
      assertEquals(code, 0, `${name}: ${err}`);
      assertEquals(
        err.split("older fingerprint, middle rows unchecked").length,
        2,
        `${name}: ${err}`,
      );
    };
    await every(goesOn);
    // What it cannot see.
    await writeSplitBase(folder, CHANGES["middle rows in another order"]);
    await every(goesOn);
    await writeSplitBase(folder, (bytesOf) => bytesOf("blk.0.ffn_up.weight")[3]++);
    await every((name, { code, err }) => {
      assertEquals([name, code], [name, 1]);
      assertStringIncludes(err, "not the base this");
    });
  });
});

type Records = ReturnType<typeof readLedger>["records"];

/** The same ledger of a base that is known by another fingerprint. */
function withBase(header: LedgerHeader, model: string, records: Records): Uint8Array {
  const head = encodeHeader({ ...header, model });
  const body = [...records].map(({ step, coefficients, state }) =>
    encodeRecord(head, step, coefficients, state)
  );
  return new Uint8Array([head.bytes, ...body].flatMap((bytes) => [...bytes]));
}

/** Replaces a text in a safetensors header by a shorter one. */
async function rename(path: string, from: string, to: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  assertStringIncludes(header, from);
  bytes.set(new TextEncoder().encode(header.replace(from, to).padEnd(length)), 8);
  await Deno.writeFile(path, bytes);
}
