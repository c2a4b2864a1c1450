/**
 * Configurations of fine-tunes: the YAML file, and the task and optimiser that it makes.
 *
 * @module
 */
export * from "./optimiser.ts";
export * from "./schema.ts";
export * from "./task.ts";
