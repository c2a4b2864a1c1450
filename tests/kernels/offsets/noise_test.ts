import { assertEquals } from "@std/assert";
import { noiseAt } from "../../../optim/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { randomWord } from "../bench.ts";
import { noiseOnDevice } from "./noise_on_device.ts";
import { laws } from "../../../optim/directions/noise.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(11);

for (const law of laws) {
  Deno.test(`${law.dense} noise${law.structure ? ` with ${law.structure}` : ""} on the device is the host's to the bit`, async () => {
    for (let i = 0; i < 8; i++) {
      const seed = [randomWord(random), randomWord(random)] as const;
      const id = [0, 0xffffffff][i] ?? randomWord(random);
      // The last quads reach the end of the counter.
      const first = i === 2 ? 0x3fffffff - 15 : randomWord(random) >>> 3;
      const width = [2 ** 30, 4, 20, 2 ** 16 + 4][i % 4];
      const share = [undefined, 30000, 0, undefined, 65536][i % 5];
      const place = { width, share, gain: [undefined, -8, 1, 8, 0, -3][i % 6] };
      const found = await noiseOnDevice(gpu, law, seed, id, first, 16, place);
      const expected = Array.from(
        found,
        (_, j) => noiseAt(law, seed, id, first * 4 + j, place),
      );
      assertEquals([...found], expected);
    }
  });
}
