/**
 * Zeroth-order training of anything that gives a number: no gradient, no model, no GPU. Run: `deno run examples/ask_tell.ts`.
 *
 * @module
 */
import { mezo, Session } from "@qzo/qzo";

/** A black box: how far a point is from a target that only the box knows. */
function measure(point: Float32Array): number {
  const target = [3, -1, 0.5, 2];
  return point.reduce((sum, x, i) => sum + (x - target[i]) ** 2, 0);
}

const optimiser = mezo({ learningRate: 0.05 });
const session = new Session({ parameters: [0, 0, 0, 0], optimiser, seed: 1 });
for (let step = 0; step < 400; step++) session.tell(session.ask().map(measure));
const found = session.parameters();
console.log(`loss ${measure(found).toFixed(6)} at ${[...found].map((x) => x.toFixed(3))}`);
