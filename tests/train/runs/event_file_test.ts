/**
 * Event files, read by a decoder of their own: records and checksums as TensorFlow describes them, protobuf field by field.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { crc32c } from "../../../train/runs/crc32c.ts";
import { isEventFile } from "../../../train/runs/event_file_name.ts";
import { readMetrics, type RunEvent } from "../../../train/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../../cli/tiny_model.ts";

/** Bit by bit, by the polynomial of RFC 3720 as it is printed there. */
function plainCrc(bytes: Uint8Array): number {
  const reversed = (value: number, bits: number): number => {
    let out = 0;
    for (let i = 0; i < bits; i++) out = (out * 2 + (Math.floor(value / 2 ** i) % 2)) >>> 0;
    return out;
  };
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc ^ (reversed(byte, 8) << 24)) >>> 0;
    for (let i = 0; i < 8; i++) crc = ((crc << 1) ^ (crc & 0x80000000 ? 0x1edc6f41 : 0)) >>> 0;
  }
  return (reversed(crc, 32) ^ 0xffffffff) >>> 0;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("the checksum has the answers of RFC 3720 and of an independent one", () => {
  const up = Uint8Array.from({ length: 32 }, (_, i) => i);
  const known: [Uint8Array, number][] = [
    [ascii("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(255), 0x62a8ab43],
    [up, 0x46dd794e],
    [up.toReversed(), 0x113fdb5c],
  ];
  for (const [bytes, crc] of known) assertEquals([crc32c(bytes), plainCrc(bytes)], [crc, crc]);
  for (let i = 0; i < 100; i++) {
    const bytes = crypto.getRandomValues(new Uint8Array(i));
    assertEquals(crc32c(bytes), plainCrc(bytes));
  }
});

/** The records of a file. @throws when a length or a checksum is wrong */
function records(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const check = (part: Uint8Array, at: number) => {
    const stored = (view.getUint32(at, true) - 0xa282ead8) >>> 0;
    const rotated = ((stored >>> 17) | (stored << 15)) >>> 0;
    if (rotated !== plainCrc(part)) throw new Error(`checksum at ${at}`);
  };
  const out = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    check(bytes.subarray(at, at + 8), at + 8);
    const data = bytes.slice(at + 12, at + 12 + length);
    check(data, at + 12 + length);
    out.push(data);
    at += 16 + length;
  }
  return out;
}

/** The fields of a message: number to values, which are numbers or bytes. */
function fields(bytes: Uint8Array<ArrayBuffer>): Map<number, (number | Uint8Array<ArrayBuffer>)[]> {
  const out = new Map<number, (number | Uint8Array<ArrayBuffer>)[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1;; shift *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    let value: number | Uint8Array<ArrayBuffer>;
    switch (key & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        value = view.getFloat64(at, true);
        at += 8;
        break;
      case 2: {
        const length = varint();
        value = bytes.slice(at, at + length);
        at += length;
        break;
      }
      case 5:
        value = view.getFloat32(at, true);
        at += 4;
        break;
      default:
        throw new Error(`wire type ${key & 7}`);
    }
    out.set(key >>> 3, [...out.get(key >>> 3) ?? [], value]);
  }
  return out;
}

interface Decoded {
  readonly time: number;
  readonly step: number;
  readonly version?: string;
  readonly session?: number;
  readonly scalars: Readonly<Record<string, number>>;
}

function decoded(bytes: Uint8Array<ArrayBuffer>): Decoded[] {
  const inner = (value: unknown) => fields(value as Uint8Array<ArrayBuffer>);
  const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array<ArrayBuffer>);
  return records(bytes).map((record) => {
    const event = fields(record);
    const summary = event.get(5);
    const values = summary ? inner(summary[0]).get(1) ?? [] : [];
    return {
      time: Number(event.get(1)?.[0]),
      step: Number(event.get(2)?.[0]),
      ...(event.has(3) ? { version: text(event.get(3)?.[0]) } : {}),
      ...(event.has(7) ? { session: Number(inner(event.get(7)?.[0]).get(1)?.[0]) } : {}),
      scalars: Object.fromEntries(values.map((value) => {
        const of = inner(value);
        return [text(of.get(1)?.[0]), Number(of.get(2)?.[0])];
      })),
    };
  });
}

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));

async function qzo(cwd: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-write", "--allow-env", main, ...args],
    cwd,
    stdout: "null",
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** The events of a folder's files, in the order of their names. */
async function eventsOf(folder: string): Promise<Decoded[][]> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.includes("tfevents")
  );
  assert(names.every(isEventFile));
  return await Promise.all(
    names.toSorted().map(async (name) => decoded(await Deno.readFile(join(folder, name)))),
  );
}

function assertSame(events: readonly Decoded[], metrics: readonly RunEvent[]): void {
  assertEquals(events.map(({ step }) => step), metrics.map(({ step }) => step));
  metrics.forEach((metric, i) => {
    const { scalars, time } = events[i];
    assertAlmostEquals(time, Date.parse(metric.time!) / 1000, 1e-3);
    const wanted = metric.type === "step"
      ? {
        "train/loss": metric.loss,
        "train/learning_rate": metric.learningRate!,
        "train/tokens_per_second": metric.tokensPerSecond,
      }
      : { "held_out/loss": metric.loss, "held_out/accuracy": metric.accuracy! };
    assertEquals(
      scalars,
      Object.fromEntries(Object.entries(wanted).map(([tag, value]) => [tag, Math.fround(value)])),
    );
  });
}

Deno.test("finetune --log tensorboard writes what metrics.jsonl has; a resumed run goes on in a file of its own", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await qzo(folder, "finetune", "tiny.yaml", "--log", "tensorboard", "--output", "mine");
    const run = join(folder, "mine");
    const first = await readMetrics(join(run, "metrics.jsonl"));
    const [[head, ...events], ...none] = await eventsOf(run);
    assertEquals([head.version, none.length], ["brain.Event:2", 0]);
    assertSame(events, first);

    // The run remembers that it is logged.
    await qzo(folder, "finetune", "mine", "--resume", "--steps", "9");
    const all = await readMetrics(join(run, "metrics.jsonl"));
    const [before, [version, start, ...more], ...others] = await eventsOf(run);
    assertEquals(others.length, 0);
    assertEquals(before.length, 1 + first.length);
    // What was after step 6 in earlier files would not count.
    assertEquals([version.version, start.session, start.step], ["brain.Event:2", 1, 7]);
    assertSame(more, all.slice(first.length));
    assertEquals(all.at(-1)?.step, 9);
  });
});

Deno.test("a run that was not logged is logged from its beginning when it goes on; without --log there is no file", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await qzo(folder, "finetune", "tiny.yaml", "--output", "mine", "--steps", "3");
    const run = join(folder, "mine");
    assertEquals((await eventsOf(run)).length, 0);
    await qzo(folder, "finetune", "mine", "--resume", "--steps", "6", "--log", "tensorboard");
    const [[_head, ...events]] = await eventsOf(run);
    assertSame(events, await readMetrics(join(run, "metrics.jsonl")));
  });
});

Deno.test("the decoder sees a wrong byte", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    await qzo(folder, "finetune", "tiny.yaml", "--log", "TensorBoard", "--output", "mine");
    const run = join(folder, "mine");
    const [name] = [...Deno.readDirSync(run)].map((it) => it.name).filter(isEventFile);
    const bytes = await Deno.readFile(join(run, name));
    for (const at of [0, 9, 15, bytes.length - 2]) {
      const bad = bytes.slice();
      bad[at] ^= 1;
      assertThrows(() => decoded(bad));
    }
  });
});
