/**
 * The table of architectures, one line each.
 *
 * @module
 */

export { gemma2, type GemmaConfig } from "./gemma2.ts";
export { gemma3, type Gemma3Config } from "./gemma3.ts";
export { gpt2, type Gpt2Config } from "./gpt2.ts";
export { llama, type LlamaConfig } from "./llama.ts";
export { opt, type OptConfig } from "./opt.ts";
export { qwen2 } from "./qwen2.ts";
export { qwen3 } from "./qwen3.ts";
export { type LongRope, phi3, type Phi3Config } from "./phi3.ts";
export { bert, roberta, type RobertaConfig } from "./roberta.ts";
