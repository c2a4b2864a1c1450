/**
 * The text of attention_params.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// What the adjoints of attention are told.\n\n#part params\nstruct Params {\n  rows: u32,       // M\n  total: u32,      // invocations\n  heads: u32,\n  kv_heads: u32,\n  key_rows: u32,   // rows in k and v without shared ones\n  prefix_start: u32,\n  prefix_end: u32,\n  own_start: u32,\n  slot: u32,       // these four: where each list starts in the batch\n  scale: f32,\n  first_group: u32, // of a dispatch that is split: its first workgroup\n#if WINDOWED\n  window: u32,     // keys that a row sees, itself included\n#endif\n#if CAPPED\n  cap: f32,        // scores s become cap * tanh(s / cap)\n#endif\n#if SHARED\n  shared_keys: u32, // behind the others, seen by all rows as if they stood before them\n#endif\n}\n#endpart\n\n// Whether row m sees the key in a row of k.\n#part sees\nfn sees(m: u32, wanted: u32) -> bool {\n#if SHARED\n  for (var part = 0u; part < 3u; part++) {\n#else\n  for (var part = 0u; part < 2u; part++) {\n#endif\n#include \"attention_keys.wgsl\" range\n#if SHARED\n    if (part < 2u) { end = min(end, p.key_rows); }\n#endif\n    if (wanted >= key && wanted < end) { return true; }\n  }\n  return false;\n}\n#endpart\n";
export default text;
