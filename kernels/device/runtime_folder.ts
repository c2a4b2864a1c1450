/**
 * Sets `XDG_RUNTIME_DIR` while an adapter is requested. If it is not set, as in containers and notebooks, Mesa's loader prints an error twice,
 * although computing does not need it.
 *
 * @module
 */

const NAME = "XDG_RUNTIME_DIR";

/** Access to the environment of a process. */
export interface RuntimeFolderHost {
  /** Operating system, such as `linux`. */
  readonly os: string;
  /** Whether an environment variable may be read and set without a permission prompt. */
  may(name: string): boolean;
  /** Reads a variable. */
  get(name: string): string | undefined;
  /** Sets a variable, or removes it. */
  set(name: string, value: string | undefined): void;
}

/** This process. */
const thisProcess: RuntimeFolderHost = {
  // Node has no Deno object; the loader's messages are not suppressed there.
  os: typeof Deno === "undefined" ? "" : Deno.build.os,
  may: (name) => {
    try {
      return Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
    } catch {
      return false; // permissions cannot be queried
    }
  },
  get: (name) => Deno.env.get(name),
  set: (name, value) => value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value),
};

/** Number of requests in progress. The last one removes the variable. */
let asking = 0;

/** Calls `ask` with the variable set, and returns its result. If the variable is already set, or must not be set, nothing is changed. */
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
