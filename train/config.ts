/**
 * Configurations of fine-tunes: the YAML file, and the task and optimiser that it makes.
 *
 * @module
 */
export * from "./config_optimiser.ts";
export * from "./config_schema.ts";
export * from "./config_task.ts";
