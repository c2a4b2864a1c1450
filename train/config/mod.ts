/**
 * Configurations of fine-tunes: the YAML file, and the task and optimiser that it makes.
 *
 * @module
 */
export { type ConfiguredOptimiser, optimiserOfConfig } from "./optimiser.ts";
export {
  type AdapterSections,
  type BaseSchemeName,
  type ConfigKey,
  type DataConfig,
  describeConfig,
  type DeviceConfig,
  type GroupConfig,
  type GroupsConfig,
  type LayerWord,
  type MixedSchemeName,
  type OptimiserConfig,
  parameterKeys,
  parseTrainConfig,
  PartOptions,
  type PathOptions,
  type QuantizeConfig,
  readTrainConfig,
  RESOLVED,
  type ScheduleConfig,
  type SchemeName,
  type TaskConfig,
  type TrainablesConfig,
  type TrainConfig,
  trainConfigKeys,
} from "./schema.ts";
export {
  formatOfFile,
  formatOfSplit,
  formOfConfig,
  languageModelling,
  taskOfConfig,
} from "./task.ts";
