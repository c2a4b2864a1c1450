/**
 * Runs a command line and prints the most milliseconds of the processor that passed between two turns of the event loop, and those of all.
 *
 * @module
 */
import process from "node:process";
import { processTerminal, runCli } from "../../../cli/main.ts";

const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const begun = spent();
let last = begun;
let longest = 0;
const timer = setInterval(() => {
  const now = spent();
  longest = Math.max(longest, now - last);
  last = now;
}, 5);
const terminal = { ...processTerminal(), out: (line: string) => console.error(line) };
const code = await runCli(Deno.args, { terminal });
clearInterval(timer);
console.log(JSON.stringify({ longest, whole: spent() - begun }));
Deno.exit(code);
