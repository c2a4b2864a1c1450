/**
 * The text of attention_keys.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The keys that a row sees: those of its prompt, part 0, those of its own sequence, part 1, and with SHARED those that all rows see, part 2.\n\n#part range\n    var key = batch[p.prefix_start + m];\n    var end = batch[p.prefix_end + m];\n    if (part == 1u) {\n      key = batch[p.own_start + m];\n      end = batch[p.slot + m] + 1u;\n    }\n#if SHARED\n    if (part == 2u) {\n      key = p.key_rows;\n      end = key + p.shared_keys;\n    }\n#endif\n#if WINDOWED\n    // Those of its own sequence are the nearest; what they leave of the window lies at the end of the prompt.\n    var near = p.window;\n    if (part == 0u) { near -= min(near, batch[p.slot + m] + 1u - batch[p.own_start + m]); }\n#if SHARED\n    if (part == 2u) {\n      let prompt = batch[p.prefix_end + m] - batch[p.prefix_start + m];\n      near -= min(near, prompt + batch[p.slot + m] + 1u - batch[p.own_start + m]);\n    }\n#endif\n    key = max(key, end - min(near, end));\n#endif\n#endpart\n";
export default text;
