/**
 * Commands in this process, one after another on one device.
 *
 * @module
 */
import * as cli from "../../cli/main.ts";
import { onOneDevice } from "../kernels/one_device.ts";

/** The command line's own `runCli`; what one command compiled the next one finds. */
export const runCli: typeof cli.runCli = (args, options) =>
  onOneDevice(() => cli.runCli(args, options));
