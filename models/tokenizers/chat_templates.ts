/**
 * Chat templates by name: a model may have several, of which "default" lays out a conversation. The others (for tools, for retrieval) are not used
 * here, but are written when the model is written.
 *
 * @module
 */

/** Templates by name, without the default one. */
export type NamedTemplates = ReadonlyMap<string, string>;

const DEFAULT = "default";
const NAMES = "tokenizer.chat_templates";
const ONE = "tokenizer.chat_template";

/** The entries of a list in `chat_template` of `tokenizer_config.json`. Invalid entries are ignored. Empty for a single template. */
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

/** The template to use: the only one, or the one of a list named "default". */
export function defaultTemplate(value: unknown): string | undefined {
  return typeof value === "string" ? value : listed(value).get(DEFAULT);
}

/** The other templates of a list. */
export function otherTemplates(value: unknown): NamedTemplates {
  const templates = listed(value);
  templates.delete(DEFAULT);
  return templates;
}

/** The value of `chat_template` that contains all templates. Undefined if there are none. */
export function templateValue(
  single: string | undefined,
  others: NamedTemplates,
): unknown {
  if (others.size === 0) return single;
  const all = [...single === undefined ? [] : [[DEFAULT, single]], ...others];
  return all.map(([name, template]) => ({ name, template }));
}

/** The templates of a GGUF file. */
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

/** GGUF entries for templates. As in llama.cpp's converter, every character of a name other than an ASCII letter or digit becomes `_`. */
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
