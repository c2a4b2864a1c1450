/**
 * The most memory that this process had: as Linux counts it since it was last told to begin anew, elsewhere as it is at the moment.
 *
 * @module
 */

/** Begins to count anew. */
export function resetPeak(): void {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch {
    // No Linux, or not allowed: then what it was at the most since the process began, which is more.
  }
}

/** Bytes, resident. */
export function peakSinceReset(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))!;
    return Number(kilobytes) * 1024;
  } catch {
    return Deno.memoryUsage().rss;
  }
}
