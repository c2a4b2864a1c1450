/**
 * A command line in a process of its own, to be killed: says "ready" when all is loaded, just before it runs what its arguments say.
 *
 * @module
 */
import { runCli } from "../../cli/main.ts";

console.log("ready");
Deno.exit(await runCli(Deno.args));
