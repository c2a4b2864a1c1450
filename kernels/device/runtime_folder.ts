/**
 * Mesa's loader prints an error, twice, where `XDG_RUNTIME_DIR` is not set, as in containers and notebooks, though nothing of it is needed
 * to compute. While the adapter is asked for it has a folder.
 *
 * @module
 */

const NAME = "XDG_RUNTIME_DIR";

/** What of the process is asked and set. */
export interface RuntimeFolderHost {
  /** The system. */
  readonly os: string;
  /** Whether a variable may be read and set without asking anyone. */
  may(name: string): boolean;
  /** A variable. */
  get(name: string): string | undefined;
  /** Sets one, or removes it. */
  set(name: string, value: string | undefined): void;
}

/** This process. */
const thisProcess: RuntimeFolderHost = {
  // No Deno in Node: there the loader says what it says.
  os: typeof Deno === "undefined" ? "" : Deno.build.os,
  may: (name) => {
    try {
      return Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
    } catch {
      return false; // in Node, where there is nothing to ask
    }
  },
  get: (name) => Deno.env.get(name),
  set: (name, value) => value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value),
};

/** How many are asking: the last one puts the variable back. */
let asking = 0;

/** What `ask` gives, with the variable set while it asks; where it is set already, or may not be, nothing is changed. */
export async function withRuntimeFolder<T>(
  ask: () => Promise<T>,
  host: RuntimeFolderHost = thisProcess,
): Promise<T> {
  const may = host.os === "linux" && host.may(NAME) && (asking > 0 || !host.get(NAME));
  if (!may) return await ask();
  if (asking++ === 0) host.set(NAME, "/tmp");
  try {
    return await ask();
  } finally {
    if (--asking === 0) host.set(NAME, undefined);
  }
}
