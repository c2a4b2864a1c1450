/**
 * Prints the name of the default GPU adapter; exits with 1 where there is none.
 *
 * @module
 */
const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) Deno.exit(1);
console.log(adapter.info.description || adapter.info.device || adapter.info.vendor || "unnamed");
