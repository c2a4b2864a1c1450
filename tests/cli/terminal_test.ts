/**
 * A fine-tune in a real terminal (tmux): one line that is drawn over; in one that can only print (TERM=dumb), and in a pipe, plain lines.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withTemp } from "../models/quantised_folder.ts";
import { writeTinyTask } from "./tiny_model.ts";

const main = new URL("../../cli/main.ts", import.meta.url).href;
const WAIT = 60_000;

/** A tmux server of one pane, in a folder; undefined where there is no tmux. */
class Pane implements AsyncDisposable {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  static async open(folder: string): Promise<Pane | undefined> {
    const pane = new Pane(join(folder, "tmux"));
    try {
      await pane.#tmux("-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "40", "sh");
      // All that the pane's programs write, as they write it.
      await pane.#tmux("pipe-pane", "-o", `cat > '${join(folder, "raw")}'`);
      return pane;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      console.log("skipped, because there is no tmux (Debian's package of that name)");
      return undefined;
    }
  }

  async #tmux(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", this.#socket, ...args],
      env: { TERM: "xterm" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }

  async type(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  /** The screen, once it fits. */
  async shows(wanted: RegExp): Promise<string> {
    const begun = performance.now();
    for (;;) {
      const screen = await this.#tmux("capture-pane", "-p");
      if (wanted.test(screen)) return screen;
      assert(performance.now() - begun < WAIT, `${wanted} is not in\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server").catch(() => {});
  }
}

/** A script that runs the command line, so that what is typed fits in a line. */
async function writeCommand(folder: string): Promise<void> {
  const flags = "--allow-read --allow-write --allow-env --no-check";
  await Deno.writeTextFile(
    join(folder, "qzo"),
    `#!/bin/sh\nNO_COLOR=1 exec "${Deno.execPath()}" run ${flags} "${main}" "$@"\n`,
    { mode: 0o755 },
  );
}

Deno.test("terminal: one line is drawn over with steps, time gone and time left; Ctrl-C leaves it and says how to go on", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await writeCommand(folder);
    await using pane = await Pane.open(folder);
    if (!pane) return;
    await pane.type(
      `cd '${folder}' && ./qzo finetune tiny.yaml --steps 500000 --evaluate-every 0`,
      "Enter",
    );
    const line =
      /^[█░]+ {2}\d+\/500000 {2}loss \S+ .*\d+ s elapsed {2}\d+ tokens\/s {2}\S+ \S+ GPU memory {2}.* left$/m;
    const first = await pane.shows(line);
    const steps = (screen: string) => Number(/(\d+)\/500000/.exec(screen)?.[1]);
    const later = await pane.shows(
      new RegExp(`[█░]  (?!${steps(first)}/)\\d+/500000 .* left$`, "m"),
    );
    assert(steps(later) > steps(first));
    assertEquals(later.match(/\/500000/g)?.length, 1, later);
    await pane.type("C-c");
    const ended = await pane.shows(/^To resume: .* finetune \S+\/run --resume$/m);
    // Of the work in flight there may be a line below the answer to the signal.
    const [above, below] = ended.split("Stopping after the work in flight");
    const bars = (text: string) => text.match(/[█░]+ {2}\d+\/500000/g)?.length ?? 0;
    assertEquals(bars(above), 1, ended);
    assert(bars(below) <= 1, ended);
  });
});

Deno.test("terminal: where TERM is dumb nothing is drawn over", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await writeCommand(folder);
    await using pane = await Pane.open(folder);
    if (!pane) return;
    await pane.type(
      `cd '${folder}' && clear && TERM=dumb ./qzo finetune tiny.yaml && echo all' 'done`,
      "Enter",
    );
    const screen = await pane.shows(/^all done$/m);
    assertMatch(screen, /^Evaluating held-out examples before the first step: 0 of 8$/m);
    assertMatch(screen, /^6\/6 {2}loss /m);
    const raw = await Deno.readTextFile(join(folder, "raw"));
    const ours = raw.slice(raw.lastIndexOf("Evaluating held-out"), raw.lastIndexOf("all done"));
    assertStringIncludes(ours, "6/6");
    assertEquals(ours.includes("\x1b"), false, JSON.stringify(ours));
    assertEquals(/\r(?!\r?\n)/.test(ours), false, JSON.stringify(ours));
  });
});

Deno.test("terminal: in a pipe the first evaluation and reading are told by plain lines", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await writeCommand(folder);
    const { success, stderr } = await new Deno.Command(join(folder, "qzo"), {
      args: ["finetune", "tiny.yaml"],
      cwd: folder,
    }).output();
    const noted = new TextDecoder().decode(stderr);
    assert(success, noted);
    assertMatch(noted, /^Evaluating held-out examples before the first step: 0 of 8$/m);
    assertMatch(noted, /^6\/6 {2}loss .*/m);
    assert(!noted.includes("\r") && !noted.includes("\x1b"), JSON.stringify(noted));
  });
});
