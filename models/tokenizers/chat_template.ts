/**
 * Conversations as a model was trained to read them: its own Jinja template lays them out.
 *
 * @module
 */
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import type { Tokenizer } from "./tokenizer.ts";

/** A message of a conversation. */
export interface ChatMessage {
  /** Who says it: `system`, `user` or `assistant`, and what else the template knows. */
  readonly role: string;
  /** What is said. */
  readonly content: string;
}

/** How a conversation is laid out. */
export interface ChatOptions {
  /** The template. Default: the one that the model's files bring. */
  readonly template?: string | undefined;
  /** Whether the text ends where the model's answer begins. Default true. */
  readonly answer?: boolean | undefined;
}

const most = { template: 1 << 20, text: 1 << 26, range: 10_000 };

/**
 * The text of a conversation.
 *
 * @throws RangeError when there is no template, or its text is beyond bounds; SyntaxError for one that is no template; TypeError when it refuses
 * the conversation, such as a system message where it knows none.
 *
 * @example A template as ChatML has it
 * ```ts
 * import { chatText, tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab: { a: 0 }, merges: [] } });
 * const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
 * const messages = [{ role: "user", content: "Hello" }];
 * assertEquals(chatText(tokenizer, messages, { template }), "<user>Hello\n<assistant>");
 * ```
 */
export function chatText(
  tokenizer: Pick<Tokenizer, "bos" | "eos" | "decode" | "chatTemplate">,
  messages: readonly ChatMessage[],
  { template = tokenizer.chatTemplate, answer = true }: ChatOptions = {},
): string {
  if (template === undefined) {
    throw new RangeError(
      "Cannot lay out a conversation: the model has no chat template; it may not be a chat model. Give a template, or let it continue a text instead",
    );
  }
  const { parsed } = parsedOf(template);
  const token = (id: number | undefined): string =>
    id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
  const environment = new Environment();
  const given = {
    ...{ true: true, false: false, none: null, True: true, False: false, None: null },
    raise_exception: (why: unknown) => {
      throw new TypeError(String(why));
    },
    range: boundedRange,
    strftime_now: dateNow,
    messages: messages.map((message) => ({ ...message })),
    add_generation_prompt: answer,
    bos_token: token(tokenizer.bos),
    eos_token: token(tokenizer.eos),
  };
  for (const [name, value] of Object.entries(given)) environment.set(name, value);
  let text: unknown;
  try {
    text = (new Interpreter(environment).run(parsed) as { readonly value: unknown }).value;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`Cannot lay out a conversation: the chat template says: ${why}`, { cause });
  }
  if (typeof text === "string" && text.length <= most.text) return text;
  throw new RangeError(
    `Cannot lay out a conversation: the chat template makes more than ${most.text} characters`,
  );
}

/**
 * The tokens of a conversation: those of its text, with nothing added, as the template brings its BOS token itself.
 *
 * @throws As {@linkcode chatText} does.
 */
export function chatTokens(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): number[] {
  return tokenizer.encode(chatText(tokenizer, messages, options), { addSpecial: false });
}

/**
 * Tokens that end an answer: those that the tokenizer's files name, and the special one that the template puts behind what an assistant said.
 *
 * @throws As {@linkcode chatText} does.
 */
export function chatEnds(tokenizer: Tokenizer, options: ChatOptions = {}): number[] {
  const said = "\u2042said\u2042";
  const text = chatText(
    tokenizer,
    [{ role: "user", content: "?" }, { role: "assistant", content: said }],
    { ...options, answer: false },
  );
  const [first] = tokenizer.encode(text.slice(text.lastIndexOf(said) + said.length), {
    addSpecial: false,
  });
  const special = text.includes(said) && first !== undefined && tokenizer.decode([first]) === "" &&
    tokenizer.decode([first], { skipSpecial: false }) !== "";
  return [...new Set([...tokenizer.ends, ...special ? [first] : []])];
}

function parsedOf(template: string): Pick<Template, "parsed"> {
  if (template.length > most.template) {
    throw new RangeError(
      `Cannot read a chat template: it has ${template.length} characters, at most ${most.template} are allowed`,
    );
  }
  try {
    return new Template(template);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SyntaxError(`Cannot read a chat template: ${why}`, { cause });
  }
}

/** Python's, for as many numbers as a conversation can need: a file's template must not fill memory. */
function boundedRange(first: number, end?: number, step = 1): number[] {
  const [from, to] = end === undefined ? [0, first] : [first, end];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= most.range)) throw new RangeError(`range of ${length} numbers`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/** The forms of dates that templates ask for. */
function dateNow(form: string): string {
  const now = new Date();
  const name = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat("en-US", options).format(now);
  const two = (value: number): string => String(value).padStart(2, "0");
  const parts: Readonly<Record<string, string>> = {
    d: two(now.getDate()),
    m: two(now.getMonth() + 1),
    Y: String(now.getFullYear()),
    y: two(now.getFullYear() % 100),
    b: name({ month: "short" }),
    B: name({ month: "long" }),
    a: name({ weekday: "short" }),
    A: name({ weekday: "long" }),
    H: two(now.getHours()),
    M: two(now.getMinutes()),
    S: two(now.getSeconds()),
  };
  return form.replace(/%([a-zA-Z])/g, (whole, letter) => parts[letter] ?? whole);
}
