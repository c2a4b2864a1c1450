import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "node:zlib";
import {
  assertLedgerFits,
  blockwiseZo,
  encodeHeader,
  encodeRecord,
  type LedgerHead,
  type LedgerHeader,
  lozo,
  masterSeed,
  mezo,
  NOISE_VERSION,
  type Optimiser,
  qzoNormalised,
  readLedger,
  roundCoefficient,
  Session,
  sparseZo,
  stepSeed,
  stepsToReplay,
} from "../../../optim/mod.ts";
import { crc16 } from "../../../optim/ledger/crc16.ts";
import { quadratic } from "../objectives.ts";
import { random } from "../random.ts";

const trainable = {
  name: "blk.0.attn_q.weight",
  id: 12345,
  count: 256,
  form: "relative",
  span: 32,
  rows: 64,
  columns: 128,
} as const;

const header: LedgerHeader = {
  model: "crc32:0badf00d",
  trainables: [trainable, { ...trainable, name: "größe", id: 7, form: "absolute" }],
  optimiser: qzoNormalised({ queries: 2 }).describe(),
  seed: 2 ** 40 + 3,
  distribution: "normal",
  projection: "keep-sign",
  noiseVersion: NOISE_VERSION,
  directions: 2,
  stateSize: 1,
  data: { shuffle: "seeded", seed: 1 },
  created: "2026-01-01T00:00:00Z",
};

interface Step {
  readonly coefficients: number[];
  readonly state: number[];
}

function steps(count: number, { directions, stateSize }: LedgerHeader): Step[] {
  const next = random(9);
  return Array.from({ length: count }, () => ({
    coefficients: Array.from(
      { length: directions },
      () => roundCoefficient((next() - 0.5) * 10 ** -(next() * 12)),
    ),
    state: Array.from({ length: stateSize }, () => Math.fround(next() * 100)),
  }));
}

function file(head: LedgerHead, made: readonly Step[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(head.bytes.length + made.length * head.recordSize);
  bytes.set(head.bytes);
  made.forEach(({ coefficients, state }, i) => {
    bytes.set(
      encodeRecord(head, i, coefficients, state),
      head.bytes.length + i * head.recordSize,
    );
  });
  return bytes;
}

const head = encodeHeader(header);
const made = steps(20, header);
const whole = file(head, made);

/** Reads what must be a prefix of the true records, whatever happened to the bytes. */
function assertPrefix(bytes: Uint8Array): number {
  const { records, tornBytes, validBytes } = readLedger(bytes);
  assertEquals(validBytes + tornBytes, bytes.length);
  for (const { step, coefficients, state } of records) {
    assertEquals({ coefficients, state: [...state] }, made[step]);
  }
  return records.length;
}

Deno.test("what was written is read", () => {
  const ledger = readLedger(whole);
  assertEquals(ledger.header, { features: [], ...header });
  assertEquals([ledger.head.version, head.version], [7, 7]);
  assertEquals([ledger.tornBytes, ledger.damage, ledger.notes], [0, undefined, []]);
  assertEquals(ledger.records.length, made.length);
  assertEquals(ledger.head.bytes, head.bytes);
  assertEquals(assertPrefix(whole), made.length);
  assertEquals(ledger.records.record(4), {
    step: 4,
    seeds: [0, 1].map((q) => stepSeed(masterSeed(header.seed), 4, q)),
    coefficients: made[4].coefficients,
    state: made[4].state,
  });
  for (const index of [-1, 20, 0.5]) {
    assertThrows(() => ledger.records.coefficients(index), RangeError, "20 records");
  }
  const shifted = new Uint8Array(whole.length + 3).subarray(3);
  shifted.set(whole);
  assertEquals(assertPrefix(shifted), made.length);
});

Deno.test("a plain step is 5 bytes: 20,000 of them are about 100 KB", () => {
  const plain = encodeHeader({ ...header, directions: 1, stateSize: 0 });
  assertEquals(plain.recordSize, 5);
  const bytes = file(plain, steps(20000, plain.header));
  assert(bytes.length < 102_000);
  assertEquals(readLedger(bytes).records.length, 20000);
});

Deno.test("torn at every byte: whole records before the tear are kept, the rest is reported", () => {
  for (let length = 0; length < whole.length; length++) {
    const torn = whole.slice(0, length);
    if (length < head.bytes.length) {
      assertThrows(() => readLedger(torn), SyntaxError, "ledger header");
      continue;
    }
    const body = length - head.bytes.length;
    assertEquals(assertPrefix(torn), Math.floor(body / head.recordSize));
    const { tornBytes, damage } = readLedger(torn);
    assertEquals([tornBytes, damage], [body % head.recordSize, undefined]);
  }
});

Deno.test("a tail of zeros, as a crash may leave it, is dropped", () => {
  const bytes = new Uint8Array(whole.length + 500);
  bytes.set(whole);
  const { records, tornBytes, damage } = readLedger(bytes);
  assertEquals([records.length, tornBytes, damage], [made.length, 500, undefined]);
});

Deno.test("a flipped bit anywhere: an error in the head, a cut at the record in the body", () => {
  for (let at = 0; at < whole.length; at++) {
    const bytes = whole.slice();
    bytes[at] ^= 1 << (at % 8);
    if (at < head.bytes.length) {
      assertThrows(() => readLedger(bytes), SyntaxError, "ledger header");
    } else {
      const record = Math.floor((at - head.bytes.length) / head.recordSize);
      assertEquals(assertPrefix(bytes), record);
      const offset = head.bytes.length + record * head.recordSize;
      assertEquals(readLedger(bytes).damage, { record, records: made.length, offset });
    }
  }
});

Deno.test("a damaged ledger is replayed up to the damage, when that is said", () => {
  const bytes = whole.slice();
  bytes[head.bytes.length + 5 * head.recordSize] ^= 1;
  const ledger = readLedger(bytes);
  assertEquals([0, 3, 5].map((steps) => stepsToReplay(ledger, steps)), [0, 3, 5]);
  for (const steps of [undefined, 6, 20]) {
    assertThrows(() => stepsToReplay(ledger, steps), SyntaxError, "record 5 of 20");
  }
  assertEquals([undefined, 3, 99].map((steps) => stepsToReplay(readLedger(whole), steps)), [
    20,
    3,
    20,
  ]);
});

Deno.test("records out of place or of another ledger are dropped", () => {
  const swapped = whole.slice();
  const first = head.bytes.length;
  swapped.copyWithin(first, first + head.recordSize, first + 2 * head.recordSize);
  assertEquals(readLedger(swapped).records.length, 0);
  const other = encodeHeader({ ...header, seed: 1 });
  const mixed = new Uint8Array([...other.bytes, ...whole.subarray(first)]);
  assertEquals(readLedger(mixed).records.length, 0);
});

Deno.test("a thousand seeded mutations: a SyntaxError or a true prefix, nothing else", () => {
  const next = random(10);
  const integer = (limit: number) => Math.floor(next() * limit);
  for (let trial = 0; trial < 1000; trial++) {
    let bytes = whole.slice();
    for (let edits = 1 + integer(3); edits > 0; edits--) {
      const at = integer(bytes.length);
      const kind = integer(4);
      if (kind === 0) bytes[at] = integer(256);
      else if (kind === 1) bytes = bytes.slice(0, at);
      else if (kind === 2) bytes.copyWithin(at, integer(bytes.length), integer(bytes.length));
      else bytes = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + integer(9))]);
      if (bytes.length === 0) break;
    }
    try {
      assertPrefix(bytes);
    } catch (error) {
      assert(error instanceof SyntaxError, `trial ${trial}: ${error}`);
    }
  }
});

/** A head around any JSON text, its checksum right. */
function forge(text: string, length?: number): Uint8Array {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(Math.ceil((20 + json.length) / 8) * 8);
  const view = new DataView(bytes.buffer);
  bytes.set(head.bytes.subarray(0, 12));
  view.setUint32(12, length ?? json.length, true);
  bytes.set(json, 16);
  view.setUint32(16 + json.length, crc32(bytes.subarray(0, 16 + json.length)), true);
  return bytes;
}

Deno.test("hostile headers with right checksums are syntax errors that name the field", () => {
  const header = head.header;
  assertEquals(readLedger(forge(JSON.stringify(header))).header, header);
  const forged: [unknown, string][] = [
    [null, "not an object"],
    [[], "not an object"],
    [{}, "features"],
    [{ features: [] }, "trainables"],
    [{ ...header, features: undefined }, "features"],
    [{ ...header, features: "mask" }, "features"],
    [{ ...header, features: [null] }, "null"],
    [{ ...header, features: [{}] }, "{}"],
    [{ ...header, model: 5 }, "model"],
    [{ ...header, trainables: {} }, "trainables"],
    [{ ...header, trainables: [null] }, "trainable"],
    [{ ...header, trainables: [trainable, trainable] }, "same id"],
    [{ ...header, trainables: [{ ...trainable, count: -1 }] }, "count"],
    [{ ...header, trainables: [{ ...trainable, count: 1e300 }] }, "count"],
    [{ ...header, trainables: [{ ...trainable, span: 0 }] }, "span"],
    [{ ...header, trainables: [{ ...trainable, form: "__proto__" }] }, "form"],
    [{ ...header, seed: -1 }, "seed"],
    [{ ...header, seed: "1" }, "seed"],
    [{ ...header, distribution: "cauchy" }, "distribution"],
    [{ ...header, distribution: "sparseNormal" }, "distribution"],
    [{ ...header, projection: null }, "projection"],
    [{ ...header, directions: 0 }, "directions"],
    [{ ...header, directions: 1e9 }, "directions"],
    [{ ...header, stateSize: 0.5 }, "stateSize"],
    [{ ...header, data: undefined }, "data"],
    [{ ...header, created: null }, "created"],
  ];
  for (const [value, shown] of forged) {
    assertThrows(() => readLedger(forge(JSON.stringify(value))), SyntaxError, shown);
  }
  for (const text of ["", "{", "nul", "[".repeat(50000), '"\ud800']) {
    assertThrows(() => readLedger(forge(text)), SyntaxError, "JSON");
  }
  for (const length of [0, 5, 1000, 2 ** 24, 2 ** 32 - 1]) {
    assertThrows(() => readLedger(forge(JSON.stringify(header), length)), SyntaxError, "header");
  }
  const newer = whole.slice();
  newer[8] = 5;
  assertThrows(() => readLedger(newer), SyntaxError, "version 5");
  newer[8] = 8;
  assertThrows(() => readLedger(newer), SyntaxError, "newer version of the library");
  assertThrows(() => readLedger(new Uint8Array(64)), SyntaxError, "begins with");
});

Deno.test("features that are not expected one of refused by name, with what to do; others are those that it needs", () => {
  const { header } = encodeHeader({
    ...head.header,
    ...{ features: undefined, optimiser: sparseZo().describe(), directions: 1, stateSize: 0 },
  });
  assertEquals(header.features, ["directions", "mask"]);
  const refused: [readonly unknown[], ...string[]][] = [
    [["directions", "mask", "adapters"], '"adapters"', "not know", "newer version"],
    [["flock", "swarm"], '"flock" and "swarm"', "it knows directions, mask"],
    [["directions", "mask", "exact"], "has exact"],
    [["directions"], "lacks mask"],
    [["mask"], "lacks directions"],
    [[], "lacks directions, mask"],
    [["directions", "mask", "gains", "zeros"], "has gains, zeros"],
  ];
  for (const [features, ...shown] of refused) {
    for (const words of shown) {
      const value = { ...header, features };
      assertThrows(() => readLedger(forge(JSON.stringify(value))), SyntaxError, words);
      assertThrows(() => encodeHeader(value as LedgerHeader), SyntaxError, words);
    }
  }
  const any = { ...header, features: ["mask", "directions"] };
  assertEquals(readLedger(forge(JSON.stringify(any))).header, header);
});

Deno.test("a ledger of exact gradients has no records, and says that it cannot be replayed", () => {
  const exact = encodeHeader({ ...head.header, features: undefined, exact: true });
  assert(exact.header.features!.includes("exact"));
  const coefficients = Array(exact.moves).fill(0);
  const state = Array(exact.header.stateSize).fill(0);
  assertThrows(() => encodeRecord(exact, 0, coefficients, state), TypeError, "exact gradients");
  const ledger = readLedger(new Uint8Array([...exact.bytes, ...Array(exact.recordSize).fill(1)]));
  assertEquals([ledger.records.length, ledger.tornBytes], [0, exact.recordSize]);
  for (const steps of [undefined, 0]) {
    assertThrows(() => stepsToReplay(ledger, steps), TypeError, "cannot be regenerated from seeds");
  }
  const wrong = JSON.stringify({ ...exact.header, exact: "yes" });
  assertThrows(() => readLedger(forge(wrong)), SyntaxError, '"exact" is "yes", not true');
});

Deno.test("headers of older versions are read as they were: words of distributions, tensors' places by name", () => {
  const older = (version: number, value: unknown) => {
    const bytes = forge(JSON.stringify(value));
    bytes[8] = version;
    const json = new DataView(bytes.buffer).getUint32(12, true);
    new DataView(bytes.buffer).setUint32(16 + json, crc32(bytes.subarray(0, 16 + json)), true);
    return bytes;
  };
  const { features: _, ...plain } = head.header;
  assertEquals(readLedger(older(1, plain)).header, head.header);
  assertEquals(readLedger(older(1, plain)).head.version, 1);
  const described = (rule: Optimiser, distribution: string) => ({
    ...plain,
    distribution,
    optimiser: { ...rule.describe() as object, distribution },
  });
  const words = { mask: "sparse", blocks: "block", lowRank: "lowRank" } as const;
  for (const [structure, prefix] of Object.entries(words)) {
    for (const dense of ["normal", "rademacher"] as const) {
      const rule = { mask: sparseZo, blocks: blockwiseZo, lowRank: lozo }[structure]!({
        distribution: dense,
      });
      const word = prefix + dense[0].toUpperCase() + dense.slice(1);
      const { header, head: { law, plan } } = readLedger(older(2, described(rule, word)));
      assertEquals([law, header.distribution], [{ dense, structure }, dense]);
      assertEquals(plan, rule.plan);
      assertEquals(header.optimiser, JSON.parse(JSON.stringify(rule.describe())));
      for (const other of Object.values(words).filter((one) => one !== prefix)) {
        const wrong = described(rule, word.replace(prefix, other));
        assertThrows(() => readLedger(older(2, wrong)), SyntaxError, "distribution");
      }
      assertThrows(() => readLedger(older(2, described(rule, dense))), SyntaxError, "distribution");
      assertThrows(() => readLedger(older(2, described(mezo(), word))), SyntaxError, "without");
    }
  }
  const turns = described(blockwiseZo(), "blockNormal");
  assertEquals(
    readLedger(older(2, turns)).header.trainables.map(({ layer, part }) => [layer, part]),
    [[0, "attention"], [undefined, undefined]],
  );
  assertEquals(readLedger(older(2, turns)).header.features, ["directions", "blocks", "places"]);
  for (const [version, value] of [[2, plain], [1, turns], [3, turns], [4, plain], [6, plain]]) {
    assertThrows(() => readLedger(older(version as number, value)), SyntaxError, "its version is");
  }
  assertThrows(() => readLedger(older(1, null)), SyntaxError, "not an object");
});

Deno.test("crc16 gives the published check value", () => {
  assertEquals(crc16(new TextEncoder().encode("123456789")), 0x29b1);
});

Deno.test("a record of impossible numbers is dropped though its checksum is right", () => {
  const index = 3;
  const place = new DataView(new ArrayBuffer(8));
  place.setUint32(0, head.crc, true);
  place.setUint32(4, index, true);
  const start = head.bytes.length + index * head.recordSize;
  const forged: [number, number[]][] = [
    [0, [0x00, 0x80, 0x7f]], // infinite coefficient
    [3, [0x01, 0x80, 0xff]], // NaN
    [3, [0x00, 0x00, 0x80]], // negative zero
    [0, [0x01, 0x00, 0x00]], // subnormal
    [6, [0x00, 0x00, 0x80, 0x7f]], // infinite state
  ];
  for (const [at, numbers] of forged) {
    const bytes = whole.slice();
    bytes.set(numbers, start + at);
    const payload = bytes.subarray(start, start + head.recordSize - 2);
    const crc = crc16(payload, crc16(new Uint8Array(place.buffer)));
    new DataView(bytes.buffer).setUint16(start + payload.length, crc, true);
    assertEquals(assertPrefix(bytes), index);
  }
});

Deno.test("records that a reader would refuse are not written", () => {
  const refused: [number, number[], number[], string][] = [
    [0, [1], [1], "1 coefficients"],
    [0, [1, 1], [], "0 state"],
    [0, [1, 1 + 2 ** -20], [1], "not rounded"],
    [0, [1, NaN], [1], "NaN"],
    [0, [1, Infinity], [1], "Infinity"],
    [0, [1, -0], [1], "coefficient"],
    [0, [1, 1], [NaN], "NaN"],
    [0, [1, 1], [0.1], "0.1"],
    [-1, [1, 1], [1], "-1"],
  ];
  for (const [index, coefficients, state, shown] of refused) {
    const error = assertThrows(() => encodeRecord(head, index, coefficients, state), Error, shown);
    assert(error instanceof RangeError || error instanceof TypeError);
  }
});

Deno.test("a ledger fits its own model and trainables only", () => {
  const { model, trainables } = header;
  assertLedgerFits(header, model, trainables);
  const refused: [() => void, string][] = [
    [() => assertLedgerFits(header, "crc32:1", trainables), "crc32:0badf00d"],
    [() => assertLedgerFits(header, model, trainables.slice(1)), "blk.0.attn_q.weight"],
    [() => assertLedgerFits(header, model, trainables.slice(0, 1)), "größe"],
    [() => assertLedgerFits(header, model, [...trainables, { ...trainable, name: "x" }]), '"x"'],
    [
      () => assertLedgerFits(header, model, [{ ...trainable, span: 128 }, trainables[1]]),
      "span 32",
    ],
    [
      () => assertLedgerFits({ ...header, noiseVersion: 99 }, model, trainables),
      "version 99",
    ],
  ];
  for (const [check, shown] of refused) assertThrows(check, RangeError, shown);
});

Deno.test("a run killed at any byte of its ledger resumes to the same bits and the same file", () => {
  for (const plan of [mezo({ learningRate: 0.02 }), qzoNormalised({ queries: 2 })]) {
    const objective = quadratic([1, 2, 0.5], 4);
    const options = { parameters: [0.5, 1, 1], optimiser: plan, seed: 6 };
    const own = encodeHeader({
      ...header,
      seed: 6,
      optimiser: plan.describe(),
      directions: plan.estimator.directions,
      stateSize: plan.transformation.stateSize,
    });
    /** Goes on from what is left of a ledger and returns the finished one. */
    const goOn = (left: Uint8Array): { bytes: Uint8Array; session: Session } => {
      const ledger = readLedger(left);
      const session = new Session(options);
      for (const record of ledger.records) session.replay(record);
      const bytes = [...left.subarray(0, ledger.validBytes)];
      while (session.step < 12) {
        const { step, coefficients, state } = session.tell(session.ask().map(objective.loss));
        bytes.push(...encodeRecord(ledger.head, step, coefficients, state));
      }
      return { bytes: new Uint8Array(bytes), session };
    };
    const unbroken = goOn(own.bytes);
    for (let at = own.bytes.length; at <= unbroken.bytes.length; at++) {
      const resumed = goOn(unbroken.bytes.slice(0, at));
      assertEquals(resumed.bytes, unbroken.bytes);
      assertEquals(resumed.session.offsets, unbroken.session.offsets);
      assertEquals(resumed.session.state, unbroken.session.state);
    }
  }
});
