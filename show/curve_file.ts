/**
 * Writes the loss curve next to a ledger.
 *
 * @module
 */
import { writeFileWhole } from "../models/checkpoints/disk/files.ts";
import type { RunEvent } from "../train/mod.ts";
import { lossCurveSvg } from "./plot.ts";

/** Writes the curve of a run's metrics, if there is anything to draw. */
export async function writeCurve(
  path: string,
  events: readonly RunEvent[],
  title: string,
): Promise<void> {
  const steps = events.filter((it) => it.type === "step");
  const evaluations = events.filter((it) => it.type === "evaluation");
  if (events.length === 0) return;
  const svg = lossCurveSvg({ steps, evaluations }, { title });
  await writeFileWhole(path, [new TextEncoder().encode(svg)]);
}
