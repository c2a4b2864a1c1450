/**
 * Stand-in for `jsr:@std/cli` on machines that cannot reach JSR: `parseArgs` over `minimist`, which `@std/cli` is a
 * port of.
 *
 * @module
 */
export * from "./parse_args.ts";
