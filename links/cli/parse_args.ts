/**
 * `parseArgs` over `minimist`.
 *
 * @module
 */
// @ts-types="@types/minimist"
import minimist from "minimist";

type Names<Name extends string> = Name | readonly Name[];

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Record<string, unknown> = Record<string, unknown>,
> {
  "--"?: boolean;
  alias?: Record<string, string | readonly string[]>;
  boolean?: Names<B>;
  string?: Names<S>;
  collect?: Names<C>;
  negatable?: Names<N>;
  default?: D;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The parsed flags: those that were declared are typed, others are `unknown`. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Record<string, unknown> = Record<never, never>,
> =
  & Record<string, unknown>
  & { [K in B]: K extends keyof D ? boolean | D[K] : boolean }
  & { [K in Exclude<S, C | keyof D | N>]?: string }
  & { [K in Exclude<Extract<S, N>, C | keyof D>]?: string | false }
  & { [K in Extract<Exclude<S, C>, keyof D>]: string | D[K] }
  & { [K in Extract<S, C>]: string[] }
  & { [K in Exclude<keyof D, B | S>]: unknown }
  & { _: (string | number)[]; "--"?: string[] };

/** Flags and positional arguments of a command line. */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Record<string, unknown> = Record<never, never>,
>(args: string[], options: ParseOptions<B, S, C, N, D> = {}): Args<B, S, C, N, D> {
  const collect = new Set<string>(list(options.collect));
  const negatable = new Set<string>(list(options.negatable));
  const aliases = options.alias ?? {};
  const sameFlag = (name: string): string[] => {
    for (const [key, value] of Object.entries(aliases)) {
      const all = [key, ...list(value)];
      if (all.includes(name)) return all;
    }
    return [name];
  };
  const unknown = options.unknown;
  const parsed: Record<string, unknown> = minimist(args, {
    "--": options["--"],
    alias: Object.fromEntries(Object.entries(aliases).map(([key, value]) => [key, list(value)])),
    boolean: list(options.boolean),
    string: list(options.string),
    default: options.default,
    stopEarly: options.stopEarly,
    unknown: unknown && ((arg) => {
      const [, name, value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
      if (name?.startsWith("no-") && sameFlag(name.slice(3)).some((it) => negatable.has(it))) {
        return true;
      }
      return unknown(arg, name, name === undefined ? arg : value) !== false;
    }),
  });
  // minimist negates and collects every flag, std only those that were named so.
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "_" || name === "--") continue;
    const collected = sameFlag(name).some((it) => collect.has(it));
    if (collected && !Array.isArray(value)) parsed[name] = [value];
    else if (!collected && Array.isArray(value) && value !== options.default?.[name]) {
      parsed[name] = value.at(-1);
    }
  }
  for (const name of collect) {
    for (const alias of sameFlag(name)) parsed[alias] ??= [];
  }
  return parsed as Args<B, S, C, N, D>;
}

function list<Name extends string>(names: Names<Name> | undefined): Name[] {
  return names === undefined ? [] : typeof names === "string" ? [names] : [...names];
}
