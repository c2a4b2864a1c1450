import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { changesSvg } from "../../show/changes_plot.ts";
import { comparisonSvg } from "../../show/comparison_plot.ts";
import { lossCurveSvg } from "../../show/plot.ts";

const steps = Array.from({ length: 400 }, (_, i) => ({
  step: i + 1,
  loss: 0.7 - i / 4000 + 0.05 * Math.sin(i * 12.9898),
}));
const evaluations = [0, 100, 200, 300, 400].map((step) => ({
  step,
  loss: 0.7 - step / 4100,
  accuracy: 0.5 + step / 2000,
}));

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** Throws unless every tag is closed in order and no bare `&` or `<` stands in text or attributes. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml.replace(
    /<(\/?)([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, end, name, __, empty) => {
      if (end) assertEquals(open.pop(), name);
      else if (!empty) open.push(name);
      return "";
    },
  );
  assertEquals(open, []);
  assert(!rest.includes("<"), `not a tag: ${/<.{0,60}/s.exec(rest)?.[0]}`);
  assertEquals(/&(?!(?:amp|lt|gt|quot|#\d+|#x[\da-f]+);)/i.exec(xml)?.[0], undefined);
}

Deno.test("plot: a standalone, well-formed picture with title, legend and axis labels", () => {
  const svg = lossCurveSvg({ steps, evaluations }, { title: "tiny <model> & SST-2", unit: "nats" });
  assert(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
  assertWellFormed(svg);
  assertStringIncludes(svg, "tiny &lt;model&gt; &amp; SST-2");
  for (
    const label of [
      "step →",
      "↑ loss (nats)",
      "↑ accuracy (%)",
      "training loss, smoothed",
      "held-out loss",
      "held-out accuracy",
    ]
  ) {
    assertStringIncludes(svg, label);
  }
  assertEquals(count(svg, "<circle"), steps.length + 2 * evaluations.length);
});

Deno.test("plot: what was not recorded is neither drawn nor in the legend", () => {
  const svg = lossCurveSvg({ steps });
  assertWellFormed(svg);
  assertEquals(count(svg, "held-out"), 0);
  assertEquals(count(svg, "accuracy"), 0);
  const onlyAccuracy = lossCurveSvg({ steps: [], evaluations: [{ step: 0, accuracy: 0.5 }] });
  assertWellFormed(onlyAccuracy);
  assertEquals(count(onlyAccuracy, "loss"), 0);
});

Deno.test("plot: a long run stays a small file, and values that are not finite are left out", () => {
  const long = Array.from({ length: 50_000 }, (_, step) => ({
    step,
    loss: step % 10 === 0 ? NaN : 1 / (1 + step),
  }));
  const svg = lossCurveSvg({ steps: long });
  assertWellFormed(svg);
  assert(count(svg, "<circle") <= 2000);
  assert(svg.length < 300_000, `${svg.length} characters`);
  assertEquals(count(svg, "NaN"), 0);
  assertThrows(() => lossCurveSvg({ steps: [{ step: 1, loss: NaN }] }), RangeError, "no finite");
});

Deno.test("plot: a comparison by forwards, straight or by factors, with accuracies where there are any", () => {
  const points = [
    { forwards: 0, loss: 0.8, accuracy: 0.5 },
    { forwards: 100, loss: 0.7, accuracy: 0.6 },
    { forwards: 10_000, loss: 0.6, accuracy: 0.7 },
  ];
  const straight = comparisonSvg([{ name: "a & b", points }], "two");
  assertWellFormed(straight);
  for (const label of ["forwards →", "↑ held-out loss (nats)", "↑ held-out accuracy (%)"]) {
    assertStringIncludes(straight, label);
  }
  const pathOf = (svg: string) =>
    [...svg.matchAll(/ d="([^"]*)"/g)].map(([, d]) => d)
      .find((d) => d.split(/[MLC]/).length === points.length + 1)!;
  const placesOf = (svg: string) =>
    [...pathOf(svg).matchAll(/[ML]([\d.]+)/g)].map(([, x]) => Number(x));
  const [first, second, third] = placesOf(straight);
  assertAlmostEquals((second - first) / (third - first), 0.01, 1e-3);
  const byFactors = comparisonSvg([{ name: "a & b", points }], "two", { scale: "log" });
  assertWellFormed(byFactors);
  // 0 stands at 1, the others where their logarithms are.
  const [one, two, three] = placesOf(byFactors);
  assertAlmostEquals((two - one) / (three - one), 0.5, 1e-3);
  const bare = points.map(({ forwards, loss }) => ({ forwards, loss }));
  assertEquals(count(comparisonSvg([{ name: "a", points: bare }], "two"), "accuracy"), 0);
});

Deno.test("plot: before and after, a dot a seed, one line a method; what is not finite is left out", () => {
  const rows = [
    { name: "model qzo", before: 0.8, after: [0.7, 0.6, 0.65] },
    { name: "model <qzoPlus>", before: 0.8, after: [NaN, 0.62] },
    { name: "diverged", before: 0.8, after: [Infinity] },
  ];
  const svg = changesSvg([{ name: "sst2", rows }, { name: "none", rows: rows.slice(2) }], "title");
  assertWellFormed(svg);
  assertEquals(count(svg, "<circle"), 4);
  for (const text of ["sst2: held-out loss (nats)", "model qzo", "&lt;qzoPlus&gt;"]) {
    assertStringIncludes(svg, text);
  }
  assertEquals([count(svg, "diverged"), count(svg, "none: held-out")], [0, 0]);
  assertThrows(
    () => changesSvg([{ name: "a", rows: rows.slice(2) }], "b"),
    RangeError,
    "no finite",
  );
});
