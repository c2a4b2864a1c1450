/**
 * Lays out conversations as the model was trained to read them, with the model's own Jinja template.
 *
 * @module
 */
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { namedChatTemplate } from "./named_chat_templates.ts";
import { withoutStart, withStart } from "./special_tokens.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A message of a conversation. */
export interface ChatMessage {
  /** Author of the message: `system`, `user`, `assistant`, or another role that the template supports. */
  readonly role: string;
  /** Text of the message. */
  readonly content: string;
  /** Other fields that the template reads: `tool_calls`, `tool_call_id` and `name`, in OpenAI's form. Default: none. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/** Options for laying out a conversation. */
export interface ChatOptions {
  /** Text of the template, or one of the names in {@linkcode chatTemplateNames}. Default: the template in the model's files. */
  readonly template?: string | undefined;
  /** Whether the text ends where the model's answer begins. Default true. */
  readonly answer?: boolean | undefined;
  /** Tools that the model can call, in OpenAI's form. Default: none. */
  readonly tools?: readonly unknown[] | undefined;
}

const most = { template: 1 << 20, text: 1 << 26, range: 10_000 };

/**
 * Returns the text of a conversation.
 *
 * @throws {RangeError} when there is no template, or its output exceeds the limits.
 * @throws {SyntaxError} when the template is not valid Jinja.
 * @throws {TypeError} when the template rejects the conversation, for example a system message that it does not support.
 *
 * @example A ChatML template
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
  { template, answer = true, tools }: ChatOptions = {},
): string {
  return renderChat(tokenizer, messages, templateOf(tokenizer, template), { answer, tools });
}

/** The parts of a tokenizer that {@linkcode renderChat} needs. */
export type ChatTokenizer = Pick<Tokenizer, "bos" | "eos" | "decode" | "chatTemplate">;

/**
 * The template to use: the one of that name, otherwise the given text, otherwise the model's own.
 *
 * @throws {RangeError} when there is none.
 */
export function templateOf(
  { chatTemplate }: Pick<Tokenizer, "chatTemplate">,
  given: string | undefined,
): string {
  const template = given === undefined ? chatTemplate : namedChatTemplate(given) ?? given;
  if (template !== undefined) return template;
  throw new RangeError(
    "Cannot render a conversation: the model has no chat template; it may not be a chat model. Give a template (task.chat_template in a configuration, the option `template` in a program), or let it continue a text instead",
  );
}

/** Options of {@linkcode renderChat}. */
export interface RenderOptions {
  /** Whether the text ends where the model's answer begins. */
  readonly answer: boolean;
  /** Strings to insert at the beginning and end of the template's `{% generation %}` blocks. Default: none. */
  readonly marks?: readonly [begin: string, end: string];
  /** Tools that the model can call. Default: none. */
  readonly tools?: readonly unknown[] | undefined;
}

/**
 * Renders a conversation with a template.
 *
 * @throws As {@linkcode chatText} does.
 */
export function renderChat(
  tokenizer: ChatTokenizer,
  messages: readonly ChatMessage[],
  template: string,
  { answer, marks = ["", ""], tools }: RenderOptions,
): string {
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
    messages: messages.map(({ role, content, fields }) => ({ ...fields, role, content })),
    // Null if there are none, as in transformers.
    tools: tools && tools.length > 0 ? tools : null,
    add_generation_prompt: answer,
    bos_token: token(tokenizer.bos),
    eos_token: token(tokenizer.eos),
    [BEGIN]: marks[0],
    [END]: marks[1],
  };
  for (const [name, value] of Object.entries(given)) environment.set(name, value);
  let text: unknown;
  try {
    text = (new Interpreter(environment).run(parsed) as { readonly value: unknown }).value;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`Cannot render a conversation: the chat template says: ${why}`, { cause });
  }
  if (typeof text === "string" && text.length <= most.text) return text;
  throw new RangeError(
    `Cannot render a conversation: the chat template produces more than ${most.text} characters`,
  );
}

/**
 * Returns the tokens of a conversation, preceded by the tokens that the tokenizer puts before every text. If the template already writes them,
 * they are not repeated, as in llama.cpp. Nothing is added at the end.
 *
 * @throws As {@linkcode chatText} does.
 *
 * @example A prompt for the bundled model, which has no template
 * ```ts
 * import { chatTokens, openModelSource } from "@qzo/qzo";
 * import { assert } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const messages = [{ role: "user", content: "How was the soup?" }];
 * const tokens = chatTokens(source.tokenizer!, messages, { template: "vicuna" });
 * assert(source.tokenizer!.decode(tokens).endsWith("USER: How was the soup? ASSISTANT:"));
 * ```
 */
export function chatTokens(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): number[] {
  const text = withoutStart(tokenizer, chatText(tokenizer, messages, options));
  return withStart(tokenizer, tokenizer.encode(text, { addSpecial: false }));
}

/** The tokens and strings that end an answer. */
export interface ChatEnds {
  /** Tokens named by the tokenizer's files, and the special token that the template puts after an assistant message. */
  readonly tokens: readonly number[];
  /** The text that the template puts there, if the model has no token for it. White space is not used as an end. */
  readonly texts: readonly string[];
}

/**
 * Finds what ends an answer, for `stopTokens` and `stop` of {@linkcode generate}.
 *
 * @throws As {@linkcode chatText} does.
 *
 * @example ChatML for a model without its tokens
 * ```ts
 * import { chatEnds, tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const letters = [..."<|im_start>andsyu?\u2042\n"];
 * const vocab = Object.fromEntries([...new Set(letters)].map((text, id) => [text, id]));
 * const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab, merges: [], unk_token: "a" } });
 * assertEquals(chatEnds(tokenizer, { template: "chatml" }).texts, ["<|im_end|>"]);
 * ```
 */
export function chatEnds(tokenizer: Tokenizer, options: ChatOptions = {}): ChatEnds {
  const said = "\u2042said\u2042";
  const text = chatText(
    tokenizer,
    [{ role: "user", content: "?" }, { role: "assistant", content: said }],
    { ...options, answer: false },
  );
  const after = text.includes(said) ? text.slice(text.lastIndexOf(said) + said.length) : "";
  const ids = tokenizer.encode(after, { addSpecial: false });
  // White space may precede it, as in Llama 2.
  const at = ids.findIndex((id) =>
    tokenizer.decode([id]).trim() !== "" || isSpecial(tokenizer, id)
  );
  const first = ids[at];
  const special = first !== undefined && isSpecial(tokenizer, first);
  const words = special ? "" : after.trim();
  return {
    tokens: [...new Set([...tokenizer.ends, ...special ? [first] : []])],
    texts: words === "" ? [] : [words],
  };
}

/** Whether a token is special and therefore omitted from decoded text. */
function isSpecial(tokenizer: Pick<Tokenizer, "decode">, id: number): boolean {
  return tokenizer.decode([id]) === "" && tokenizer.decode([id], { skipSpecial: false }) !== "";
}

/** Whether a template marks assistant messages with `{% generation %}`. */
export function marksAnswers(template: string): boolean {
  return /\{%-?\s*generation\s*-?%\}/.test(template);
}

/** Names that no template uses. */
const BEGIN = "qzo_answer_begins";
const END = "qzo_answer_ends";

/** A copy of the template that writes marks around the contents of generation blocks, which the engine would otherwise drop. */
function withMarks(template: string): string {
  const mark = (name: string) => (_: string, left: string, right: string) =>
    `{%${left} if true %}{{ ${name} }}{% endif ${right}%}`;
  return template
    .replace(/\{%(-?)\s*generation\s*(-?)%\}/g, mark(BEGIN))
    .replace(/\{%(-?)\s*endgeneration\s*(-?)%\}/g, mark(END));
}

/** Parsed templates. They are few, and conversations are many. */
const parsedTemplates = new Map<string, Pick<Template, "parsed">>();
const mostParsed = 16;

function parsedOf(template: string): Pick<Template, "parsed"> {
  if (template.length > most.template) {
    throw new RangeError(
      `Cannot read a chat template: it has ${template.length} characters, at most ${most.template} are allowed`,
    );
  }
  const known = parsedTemplates.get(template);
  if (known !== undefined) return known;
  try {
    const made = new Template(withMarks(template));
    if (parsedTemplates.size >= mostParsed) parsedTemplates.clear();
    parsedTemplates.set(template, made);
    return made;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SyntaxError(`Cannot read a chat template: ${why}`, { cause });
  }
}

/** Python's `range`, limited to the numbers a conversation can need, so that a template in a file cannot exhaust memory. */
function boundedRange(first: number, end?: number, step = 1): number[] {
  const [from, to] = end === undefined ? [0, first] : [first, end];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= most.range)) throw new RangeError(`range of ${length} numbers`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/** The current date in the formats that templates request. */
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
