import { assert } from "@std/assert";
import { type ByteSource, readGguf, readSafetensors } from "../../quant/mod.ts";

Deno.test("a huge file that lies is not believed for more than a header may take", async () => {
  // 1 TB that consists of the same 64 bytes: whatever is asked for beyond the limits would be allocated.
  for (let at = 8; at < 48; at++) {
    for (const lie of [0x7f, 0xff]) {
      const start = new Uint8Array(64);
      start.set([0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0]);
      start[8] = 1;
      start[16] = 1;
      start[at] = lie;
      let asked = 0;
      const source: ByteSource = {
        name: "huge",
        size: 2 ** 40,
        read(offset, length) {
          asked += length;
          assert(length <= 2 ** 28, `asked for ${length} bytes`);
          // Enough has been shown; a real file would end in an error or be a real header.
          if (asked > 2 ** 26) throw new SyntaxError("huge: enough");
          const bytes = new Uint8Array(length);
          if (offset === 0) bytes.set(start.subarray(0, Math.min(64, length)));
          return Promise.resolve(bytes);
        },
      };
      for (const read of [readGguf, readSafetensors]) {
        try {
          await read(source);
        } catch (error) {
          assert(error instanceof SyntaxError || error instanceof RangeError, `${error}`);
        }
      }
    }
  }
});
