/**
 * Time as a bound on work: other processes, and other tests beside this one, do not count.
 *
 * @module
 */
import process from "node:process";

/** Milliseconds of processors that this process has used, on all its threads. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
