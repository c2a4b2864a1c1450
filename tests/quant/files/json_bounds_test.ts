import { assert, assertThrows } from "@std/assert";
import { checkJson, JSON_BOUNDS, type JsonBounds } from "../../../quant/mod.ts";
import { processorTime } from "../../support/processor_time.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const bounds: JsonBounds = { depth: 3, objects: 2, lists: 2, keys: 3, values: 4 };

Deno.test("JSON is counted outside of its texts, to the bound and not beyond", () => {
  const fits = ['[[{"a":1}]]', '{"a":{},"b":[1,2,3],"c":[]}', '["[[[[{{{{,,,,::::\\"[[[["]', ""];
  for (const text of fits) checkJson(bytesOf(text), bounds, "it");
  const refused: Record<string, string> = {
    '[[{"a":{}}]]': "objects and lists more than 3 deep",
    "[{},{},{}]": "more than 2 objects",
    "{[],[],[]}": "more than 2 lists",
    '{"a":1,"b":1,"c":1,"d":1}': "more than 3 keys",
    "[1,1,1,1,1,1]": "more than 4 values",
    '["\\\\",1,1,1,1,1]': "more than 4 values",
  };
  for (const [text, words] of Object.entries(refused)) {
    assertThrows(() => checkJson(bytesOf(text), bounds, "it"), RangeError, words);
  }
});

Deno.test("the largest known tokenizers, indexes and headers fit", () => {
  const list = (count: number, of: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => of(i)).join();
  // Gemma 3: 262,144 tokens, 514,906 merges as pairs, 6,242 added tokens of 7 keys.
  const added = list(6242, () => '{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}');
  const tokenizer = `{"added_tokens":[${added}],"model":{"vocab":{${
    list(262144, (i) => `"t${i}":${i}`)
  }},"merges":[${list(514906, () => '["a", "b"]')}]}}`;
  checkJson(bytesOf(tokenizer), JSON_BOUNDS.tokenizer, "it");
  // 384 experts in 60 layers, three matrices of three planes each.
  const index = `{"metadata":{},"weight_map":{${list(384 * 60 * 9, (i) => `"${i}":"x"`)}}}`;
  checkJson(bytesOf(index), JSON_BOUNDS.index, "it");
  // What a file of 2^17 - 1 tensors has.
  const header = `{"__metadata__":{"format":"pt"},${
    list(2 ** 17 - 2, (i) => `"${i}":{"dtype":"F16","shape":[1,1],"data_offsets":[0,1]}`)
  }}`;
  checkJson(bytesOf(header), JSON_BOUNDS.header, "it");
});

Deno.test("bombs of JSON are refused within a second, before they are values", () => {
  const size = 64 * 2 ** 20;
  const bombs = ["[", "[],", "{},", "1,", '"a":1,', '{"a":'];
  for (const bomb of bombs) {
    const bytes = new Uint8Array(size);
    const part = bytesOf(bomb.repeat(1000));
    for (let at = 0; at < size; at += part.length) {
      bytes.set(part.subarray(0, Math.min(part.length, size - at)), at);
    }
    for (const kind of Object.values(JSON_BOUNDS)) {
      const begun = processorTime();
      assertThrows(() => checkJson(bytes, kind, "it"), RangeError, "which no known file has");
      const took = processorTime() - begun;
      assert(took < 1000, `${bomb}: ${took} ms`);
    }
  }
});
