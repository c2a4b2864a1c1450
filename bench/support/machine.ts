/**
 * Describes the machine on which results were measured.
 *
 * @module
 */

/** Model name of the processor, from /proc/cpuinfo if it exists. */
async function processorName(): Promise<string> {
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? Deno.build.arch;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return Deno.build.arch;
    throw error;
  }
}

/** One line of Markdown: processor, cores, adapter, version of Deno, date. */
export async function describeMachine(adapter: GPUAdapterInfo | string | null): Promise<string> {
  const adapterName = adapter === null || typeof adapter === "string"
    ? adapter ?? "no adapter"
    : [adapter.vendor, adapter.architecture, adapter.device, adapter.description]
      .filter(Boolean).join(" ");
  const parts = [
    `${await processorName()}, ${navigator.hardwareConcurrency} cores`,
    `adapter ${adapterName}`,
    `Deno ${Deno.version.deno} on ${Deno.build.os}`,
    new Date().toISOString().slice(0, 10),
  ];
  return `Machine: ${parts.join("; ")}.`;
}
