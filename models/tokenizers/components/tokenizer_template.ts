/**
 * Post-processors of a `tokenizer.json`: the tokens placed around a text.
 *
 * @module
 */
import { checkComponent } from "./tokenizer_components.ts";
import { list, record } from "../tokenizer_record.ts";

/** The ids placed around a text. */
export interface Surroundings {
  /** Ids before the text. */
  readonly start: readonly number[];
  /** Ids after the text. */
  readonly end: readonly number[];
}

/** No ids around a text. */
export const nothingAround: Surroundings = { start: [], end: [] };
const mostTokens = 64;

/**
 * The ids that a post-processor places around a single text. A null post-processor places none.
 *
 * @throws {TypeError | RangeError} for an unknown part, a token without an id, or a template that does not contain the text exactly once.
 */
export function surroundingsOf(
  value: unknown,
  idOf: (token: string) => number | undefined,
): Surroundings {
  return around(value, nothingAround, idOf, 0);
}

function around(
  value: unknown,
  inner: Surroundings,
  idOf: (token: string) => number | undefined,
  depth: number,
): Surroundings {
  if (value === null || value === undefined) return inner;
  if (depth > 16) {
    throw new RangeError("Cannot load the tokenizer: its post-processors nest too deep");
  }
  const config = checkComponent("post-processor", record(value, "a post-processor"));
  const pair = (name: string): number => {
    const [text, id] = list(config[name], `${name} of ${config.type}`);
    return checkId(id, `${name} of ${config.type}, ${JSON.stringify(text)}`);
  };
  switch (config.type) {
    case "Sequence":
      return list(config.processors, "processors")
        .reduce<Surroundings>((all, part) => around(part, all, idOf, depth + 1), inner);
    case "BertProcessing":
    case "RobertaProcessing":
      return bounded({
        start: [pair("cls"), ...inner.start],
        end: [...inner.end, pair("sep")],
      });
    case "TemplateProcessing":
      return bounded(template(config, inner, idOf));
    default:
      return inner;
  }
}

/** `single` of a template: special tokens by name, and the text as sequence A. */
function template(
  config: Readonly<Record<string, unknown>>,
  inner: Surroundings,
  idOf: (token: string) => number | undefined,
): Surroundings {
  const tokens = record(config.special_tokens ?? {}, "special_tokens of TemplateProcessing");
  const start: number[] = [];
  const end: number[] = [];
  let texts = 0;
  for (const item of list(config.single, "single of TemplateProcessing")) {
    const part = record(item, "a part of TemplateProcessing");
    if ("SpecialToken" in part) {
      const { id } = record(part.SpecialToken, "a token of TemplateProcessing");
      (texts === 0 ? start : end).push(...idsOf(String(id), tokens, idOf));
    } else if (record(part.Sequence, "a part of TemplateProcessing").id === "A") texts++;
    else {
      throw new RangeError(
        "Cannot load the tokenizer: TemplateProcessing has a second text in single",
      );
    }
  }
  if (texts !== 1) {
    throw new RangeError(
      `Cannot load the tokenizer: TemplateProcessing has the text ${texts} times in single, expected once`,
    );
  }
  return { start: [...start, ...inner.start], end: [...inner.end, ...end] };
}

/** The ids of a template's token. If the file lists none, it is the token with that text. */
function idsOf(
  name: string,
  tokens: Readonly<Record<string, unknown>>,
  idOf: (token: string) => number | undefined,
): number[] {
  if (Object.hasOwn(tokens, name)) {
    const { ids } = record(tokens[name], `special token ${JSON.stringify(name)}`);
    return list(ids, `ids of special token ${JSON.stringify(name)}`)
      .map((id) => checkId(id, `special token ${JSON.stringify(name)}`));
  }
  const id = idOf(name);
  if (id === undefined) {
    throw new RangeError(
      `Cannot load the tokenizer: TemplateProcessing names the token ${
        JSON.stringify(name)
      }, which is not in the vocabulary`,
    );
  }
  return [id];
}

function checkId(id: unknown, what: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 2 ** 22) return id;
  throw new RangeError(`Cannot load the tokenizer: ${what} has the id ${JSON.stringify(id)}`);
}

function bounded(all: Surroundings): Surroundings {
  const tokens = all.start.length + all.end.length;
  if (tokens <= mostTokens) return all;
  throw new RangeError(
    `Cannot load the tokenizer: its post-processor puts ${tokens} tokens around a text, at most ${mostTokens} are allowed`,
  );
}
