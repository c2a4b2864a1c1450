/**
 * Locks the folder that is named, says so, and waits to be killed.
 *
 * @module
 */
import { RunLock } from "../../../train/runs/run_lock.ts";

const lock = await RunLock.take(Deno.args[0]);
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, 60_000));
lock[Symbol.dispose]();
