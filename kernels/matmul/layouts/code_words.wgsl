// Packed codes as a product reads them: CODE_WORDS words at once.

#part binding
#if CODE_WORDS == 4
@group(0) @binding(1) var<storage, read> codes: array<vec4<u32>>;
#elif CODE_WORDS == 2
@group(0) @binding(1) var<storage, read> codes: array<vec2<u32>>;
#else
@group(0) @binding(1) var<storage, read> codes: array<u32>;
#endif
#endpart
