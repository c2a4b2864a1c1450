import { assertEquals } from "@std/assert";
import {
  accumulate,
  chain,
  identity,
  mezo,
  namedOptimisers,
  optimiserNames,
  rejectSpikes,
  Session,
  withRule,
} from "../../optim/mod.ts";

Deno.test("with its own rule, or identities around it, every named optimiser is what it was", () => {
  for (const name of optimiserNames) {
    const base = namedOptimisers[name]({});
    for (const rule of [base.transformation, chain(identity(), base.transformation, identity())]) {
      const other = withRule(base, () => rule);
      assertEquals(other.describe(), base.describe(), name);
      assertEquals(
        [other.plan, other.evaluations, other.moves, other.span],
        [base.plan, base.evaluations, base.moves, base.span],
        name,
      );
    }
  }
});

Deno.test("two batches held along one direction move by the mean of their derivatives", () => {
  const optimiser = withRule(
    mezo({ epsilon: 0.5, learningRate: 0.25, distribution: "rademacher" }),
    (rule) => accumulate(2, rule),
  );
  const session = new Session({ parameters: [1], optimiser });
  session.tell(session.ask().map(([x]) => 2 * x));
  assertEquals(session.parameters()[0], 1);
  session.tell(session.ask().map(([x]) => 6 * x));
  assertEquals(session.parameters()[0], 0);
});

Deno.test("a spike before the rule does not reach it", () => {
  const optimiser = withRule(
    mezo({ epsilon: 0.5, learningRate: 0.25, distribution: "rademacher" }),
    (rule) => chain(rejectSpikes({ warmup: 2 }), rule),
  );
  const session = new Session({ parameters: [1], optimiser });
  for (const height of [1, 1, 1]) session.tell(session.ask().map(([x]) => height + 1e-3 * x));
  const [before] = session.parameters();
  session.tell(session.ask().map(([x]) => 100 * x));
  assertEquals(session.parameters()[0], before);
});
