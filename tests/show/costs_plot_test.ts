// The picture of what methods reach and take: a point a method, hollow where asked, and the front of those that no other undercuts.
import { assertEquals, assertThrows } from "@std/assert";
import { costsSvg } from "../../show/costs_plot.ts";

const methods = [
  { name: "cheap", cost: 10, losses: [0.8, 0.9] },
  { name: "better", cost: 20, losses: [0.6] },
  { name: "undercut", cost: 30, losses: [0.7], hollow: true },
  { name: "diverged", cost: 40, losses: [NaN] },
];

Deno.test("costs: a point of each method with a finite loss, one of them hollow, by the colours of the legend", () => {
  const svg = costsSvg([{ name: "task", before: 1, methods }], "title");
  const points = svg.match(/<circle[^>]*>/g)!;
  assertEquals(points.length, 3);
  assertEquals(points.filter((one) => one.includes('fill="white"')).length, 1);
  const [colour] = points.map((one) => one.match(/stroke="(#[0-9a-f]+)"/)![1]);
  assertEquals(svg.match(/>cheap</g)?.length, 1);
  assertEquals(svg.includes(colour), true);
});

Deno.test("costs: the front goes from the cheapest to the best and leaves out what another undercuts", () => {
  const front = (some: typeof methods) => {
    const svg = costsSvg([{ name: "task", before: NaN, methods: some }], "title");
    const [, line] = svg.match(/aria-label="line"[^>]*><path d="([^"]*)"/)!;
    return line.match(/[MLHV]/g)!.length;
  };
  // A step is two lines.
  assertEquals(front(methods), 3);
  assertEquals(front([methods[0], { ...methods[1], losses: [0.95] }]), 1);
});

Deno.test("costs: nothing finite is an error", () => {
  assertThrows(
    () => costsSvg([{ name: "task", before: 1, methods: [methods[3]] }], "title"),
    RangeError,
    "no finite value",
  );
});
