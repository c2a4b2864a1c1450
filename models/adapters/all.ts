/**
 * The table of adapter schemes. A new scheme needs a file and a line here.
 *
 * @module
 */

export { ia3 } from "./ia3.ts";
export { lora } from "./lora.ts";
export { prefix } from "./prefix.ts";
export { prompt } from "./prompt.ts";
