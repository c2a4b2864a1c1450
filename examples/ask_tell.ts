/**
 * Zeroth-order training of anything that gives a number: no gradient, no model, no GPU. Run: `deno run examples/ask_tell.ts`.
 *
 * @module
 */
import { qzoNormalised, Session } from "@qzo/qzo";

/** A black box: how far parameters are from a target that only the box knows. */
function measure(parameters: Float32Array): number {
  const target = [3, -1, 0.5, 2];
  return parameters.reduce((sum, x, i) => sum + (x - target[i]) ** 2, 0);
}

const session = new Session({
  parameters: new Float32Array([1, -2, 1, 1]),
  optimiser: qzoNormalised({ learningRate: 0.02, form: "absolute", projection: "none" }),
  seed: 1,
  tensorId: 0,
});
for (let step = 0; step < 600; step++) {
  session.tell(session.ask().map(measure));
}
console.log(
  "loss",
  measure(session.parameters).toFixed(4),
  "at",
  [...session.parameters].map((x) => x.toFixed(2)),
);
