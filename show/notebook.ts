/**
 * For Deno notebooks: a curve that grows while a fine-tune runs, tables, and the stop button.
 *
 * Outside of a notebook nothing is displayed, and all else works.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import type { TrainingEvent } from "../train/mod.ts";
import { lossCurveSvg } from "./plot.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

/** What a notebook shows of a value, by media type. */
export type DisplayBundle = Readonly<Record<string, string>>;

/** A value that a notebook shows as more than text: as a cell's last line, or by {@linkcode display}. */
export abstract class Displayed {
  /** The value by media type; a front end shows the richest that it knows. */
  abstract bundle(): DisplayBundle;

  static {
    // What Deno asks values of a notebook for.
    Object.defineProperty(this.prototype, Symbol.for("Jupyter.display"), {
      value(this: Displayed) {
        return this.bundle();
      },
    });
  }
}

/** How a display is found again. */
interface DisplayOptions {
  readonly display_id?: string;
  readonly update?: boolean;
  readonly raw?: boolean;
}

type DisplayFunction = (value: unknown, options?: DisplayOptions) => Promise<void>;

/**
 * Milliseconds before a cell may end after it has shown something: the kernel says that a cell is over on another thread than it hands
 * on what was shown, and on a busy machine front ends have let go of the cell by then.
 */
const UNTIL_SHOWN = 100;
const shown = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, UNTIL_SHOWN));

/** The notebook's own function; undefined outside of one, where Deno throws. */
function displayFunction(): DisplayFunction | undefined {
  try {
    const { jupyter } = Deno;
    return (value, options) => jupyter.display(value, options);
  } catch {
    return undefined;
  }
}

/**
 * Shows a value now, in the cell that runs. Wait for it: what a cell's last line shows can get lost, this does not. Does nothing outside
 * of a notebook.
 */
export async function display(value: Displayed): Promise<void> {
  const show = displayFunction();
  if (!show) return;
  await show(value.bundle(), { raw: true });
  await shown();
}

/** A row of a table: cells by the names of their columns. */
export type TableRow = Readonly<Record<string, string | number>>;

/**
 * Rows as a table: HTML in a notebook, aligned text elsewhere.
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

  /** A table of rows. Columns: all by default, as they first occur. */
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

/** How a live curve is drawn. */
export interface LiveCurveOptions {
  /** Above the picture; none by default. */
  readonly title?: string;
  /** Milliseconds between two pictures, at least; 400 by default. */
  readonly every?: number;
}

/**
 * The curve of a fine-tune that runs: hand it every event, and the picture in the cell grows. The saved notebook keeps the last one.
 *
 * @example In a cell
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

  /** An empty curve; nothing is displayed before there is something to draw. */
  constructor({ title = "", every = 400 }: LiveCurveOptions = {}) {
    super();
    this.#title = title;
    this.#every = every;
  }

  /** Takes an event; draws when the last picture is old enough, and at the end. */
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
    // An update reaches the cell that showed it first, whichever runs then.
    await show(this.bundle(), { raw: true, display_id: this.#id, ...(update ? { update } : {}) });
  }

  /** The picture as it is now. @throws {RangeError} When there is nothing to draw */
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
 * Runs something that takes a while and a signal, which the notebook's stop button aborts. Without a listener that button ends the
 * kernel, and with it the model and all that was computed.
 *
 * @returns What `work` returns: it should come to an end when it is aborted, as `finetune` does.
 *
 * @example In a cell
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
 * The nearest folder, from the current one upwards, that holds a path. A notebook's kernel starts in the notebook's folder, or in the one
 * that the editor has open.
 *
 * @throws {Deno.errors.NotFound} When there is none
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
