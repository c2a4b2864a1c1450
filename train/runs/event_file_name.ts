/**
 * Names of event files, by which a run recognises its own.
 *
 * @module
 */

/** The name of an event file, from its start time in seconds and the process id. TensorBoard reads files in the order of their names. */
export function eventFileName(seconds: number, process: number): string {
  return `events.out.tfevents.${seconds}.${process}.qzo`;
}

/** Whether a file of this name is an event file of this library. */
export function isEventFile(name: string): boolean {
  return /^events\.out\.tfevents\.\d{10}\.\d+\.qzo$/.test(name);
}
