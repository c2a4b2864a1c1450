/**
 * Chat templates by name: a model may have several, of which "default" lays out a conversation. The others (for tools, for retrieval) are
 * not used here, but go along where a model is written.
 *
 * @module
 */

/** Templates by name, without the default one. */
export type NamedTemplates = ReadonlyMap<string, string>;

const DEFAULT = "default";
const NAMES = "tokenizer.chat_templates";
const ONE = "tokenizer.chat_template";

/** The list in `chat_template` of `tokenizer_config.json`, whatever else may stand there; empty for a single template. */
function listed(value: unknown): Map<string, string> {
  if (!Array.isArray(value)) return new Map();
  return new Map(
    value.flatMap((entry): [string, string][] =>
      typeof entry?.name === "string" && typeof entry.template === "string"
        ? [[entry.name, entry.template]]
        : []
    ),
  );
}

/** The template that counts: the only one, or of a list the one named "default". */
export function defaultTemplate(value: unknown): string | undefined {
  return typeof value === "string" ? value : listed(value).get(DEFAULT);
}

/** The other ones of a list. */
export function otherTemplates(value: unknown): NamedTemplates {
  const templates = listed(value);
  templates.delete(DEFAULT);
  return templates;
}

/** The value of `chat_template` that holds all of them; undefined for none. */
export function templateValue(
  single: string | undefined,
  others: NamedTemplates,
): unknown {
  if (others.size === 0) return single;
  const all = [...single === undefined ? [] : [[DEFAULT, single]], ...others];
  return all.map(([name, template]) => ({ name, template }));
}

/** Those of a GGUF file. */
export function templatesOfGguf(
  metadata: ReadonlyMap<string, unknown>,
): { readonly single: string | undefined; readonly others: NamedTemplates } {
  const single = metadata.get(ONE);
  const others = new Map<string, string>();
  for (const [key, value] of metadata) {
    if (key.startsWith(`${ONE}.`) && typeof value === "string") {
      others.set(key.slice(ONE.length + 1), value);
    }
  }
  return { single: typeof single === "string" ? single : undefined, others };
}

/** As a GGUF file has them: letters other than those of ASCII, digits and `_` become `_` in a name, as its converter does it. */
export function templatesToGguf(
  single: string | undefined,
  others: NamedTemplates,
): Map<string, string | string[]> {
  const entries = new Map<string, string | string[]>();
  const named = new Map(
    [...others].map(([name, template]) => [name.replace(/[^A-Za-z\d]/g, "_"), template]),
  );
  for (const [name, template] of named) entries.set(`${ONE}.${name}`, template);
  if (named.size > 0) entries.set(NAMES, [...named.keys()]);
  if (single !== undefined) entries.set(ONE, single);
  return entries;
}
