/**
 * Support for Deno notebooks: a curve that grows while a fine-tune runs, tables, and the stop button. Outside a notebook nothing is displayed,
 * and everything else works.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import type { TrainingEvent } from "../train/mod.ts";
import { lossCurveSvg } from "./plot.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

/** The representations of a value in a notebook, by media type. */
export type DisplayBundle = Readonly<Record<string, string>>;

/**
 * A value that a notebook can show as more than text, in a cell's last line or by {@linkcode display}.
 *
 * @example A progress bar of one's own
 * ```ts
 * import { type DisplayBundle, Displayed } from "@qzo/qzo/notebook";
 * import { assertEquals } from "@std/assert";
 *
 * class Share extends Displayed {
 *   constructor(readonly share: number) {
 *     super();
 *   }
 *   bundle(): DisplayBundle {
 *     const html = `<progress value="${this.share}"></progress>`;
 *     return { "text/plain": `${100 * this.share} %`, "text/html": html };
 *   }
 * }
 * assertEquals(new Share(0.25).bundle()["text/plain"], "25 %");
 * ```
 */
export abstract class Displayed {
  /** The representations by media type. A front end shows the richest one that it supports. */
  abstract bundle(): DisplayBundle;

  static {
    // The method that Deno calls on values in a notebook.
    Object.defineProperty(this.prototype, Symbol.for("Jupyter.display"), {
      value(this: Displayed) {
        return this.bundle();
      },
    });
  }
}

/** Identifies a display, so that it can be updated. */
interface DisplayOptions {
  readonly display_id?: string;
  readonly update?: boolean;
  readonly raw?: boolean;
}

type DisplayFunction = (value: unknown, options?: DisplayOptions) => Promise<void>;

/**
 * Milliseconds to wait after displaying something before a cell ends. The kernel reports the end of a cell on a different thread from its
 * output, and on a busy machine front ends stop listening to the cell before the output arrives.
 */
const UNTIL_SHOWN = 100;
const shown = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, UNTIL_SHOWN));

/** The notebook's own function. Undefined outside a notebook, where Deno throws. */
function displayFunction(): DisplayFunction | undefined {
  try {
    const { jupyter } = Deno;
    return (value, options) => jupyter.display(value, options);
  } catch {
    return undefined;
  }
}

/**
 * Displays a value in the running cell. Await the result: the output of a cell's last line can get lost, but this output does not. Does nothing
 * outside a notebook.
 *
 * @example A table in the middle of a cell
 * ```ts
 * import { display, Table } from "@qzo/qzo/notebook";
 *
 * await display(new Table([{ name: "before", loss: 0.88 }, { name: "after", loss: 0.58 }]));
 * ```
 */
export async function display(value: Displayed): Promise<void> {
  const show = displayFunction();
  if (!show) return;
  await show(value.bundle(), { raw: true });
  await shown();
}

/** A row of a table: cells by column name. */
export type TableRow = Readonly<Record<string, string | number>>;

/**
 * A table of rows: HTML in a notebook, aligned text elsewhere.
 *
 * @example Two rows
 * ```ts
 * import { Table } from "@qzo/qzo/notebook";
 * import { assertEquals } from "@std/assert";
 *
 * const table = new Table([{ name: "before", loss: 0.88 }, { name: "after", loss: 0.58 }]);
 * assertEquals(table.bundle()["text/plain"], "name    loss\nbefore  0.88\nafter   0.58");
 * ```
 */
export class Table extends Displayed {
  readonly #rows: readonly (readonly (string | number)[])[];
  readonly #columns: readonly string[];

  /** Creates a table of rows. Default columns: all, in order of first occurrence. */
  constructor(
    rows: readonly TableRow[],
    columns: readonly string[] = [...new Set(rows.flatMap((row) => Object.keys(row)))],
  ) {
    super();
    this.#columns = columns;
    this.#rows = rows.map((row) => columns.map((column) => row[column] ?? ""));
  }

  /** The table as HTML and as text. */
  bundle(): DisplayBundle {
    const body = this.#rows.map((row) => line("td", row)).join("");
    return {
      "text/plain": table([this.#columns, ...this.#rows]).join("\n"),
      "text/html": `<table><thead>${
        line("th", this.#columns)
      }</thead><tbody>${body}</tbody></table>`,
    };
  }
}

function line(tag: string, cells: readonly (string | number)[]): string {
  const inner = cells.map((cell) => {
    const style = typeof cell === "number" ? ' style="text-align:right"' : "";
    return `<${tag}${style}>${escaped(String(cell))}</${tag}>`;
  });
  return `<tr>${inner.join("")}</tr>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escaped(text: string): string {
  return printable(text).replace(/[&<>"]/g, (mark) => ENTITIES[mark]);
}

/** Options of a live curve. */
export interface LiveCurveOptions {
  /** Title above the picture. Default: none. */
  readonly title?: string;
  /** Least number of milliseconds between two pictures. Default 400. */
  readonly every?: number;
}

/**
 * The curve of a running fine-tune. Pass it every event, and the picture in the cell grows. The saved notebook keeps the last picture.
 *
 * @example In a notebook cell
 * ```ts
 * import { LiveCurve } from "@qzo/qzo/notebook";
 * import { finetune, type FinetuneOptions } from "@qzo/qzo";
 *
 * async function trainVisibly(options: FinetuneOptions): Promise<void> {
 *   const curve = new LiveCurve({ title: "reviews" });
 *   for await (const event of finetune(options)) await curve.add(event);
 * }
 * trainVisibly satisfies unknown;
 * ```
 */
export class LiveCurve extends Displayed {
  readonly #title: string;
  readonly #every: number;
  readonly #id = crypto.randomUUID();
  readonly #steps: { step: number; loss: number }[] = [];
  readonly #evaluations: { step: number; loss: number; accuracy?: number }[] = [];
  #drawn: number | undefined;

  /** Creates an empty curve. Nothing is displayed until there is something to draw. */
  constructor({ title = "", every = 400 }: LiveCurveOptions = {}) {
    super();
    this.#title = title;
    this.#every = every;
  }

  /** Adds an event. Draws if the last picture is old enough, and at the end. */
  async add(event: TrainingEvent): Promise<void> {
    if (event.type === "step") this.#steps.push({ step: event.step, loss: event.loss });
    else if (event.type === "evaluation") {
      const { loss, accuracy } = event.evaluation;
      this.#evaluations.push({
        step: event.step,
        loss,
        ...(accuracy ? { accuracy: accuracy.accuracy } : {}),
      });
    }
    const now = performance.now();
    const due = this.#drawn === undefined || now - this.#drawn >= this.#every;
    if (due || event.type === "end") await this.#draw(now);
    if (event.type === "end" && this.#drawn !== undefined) await shown();
  }

  async #draw(now: number): Promise<void> {
    const show = displayFunction();
    if (!show || this.#steps.length + this.#evaluations.length === 0) return;
    const update = this.#drawn !== undefined;
    this.#drawn = now;
    // An update reaches the cell that first displayed it, whichever cell is running.
    await show(this.bundle(), { raw: true, display_id: this.#id, ...(update ? { update } : {}) });
  }

  /**
   * The current picture.
   *
   * @throws {RangeError} when there is nothing to draw.
   */
  bundle(): DisplayBundle {
    const last = this.#steps.at(-1);
    return {
      "text/plain": last ? `step ${last.step}, loss ${last.loss.toFixed(4)}` : "no step yet",
      "image/svg+xml": lossCurveSvg(
        { steps: this.#steps, evaluations: this.#evaluations },
        { title: this.#title },
      ),
    };
  }
}

/**
 * Runs a long computation with a signal that the notebook's stop button aborts. Without such a listener, the button ends the kernel, and the
 * model and all results are lost.
 *
 * @returns The result of `work`, which should finish soon after it is aborted, as `finetune` does.
 *
 * @example In a notebook cell
 * ```ts
 * import { stoppable } from "@qzo/qzo/notebook";
 * import { assertEquals } from "@std/assert";
 *
 * const steps = await stoppable(async (signal) => {
 *   let step = 0;
 *   while (step < 3 && !signal.aborted) step = await Promise.resolve(step + 1);
 *   return step;
 * });
 * assertEquals(steps, 3);
 * ```
 */
export async function stoppable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  Deno.addSignalListener("SIGINT", stop);
  try {
    return await work(controller.signal);
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
  }
}

/**
 * The nearest folder that contains a path, searching from the current one upwards. A notebook's kernel starts in the notebook's folder, or in
 * the one that the editor has open.
 *
 * @throws {Deno.errors.NotFound} when there is none.
 *
 * @example The root of this repository
 * ```ts
 * import { folderWith } from "@qzo/qzo/notebook";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = folderWith("demo/model.gguf");
 * assertEquals((await Deno.stat(`${folder}/demo/model.gguf`)).isFile, true);
 * ```
 */
export function folderWith(path: string): string {
  const here = Deno.cwd();
  for (let folder = here;; folder = dirname(folder)) {
    try {
      Deno.statSync(join(folder, path));
      return folder;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (dirname(folder) === folder) break;
  }
  throw new Deno.errors.NotFound(
    `Cannot find "${path}" in "${here}" or a folder above it: open the notebook from within the folder that holds it`,
  );
}
