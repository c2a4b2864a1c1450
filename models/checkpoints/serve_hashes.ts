/**
 * What a worker of `stream_hashes.ts` does: hashes the bytes that it is told of in shared memory, and says when their place is free again.
 *
 * @module
 */

import type { createHash, Hash } from "node:crypto";
import type { HashReply, HashRequest } from "./hash_messages.ts";

/** The worker's side of the messages. */
export interface HashPort {
  /** Is called with each request. */
  onmessage: ((event: MessageEvent<HashRequest>) => void) | null;
  /** Answers. */
  postMessage(message: HashReply): void;
}

/** Serves requests from now on. Its text is run in a worker (`quant/text_worker.ts`): it may use nothing but its arguments. */
export function serveHashes(port: HashPort, create: typeof createHash): void {
  let memory: Uint8Array<ArrayBufferLike> = new Uint8Array();
  const hashes = new Map<number, Hash>();
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
    } else {
      const digest = hashOf(data.end).digest("hex");
      hashes.delete(data.end);
      port.postMessage({ ended: data.end, digest });
    }
  };
}

/** JavaScript of a module that serves in a worker. */
export function hashWorkerText(): string {
  return `import { createHash } from "node:crypto";\n(${serveHashes})(globalThis, createHash);\n`;
}
