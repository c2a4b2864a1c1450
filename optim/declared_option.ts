/**
 * Options that are declared once, with their description, allowed values and default. Their type, their check, their key in configurations,
 * their line in `--help` and their row in the documentation all follow from the declaration.
 *
 * @module
 */
import type { Blocks } from "./directions/blocks.ts";
import type { NumberRule } from "./options.ts";
import type { Schedule } from "./transformations/schedule.ts";

/** Option values that are not numbers, words or flags, by the name used in declarations. */
export interface OtherValues {
  /** A learning rate as a function of the step. */
  readonly "a schedule": Schedule;
  /** Blocks with all their settings. */
  readonly blocks: Blocks;
}

/** The common part of all declarations. */
export interface DeclaredBase {
  /** Description: a phrase that begins in lower case. */
  readonly doc: string;
  /** Description of the default, if it depends on other settings. */
  readonly shown?: string;
  /** Another type of value that programs can give. */
  readonly or?: keyof OtherValues;
  /** Narrower limits for configurations, whose offsets are those of scales. `false`: the option is not available in configurations. */
  readonly file?: NumberRule | false;
}

/** An option whose value is a number. */
export interface DeclaredNumber extends DeclaredBase, NumberRule {
  /** Default value. */
  readonly default?: number;
}

/** An option whose value is one of several words. */
export interface DeclaredChoice extends DeclaredBase {
  /** The allowed words. */
  readonly of: readonly string[];
  /** Default value. */
  readonly default?: string;
}

/** An option that is true or false. */
export interface DeclaredFlag extends DeclaredBase {
  /** Distinguishes it from a number. */
  readonly flag: true;
  /** Default value. */
  readonly default?: boolean;
}

/** Declaration of an option. */
export type DeclaredOption = DeclaredNumber | DeclaredChoice | DeclaredFlag;

/** Declarations of options by name. */
export type OptionTable = Readonly<Record<string, DeclaredOption>>;

/** The type of an option's value in programs. */
export type OptionValue<Option> =
  | (Option extends { readonly of: readonly (infer Word)[] } ? Word
    : Option extends { readonly flag: true } ? boolean
    : number)
  | (Option extends { readonly or: infer Other extends keyof OtherValues } ? OtherValues[Other]
    : never);

/** The argument type of a function with these options. Every option can be omitted. */
export type OptionsOf<Table> = {
  readonly [Name in keyof Table]?: OptionValue<Table[Name]> | undefined;
};

/** The same type with defaults filled in. */
export type Completed<Table> = {
  readonly [Name in keyof Table]:
    | OptionValue<Table[Name]>
    | (Table[Name] extends { readonly default: unknown } ? never : undefined);
};

/** Fills in the defaults of options that are not given. */
export function completed<Table extends OptionTable>(
  table: Table,
  given: OptionsOf<Table>,
): Completed<Table> {
  const values: readonly (readonly [string, unknown])[] = Object.entries(table).map((
    [name, option],
  ) => [name, given[name] ?? option.default]);
  return Object.fromEntries(values) as Completed<Table>;
}
