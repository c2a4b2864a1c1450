// Runs in Node beside the installed package: loads every export and prints what some of them compute.
const loaded = {};
for (const path of process.argv.slice(2)) {
  loaded[path] = Object.keys(await import(path)).sort();
}
const quant = await import("@qzo/qzo/quant");
const optim = await import("@qzo/qzo/optim");
const tasks = await import("@qzo/qzo/tasks");
const { computed } = await import("./packed_computed.mjs");
const shaders = new URL("../kernels/offsets/", import.meta.resolve("@qzo/qzo/quant"));
const { default: noise } = await import(new URL("noise.wgsl.js", shaders));
console.log(JSON.stringify({ loaded, computed: await computed({ quant, optim, tasks }), noise }));
