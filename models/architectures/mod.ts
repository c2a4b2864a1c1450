/**
 * The table of architectures: a line each.
 *
 * @module
 */

export { llama, type LlamaConfig } from "./llama.ts";
export { qwen2 } from "./qwen2.ts";
