/**
 * Ledgers on a disk that tears, fills up, or brings another's file.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import {
  encodeHeader,
  encodeRecord,
  type LedgerHead,
  type LedgerHeader,
  NOISE_VERSION,
  qzoNormalised,
  roundCoefficient,
} from "../../../optim/mod.ts";
import {
  finetune,
  type LedgerEntry,
  LedgerFile,
  openLedger,
  replayLedger,
  replayOnHost,
} from "../../../train/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { exists } from "../../support/shared_data.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { loadTiny, tinyExamples, tinyHeader, tinyOffsets, tinySource } from "../tiny_model.ts";

const header: LedgerHeader = {
  model: "toy",
  trainables: [],
  optimiser: qzoNormalised().describe(),
  seed: 1,
  distribution: "normal",
  projection: "keep-sign",
  noiseVersion: NOISE_VERSION,
  directions: 2,
  stateSize: 1,
  data: null,
  created: "2026-01-01T00:00:00.000Z",
};

const random = randomNumbers(4);
const entries: LedgerEntry[] = Array.from({ length: 7 }, () => ({
  coefficients: [roundCoefficient(random() - 0.5), roundCoefficient(random() - 0.5)],
  state: [Math.fround(random())],
}));

/** The bytes of a ledger. */
function bytesOf(head: LedgerHead, steps: readonly LedgerEntry[]): Uint8Array {
  const records = steps.map((step, i) => encodeRecord(head, i, step.coefficients, step.state));
  return new Uint8Array([...head.bytes, ...records.flatMap((record) => [...record])]);
}

const head = encodeHeader(header);
const whole = bytesOf(head, entries);
const recordSize = head.recordSize;

async function inFolder(body: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(join(folder, "a.ledger"), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ledger file: written in pieces, read as one", async () => {
  await inFolder(async (path) => {
    {
      using file = await LedgerFile.create(path, header);
      assertEquals(await Deno.readFile(path), head.bytes);
      await file.append([]);
      await file.append(entries.slice(0, 4));
      assertEquals(file.length, 4);
      assertEquals((await openLedger(path)).records.length, 4);
      await file.append(entries.slice(4));
    }
    assertEquals(await Deno.readFile(path), whole);
    const { records } = await openLedger(path);
    assertEquals(
      [...records].map(({ coefficients, state }) => ({ coefficients, state })),
      entries,
    );
    await assertRejects(() => LedgerFile.create(path, header), Deno.errors.AlreadyExists, path);
    assertEquals(await Deno.readFile(path), whole);
  });
});

Deno.test("ledger file: torn at any byte of the last record, it is cut, and goes on to the same bytes", async () => {
  await inFolder(async (path) => {
    for (let torn = 0; torn < recordSize; torn++) {
      await Deno.writeFile(path, whole.subarray(0, whole.length - recordSize + torn));
      const { file, ledger } = await LedgerFile.resume(path);
      using _file = file;
      assertEquals([ledger.tornBytes, file.length], [torn, 6]);
      assertEquals(await Deno.readFile(path), whole.slice(0, -recordSize));
      await file.append(entries.slice(6));
      assertEquals(await Deno.readFile(path), whole);
    }
  });
});

Deno.test("ledger file: garbage behind the last record is cut, and kept beside it where it may have been records", async () => {
  await inFolder(async (path) => {
    let kept = 0;
    const other = encodeHeader({ ...header, seed: 2 });
    const tails: Record<string, Uint8Array> = {
      "random bytes": Uint8Array.from({ length: 3 * recordSize + 1 }, () => random() * 256),
      "zeros, as after a lost power supply": new Uint8Array(4096),
      "records of another ledger": bytesOf(other, entries).subarray(other.bytes.length),
      "the first record again": whole.slice(head.bytes.length, head.bytes.length + recordSize),
    };
    for (const [name, tail] of Object.entries(tails)) {
      const found = new Uint8Array([...whole, ...tail]);
      await Deno.writeFile(path, found);
      const { file, ledger } = await LedgerFile.resume(path);
      file[Symbol.dispose]();
      if (tail.some((byte) => byte !== 0)) {
        const copy = `${path}.damaged${++kept === 1 ? "" : `-${kept}`}`;
        assertEquals(await Deno.readFile(copy), found, name);
        assert(ledger.notes[0].includes("record 7 of") && ledger.notes[0].includes(copy), name);
      } else assertEquals(ledger.notes, [], name);
      assertEquals([ledger.tornBytes, ledger.records.length], [tail.length, 7], name);
      assertEquals(await Deno.readFile(path), whole, name);
    }
  });
});

Deno.test("ledger file: what has no good head is refused by name and left as it is", async () => {
  await inFolder(async (path) => {
    for (let length = 0; length < head.bytes.length; length += 7) {
      const bytes = whole.slice(0, length);
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => LedgerFile.resume(path), SyntaxError);
      assert(error.message.includes(path), error.message);
      await assertRejects(() => openLedger(path), SyntaxError, path);
      assertEquals(await Deno.readFile(path), bytes);
    }
    await assertRejects(() => LedgerFile.resume(`${path}.none`), Deno.errors.NotFound);
  });
});

Deno.test("ledger file: a step that is no step is refused and leaves the file as it was", async () => {
  await inFolder(async (path) => {
    using file = await LedgerFile.create(path, header);
    await file.append(entries.slice(0, 1));
    const bad: [LedgerEntry, new (...args: never[]) => Error][] = [
      [{ coefficients: [0.5], state: [0] }, TypeError],
      [{ coefficients: [0.5, NaN], state: [0] }, RangeError],
      [{ coefficients: [0.5, 0.1], state: [0] }, RangeError],
      [{ coefficients: [0.5, 0.5], state: [Infinity] }, RangeError],
    ];
    for (const [entry, type] of bad) {
      await assertRejects(() => file.append([entries[1], entry]), type);
      assertEquals([file.length, (await Deno.stat(path)).size], [
        1,
        head.bytes.length + recordSize,
      ]);
    }
    await file.append(entries.slice(1));
    assertEquals(await Deno.readFile(path), whole);
  });
});

Deno.test("ledger file: another model's, another noise's, or one that does not fit is refused", async () => {
  using gpu = await openSharedGpu();
  using model = await loadTiny(gpu);
  const source = await tinySource();
  const optimiser = qzoNormalised();
  using offsets = tinyOffsets(model, optimiser);
  const good = tinyHeader(model, optimiser, offsets);
  const [first, ...rest] = good.trainables;
  const huge = { ...first, count: 2 ** 32 - 4, rows: 2 ** 30 };
  const cases: [string, LedgerHeader][] = [
    ["model", { ...good, model: "0".repeat(64) }],
    ["version", { ...good, noiseVersion: NOISE_VERSION + 1 }],
    ["count", { ...good, trainables: [huge, ...rest] }],
    ["span", { ...good, trainables: [{ ...first, span: 4096 }, ...rest] }],
    ["rows", { ...good, trainables: [{ ...first, rows: 4 }, ...rest] }],
    ["id", { ...good, trainables: [{ ...first, id: 12345 }, ...rest] }],
    ["blk.9", { ...good, trainables: [{ ...first, name: "blk.9.attn_q.weight" }, ...rest] }],
  ];
  const one = (header: LedgerHeader) => async (path: string) => {
    using file = await LedgerFile.create(path, header);
    await file.append([{ coefficients: [0.5], state: [1] }]);
  };
  await inFolder(async (path, folder) => {
    const before = gpu.memory.total;
    for (const [text, header] of cases) {
      const bad = join(folder, `${text}.ledger`);
      await one(header)(bad);
      const ledger = await openLedger(bad);
      await assertRejects(() => replayLedger(model, ledger), RangeError, text);
      await assertRejects(() => replayOnHost(source, ledger), RangeError, text);
      using file = (await LedgerFile.resume(bad)).file;
      const options = { model, optimiser, offsets, train: tinyExamples(4), steps: 2, state: [1] };
      await assertRejects(
        () => finetune({ ...options, objective: "classification", ledger: file }).next(),
        RangeError,
      );
    }
    assertEquals(gpu.memory.total, before);
    // The unchanged one is taken.
    await one(good)(path);
    const ledger = await openLedger(path);
    assert([...(await replayOnHost(source, ledger)).values()].some((o) => o.some((w) => w !== 0)));
  });
});

/** What the child says of a disk on which files may have at most 1 KiB more than nothing. */
async function onFullDisk(folder: string): Promise<{ events: string[]; errors: string }> {
  const child = fromFileUrl(import.meta.resolve("./full_disk_child.ts"));
  // The limit's unit is 512 or 1024 bytes, as the shell likes; the signal must not kill the process.
  const script = `trap '' XFSZ; ulimit -f 2; exec "$0" run -A --no-check --cached-only "$1" "$2"`;
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script, Deno.execPath(), child, folder],
  }).output();
  const decoder = new TextDecoder();
  return {
    events: decoder.decode(stdout).split("\n").filter(Boolean),
    errors: decoder.decode(stderr),
  };
}

Deno.test({
  name: "ledger file: a full disk is said, and leaves whole steps that can be gone on from",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (path, folder) => {
      const { events, errors } = await onFullDisk(folder);
      const [appended, message, later, created, createMessage] = events;
      assert(createMessage !== undefined, `${events.join("\n")}\n${errors}`);
      const count = Number(appended);
      assert(count > 0, appended);
      assert(message.startsWith("Cannot append 9 steps to ") && message.includes(path), message);
      assert(/too large|no space/i.test(message), message);
      // One step more did fit where nine did not.
      assertEquals(Number(later), count + 1);
      const ledger = await openLedger(path);
      assertEquals([ledger.records.length, ledger.tornBytes], [count + 1, 0]);
      assertEquals(created, "false");
      assert(/too large|no space/i.test(createMessage), createMessage);
      const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
      assertEquals(names, ["a.ledger"]);
      assert(exists(path));
      // On another disk it goes on.
      const { file } = await LedgerFile.resume(path);
      using _file = file;
      await file.append(entries.slice(0, 1).map((entry) => ({ ...entry })));
      assertEquals((await openLedger(path)).records.length, count + 2);
    });
  },
});

Deno.test("ledger file: a damaged record is told from a torn one, and nothing is cut before the check has agreed", async () => {
  await inFolder(async (path, folder) => {
    const damaged = whole.slice();
    damaged[head.bytes.length + 2 * recordSize + 1] ^= 16;
    await Deno.writeFile(path, damaged);
    const { damage, records } = await openLedger(path);
    const offset = head.bytes.length + 2 * recordSize;
    assertEquals([damage, records.length], [{ record: 2, records: 7, offset }, 2]);
    const check = () => {
      throw new RangeError("another model");
    };
    await assertRejects(() => LedgerFile.resume(path, { check }), RangeError, "another model");
    assertEquals(await Deno.readFile(path), damaged);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  });
});

Deno.test("ledger file: of many that create one path at the same moment one succeeds, and its steps are there", async () => {
  await inFolder(async (path, folder) => {
    for (let round = 0; round < 20; round++) {
      const name = `${path}${round}`;
      const seeds = [1, 2, 3, 4, 5];
      const made = await Promise.allSettled(
        seeds.map((seed) => LedgerFile.create(name, { ...header, seed })),
      );
      const won = made.flatMap((it, i) => it.status === "fulfilled" ? [{ file: it.value, i }] : []);
      assertEquals(won.length, 1);
      for (const it of made) {
        if (it.status === "rejected") assert(it.reason instanceof Deno.errors.AlreadyExists);
      }
      using file = won[0].file;
      await file.append(entries);
      const { header: { seed }, records } = await openLedger(name);
      assertEquals([seed, records.length], [seeds[won[0].i], 7]);
    }
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".part")), []);
  });
});

Deno.test("ledger file: steps that are appended at the same moment take turns, and one that fails stops no other", async () => {
  await inFolder(async (path) => {
    using file = await LedgerFile.create(path, header);
    const wrong: LedgerEntry = { coefficients: [0.5, NaN], state: [0] };
    const results = await Promise.allSettled(
      [...entries.slice(0, 3), wrong, ...entries.slice(3)].map((it) => file.append([it])),
    );
    assertEquals(results.map(({ status }) => status).indexOf("rejected"), 3);
    assertEquals(file.length, 7);
    assertEquals(await Deno.readFile(path), whole);
  });
});

Deno.test("ledger file: two fine-tunes that write to one ledger: the second is refused, the first is whole", async () => {
  await inFolder(async (path) => {
    using gpu = await openSharedGpu();
    using model = await loadTiny(gpu);
    const optimiser = qzoNormalised({ learningRate: 1e-2 });
    using offsets = tinyOffsets(model, optimiser);
    using others = tinyOffsets(model, optimiser);
    using ledger = await LedgerFile.create(path, tinyHeader(model, optimiser, offsets));
    const run = async (offsets: ReturnType<typeof tinyOffsets>) => {
      const objective = "classification";
      const common = { model, optimiser, objective, train: tinyExamples(8), steps: 6 } as const;
      for await (const _ of finetune({ ...common, offsets, ledger }));
    };
    const ends = await Promise.allSettled([run(offsets), run(others)]);
    assertEquals(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const refused = ends.find((it) => it.status === "rejected");
    assert(refused?.status === "rejected" && refused.reason instanceof Deno.errors.Busy);
    const { records, tornBytes } = await openLedger(path);
    assertEquals([records.length, tornBytes], [6, 0]);
  });
});
