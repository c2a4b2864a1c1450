import { assert, assertRejects } from "@std/assert";
import { encodeHeader, encodeRecord, qzoNormalised, readLedger } from "../../../optim/mod.ts";
import { ledgerHeader, replayOnHost } from "../../../train/mod.ts";
import { fingerprint } from "../../../models/mod.ts";
import { planModel } from "../../../models/inference/model.ts";
import { planOffsets } from "../../../train/selection.ts";
import { tinySource } from "../tiny_model.ts";

/** Steps that take seconds on the host. */
const STEPS = 20_000;

Deno.test("a replay on the host answers to a signal within a second, in the middle of a tensor", async () => {
  const source = await tinySource();
  const optimiser = qzoNormalised();
  const plan = planModel(source, { adapterClass: "software", maxBinding: 2 ** 27 });
  const { trainables } = planOffsets(plan, optimiser, 2 ** 27, { exclude: [] });
  const model = { fingerprint: await fingerprint(source) };
  const head = encodeHeader(ledgerHeader({ model, optimiser, offsets: { trainables } }));
  const state = optimiser.transformation.init();
  const bytes = new Uint8Array(head.bytes.length + STEPS * head.recordSize);
  bytes.set(head.bytes);
  for (let i = 0; i < STEPS; i++) {
    bytes.set(encodeRecord(head, i, [2 ** -8], state), head.bytes.length + i * head.recordSize);
  }
  const controller = new AbortController();
  let aborted = 0;
  setTimeout(() => {
    aborted = performance.now();
    controller.abort(new Error("enough"));
  }, 100);
  const { signal } = controller;
  await assertRejects(() => replayOnHost(source, readLedger(bytes), { signal }), Error, "enough");
  assert(performance.now() - aborted < 1000);
});
