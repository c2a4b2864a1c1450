/**
 * A worker of `stream_hashes.ts`: hashes the bytes that it is told of in shared memory, and says when their place is free again.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import type { HashReply, HashRequest } from "./hash_messages.ts";

const port = globalThis as unknown as {
  onmessage: (event: MessageEvent<HashRequest>) => void;
  postMessage: (message: HashReply) => void;
};

let memory: Uint8Array<ArrayBufferLike> = new Uint8Array();
const hashes = new Map<number, Hash>();

function hashOf(stream: number): Hash {
  const found = hashes.get(stream) ?? createHash("sha256");
  hashes.set(stream, found);
  return found;
}

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
