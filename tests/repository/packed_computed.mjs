// What the rooms that need no GPU compute, in Deno and in Node alike: bits, so that a difference is seen.

const hex = (array) =>
  Array.from(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");

export async function computed({ quant, optim, tasks }) {
  const values = Float32Array.from({ length: 512 }, (_, i) => ((i * 7919) % 1009) / 512 - 1);
  const packed = ["Q4_0", "Q4_K", "IQ4_NL", "int2_g32", "F16"]
    .map((format) => hex(quant.decode(quant.quantize(values, 2, 256, format))));
  const numbers = [0.1, -65504, 65520, 6e-8, NaN, 1 / 3];
  const halves = hex(Uint16Array.from(numbers, (it) => quant.numberToFloat16(it)));
  const workers = new quant.ProductWorkers(2);
  const shared = () => new Float64Array(new SharedArrayBuffer(64 * 8));
  const a = { values: shared().fill(0.5), stride: 8, first: 0, count: 8 };
  const out = shared();
  await workers.multiply({ a, b: a, from: 0, to: 8, out });
  workers[Symbol.dispose](); // Node 22 has no "using"

  const optimiser = optim.qzoNormalised({ epsilon: 0.01, learningRate: 0.02 });
  const session = new optim.Session({ parameters: new Array(20).fill(1), optimiser });
  for (let i = 0; i < 30; i++) {
    session.tell(session.ask().map((it) => it.reduce((sum, x) => sum + x * x, 0)));
  }
  return {
    packed,
    halves,
    products: [...out],
    parameters: hex(Float32Array.from(session.parameters())),
    described: optimiser.name,
    examples: tasks.readExamples('label,text\n1,"a, b"\n', "csv"),
    order: tasks.permutation(20, 7, "epoch", 0),
  };
}
