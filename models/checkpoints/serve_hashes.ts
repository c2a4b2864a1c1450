/**
 * Code of the workers of `stream_hashes.ts`: hashes bytes that are in shared memory or are transferred, and reports when their memory can be reused.
 *
 * @module
 */

import type { createHash, Hash } from "node:crypto";
import type { DenseType } from "../../quant/layouts/layout.ts";
import { LOOKS } from "../../quant/layouts/non_finite.ts";
import type { HashReply, HashRequest } from "./hash_messages.ts";

/** The worker's side of the messages. */
export interface HashPort {
  /** Called with each request. */
  onmessage: ((event: MessageEvent<HashRequest>) => void) | null;
  /** Sends a reply. */
  postMessage(message: HashReply, transfer?: Transferable[]): void;
}

/** Serves requests from now on. Its source text is run in a worker (`quant/text_worker.ts`), so it may use nothing but its arguments. */
export function serveHashes(
  port: HashPort,
  create: typeof createHash,
  looks: Readonly<Record<DenseType, (ints: Int32Array) => boolean>>,
): void {
  let memory: Uint8Array<ArrayBufferLike> = new Uint8Array();
  const hashes = new Map<number, Hash>();
  const nonFinite = new Set<number>();
  const hashOf = (stream: number): Hash => {
    const found = hashes.get(stream) ?? create("sha256");
    hashes.set(stream, found);
    return found;
  };
  port.onmessage = ({ data }) => {
    if ("memory" in data) memory = data.memory;
    else if ("length" in data) {
      const { stream, offset, length } = data;
      hashOf(stream).update(memory.subarray(offset, offset + length));
      port.postMessage({ free: offset });
    } else if ("bytes" in data) {
      const { stream, bytes, floats } = data;
      hashOf(stream).update(bytes);
      if (floats && looks[floats](new Int32Array(bytes.buffer))) nonFinite.add(stream);
      port.postMessage({ done: bytes.buffer }, [bytes.buffer]);
    } else {
      const digest = hashOf(data.end).digest("hex");
      hashes.delete(data.end);
      port.postMessage({ ended: data.end, digest, nonFinite: nonFinite.delete(data.end) });
    }
  };
}

/** Source text of a JavaScript module that serves requests in a worker. */
export function hashWorkerText(): string {
  const looks = Object.entries(LOOKS).map(([type, look]) => `${type}: ${look}`);
  return `import { createHash } from "node:crypto";
(${serveHashes})(globalThis, createHash, { ${looks.join(", ")} });
`;
}
