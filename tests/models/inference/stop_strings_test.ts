import { assertEquals, assertThrows } from "@std/assert";
import { StopStrings } from "../../../models/inference/stop_strings.ts";
import { random } from "../tokenizers/tokenizer_mutate.ts";

/** The text up to the first of the stops, by looking at it whole. */
function upTo(text: string, stops: readonly string[]): string {
  const places = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...places));
}

Deno.test("a text ends before the first stop, however it is cut, and nothing of a stop gets out before", () => {
  const next = random(4);
  for (let i = 0; i < 3000; i++) {
    const make = (length: number) =>
      Array.from({ length }, () => "ab\n"[Math.floor(next() * 3)]).join("");
    const stops = Array.from(
      { length: Math.floor(next() * 3) },
      () => make(1 + Math.floor(next() * 4)),
    );
    const text = make(12);
    const ending = new StopStrings(stops);
    let out = "";
    let found = false;
    for (let at = 0; at < text.length && !found;) {
      const end = at + Math.floor(next() * 4);
      const pushed = ending.push(text.slice(at, end));
      at = end;
      out += pushed.text;
      found = pushed.found;
      // What is out is never taken back.
      assertEquals((stops.length < 2 ? upTo(text, stops) : text).startsWith(out), true);
    }
    if (!found) out += ending.end();
    assertEquals(found, stops.some((stop) => text.includes(stop)));
    // With several stops, one that ends sooner may begin later: what had begun before is not waited for.
    if (stops.length < 2) assertEquals(out, upTo(text, stops));
  }
  for (const stops of [[""], Array.from({ length: 65 }, () => "x"), ["x".repeat(1025)]]) {
    assertThrows(() => new StopStrings(stops), RangeError, "Cannot generate: stop");
  }
  assertThrows(() => new StopStrings("x" as unknown as string[]), TypeError, "list of strings");
});
