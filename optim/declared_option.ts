/**
 * Options that are declared once: what an option means, what it may be, and what it is where nothing is given. Its type, its check, its key
 * in configurations, its line in `--help` and its row in the documents all follow from that.
 *
 * @module
 */
import type { Blocks } from "./directions/blocks.ts";
import type { NumberRule } from "./options.ts";
import type { Schedule } from "./transformations/schedule.ts";

/** Values that are no number, word or flag, by the name that a declaration has for them. */
export interface OtherValues {
  /** A learning rate over the steps. */
  readonly "a schedule": Schedule;
  /** Blocks with all that there is to say of them. */
  readonly blocks: Blocks;
}

/** What all declarations have. */
export interface DeclaredBase {
  /** What it sets: a phrase that begins in lower case. */
  readonly doc: string;
  /** What the default is, in words, where it follows from something else. */
  readonly shown?: string;
  /** A value of another kind that a program may give. */
  readonly or?: keyof OtherValues;
  /** Narrower limits for configurations, whose offsets are those of scales; `false`: configurations do not have it. */
  readonly file?: NumberRule | false;
}

/** A number. */
export interface DeclaredNumber extends DeclaredBase, NumberRule {
  /** Where nothing is given. */
  readonly default?: number;
}

/** One of some words. */
export interface DeclaredChoice extends DeclaredBase {
  /** The words. */
  readonly of: readonly string[];
  /** Where nothing is given. */
  readonly default?: string;
}

/** True or false. */
export interface DeclaredFlag extends DeclaredBase {
  /** Tells it from a number. */
  readonly flag: true;
  /** Where nothing is given. */
  readonly default?: boolean;
}

/** An option. */
export type DeclaredOption = DeclaredNumber | DeclaredChoice | DeclaredFlag;

/** Options by their names. */
export type OptionTable = Readonly<Record<string, DeclaredOption>>;

/** What a program may give for an option. */
export type OptionValue<Option> =
  | (Option extends { readonly of: readonly (infer Word)[] } ? Word
    : Option extends { readonly flag: true } ? boolean
    : number)
  | (Option extends { readonly or: infer Other extends keyof OtherValues } ? OtherValues[Other]
    : never);

/** The argument of a function that takes such options: every one may be left out. */
export type OptionsOf<Table> = {
  readonly [Name in keyof Table]?: OptionValue<Table[Name]> | undefined;
};

/** The same with defaults filled in. */
export type Completed<Table> = {
  readonly [Name in keyof Table]:
    | OptionValue<Table[Name]>
    | (Table[Name] extends { readonly default: unknown } ? never : undefined);
};

/** What is given, and the defaults of everything else. */
export function completed<Table extends OptionTable>(
  table: Table,
  given: OptionsOf<Table>,
): Completed<Table> {
  const values: readonly (readonly [string, unknown])[] = Object.entries(table).map((
    [name, option],
  ) => [name, given[name] ?? option.default]);
  return Object.fromEntries(values) as Completed<Table>;
}
