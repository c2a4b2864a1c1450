/**
 * All schemes of adapters: a new one is a file and a line here (docs/adding/adapter.md).
 *
 * @module
 */

export { lora } from "./lora.ts";
