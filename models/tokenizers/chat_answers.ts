/**
 * Finds the parts of a conversation's text that the assistant wrote, which are the parts to train on.
 *
 * @module
 */
import {
  type ChatMessage,
  type ChatOptions,
  type ChatTokenizer,
  marksAnswers,
  renderChat,
  templateOf,
} from "./chat_template.ts";

/** The messages that count in the loss: all assistant messages (`answers`), only the last one (`last`), or every token (`all`). */
export type LossPart = "answers" | "last" | "all";

/** All values of {@linkcode LossPart}. */
export const lossParts: readonly LossPart[] = ["answers", "last", "all"];

/** A text, and its parts that count in the loss. */
export interface ScoredText {
  /** The whole text. */
  readonly text: string;
  /** Positions of the parts in characters, [first, end), in ascending order. */
  readonly scored: readonly (readonly [first: number, end: number])[];
  /**
   * Whether the positions are exact: marked by the template itself, or covering the whole text. If not, white space may follow the end of an
   * answer.
   */
  readonly exact: boolean;
}

/** Options for laying out a conversation and selecting the parts to score. */
export interface ScoredChatOptions extends Pick<ChatOptions, "template"> {
  /** The messages that count in the loss. Default `answers`. */
  readonly loss?: LossPart | undefined;
  /** Indices of assistant messages that are not scored. Default: none. */
  readonly unscored?: ReadonlySet<number> | undefined;
  /** Tools that the model can call, in OpenAI's form. Default: none. */
  readonly tools?: readonly unknown[] | undefined;
}

/**
 * Lays out a conversation with the model's chat template, and returns the positions of the assistant's messages, each including the token that
 * ends it.
 *
 * A template can mark these itself with `{% generation %}`. With any other template, the conversation is rendered up to each answer, and again
 * including it. Each of these texts must be the beginning of the whole text, except for the part that only the last message has after it. If
 * this fails, as with templates that omit parts of earlier answers, the assistant's tokens cannot be determined and the conversation is
 * rejected.
 *
 * Tools, calls of tools and their results must all appear in the text, because a template without support for tools would silently omit them.
 *
 * @throws {RangeError} when positions cannot be determined, when something is omitted, when there is no assistant message, or when there is no
 * template.
 * @throws The errors of {@linkcode chatText}.
 *
 * @example Two answers under ChatML
 * ```ts
 * import { scoredChat, tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab: { a: 0 }, merges: [] } });
 * const messages = [
 *   { role: "user", content: "Hello" },
 *   { role: "assistant", content: "Hi" },
 * ];
 * const { text, scored } = scoredChat(tokenizer, messages, { template: "chatml" });
 * assertEquals(scored.map(([first, end]) => text.slice(first, end)), ["Hi<|im_end|>"]);
 * ```
 */
export function scoredChat(
  tokenizer: ChatTokenizer,
  messages: readonly ChatMessage[],
  { template: given, loss = "answers", unscored = new Set(), tools }: ScoredChatOptions = {},
): ScoredText {
  const template = templateOf(tokenizer, given);
  const scored = scoredParts({ tokenizer, messages, template, tools }, { loss, unscored });
  assertToolsLaidOut(scored.text, messages, tools);
  return scored;
}

/** A conversation with its template and tokenizer. */
interface LaidOut {
  readonly tokenizer: ChatTokenizer;
  readonly messages: readonly ChatMessage[];
  readonly template: string;
  readonly tools: readonly unknown[] | undefined;
}

function scoredParts(
  chat: LaidOut,
  { loss, unscored }: { readonly loss: LossPart; readonly unscored: ReadonlySet<number> },
): ScoredText {
  const { tokenizer, messages, template, tools } = chat;
  const answers = messages.flatMap(({ role }, i) => role === "assistant" ? [i] : []);
  if (loss === "all") {
    const text = renderChat(tokenizer, messages, template, { answer: false, tools });
    return { text, scored: text === "" ? [] : [[0, text.length]], exact: true };
  }
  if (answers.length === 0) {
    throw new RangeError(
      'Cannot learn from a conversation: it has no assistant message; set task.loss to "all" to learn from every message',
    );
  }
  const wanted = (loss === "last" ? answers.slice(-1) : answers).filter((i) => !unscored.has(i));
  const exact = marksAnswers(template);
  const { text, scored } = exact ? byMarks(chat, answers) : byPrefixes(chat, wanted);
  return { text, scored: wanted.flatMap((i) => scored.get(i) ?? []), exact };
}

/** A text and the positions of its answers, by message index. */
interface Answers {
  readonly text: string;
  readonly scored: ReadonlyMap<number, readonly (readonly [number, number])[]>;
}

function byMarks(
  { tokenizer, messages, template, tools }: LaidOut,
  answers: readonly number[],
): Answers {
  const marks = marksFor(messages);
  const marked = renderChat(tokenizer, messages, template, { answer: false, marks, tools });
  const parts = marked.split(marks[0]);
  const places: [number, number][] = [];
  let text = parts[0];
  for (const part of parts.slice(1)) {
    const [said, after, ...more] = part.split(marks[1]);
    if (after === undefined || more.length > 0) {
      throw new RangeError(
        "Cannot learn from a conversation: the chat template has one {% generation %} block within another",
      );
    }
    if (said !== "") places.push([text.length, text.length + said.length]);
    text += said + after;
  }
  if (places.length !== answers.length) {
    throw new RangeError(
      `Cannot learn from a conversation: the chat template marks ${places.length} parts as generated, but the conversation has ${answers.length} assistant messages`,
    );
  }
  return { text, scored: new Map(answers.map((message, i) => [message, [places[i]]])) };
}

/** Two strings that no message contains. */
function marksFor(messages: readonly ChatMessage[]): [string, string] {
  for (let i = 0;; i++) {
    const marks: [string, string] = [`\uE000${i}\uE001`, `\uE002${i}\uE003`];
    const free = messages.every(({ content, fields }) =>
      !marks.some((mark) => `${content}${JSON.stringify(fields)}`.includes(mark))
    );
    if (free) return marks;
  }
}

function byPrefixes(
  { tokenizer, messages, template, tools }: LaidOut,
  wanted: readonly number[],
): Answers {
  const render = (count: number, answer: boolean): string =>
    renderChat(tokenizer, messages.slice(0, count), template, { answer, tools });
  const text = render(messages.length, false);
  const scored = new Map<number, [number, number][]>();
  for (const i of wanted) {
    const before = rendered(() => render(i, true), i);
    const through = i === messages.length - 1 ? text : rendered(() => render(i + 1, false), i);
    if (!text.startsWith(before)) {
      const end = JSON.stringify(before.slice(-40));
      throw notAPrefix(i, `the text before it (ending in ${end})`);
    }
    // Some templates add something after the last message only, such as an EOS token. The message itself must then be in the common part.
    const end = alike(text, through);
    const whole = end === through.length
      ? end > before.length
      : text.slice(before.length, end).includes(messages[i].content.trim());
    if (!whole) throw notAPrefix(i, "the conversation up to it");
    scored.set(i, [[before.length, end]]);
  }
  return { text, scored };
}

/** Number of characters that two texts have in common at the start. */
function alike(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Renders a part of a conversation; a template may reject a part that it would accept within the whole. */
function rendered(render: () => string, message: number): string {
  try {
    return render();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw notAPrefix(message, `the part before it alone (${error.message})`);
  }
}

function notAPrefix(message: number, what: string): RangeError {
  return new RangeError(
    `Cannot tell which tokens belong to the assistant in message ${
      message + 1
    }: the chat template renders ${what} differently from how it appears in the whole conversation, and has no {% generation %} blocks. Set task.loss to "last" or "all", or choose another template with task.chat_template`,
  );
}

/** The name in `{ function: { name } }` or `{ name }`, the forms of tools and of their calls. */
function nameIn(tool: unknown): string | undefined {
  if (typeof tool !== "object" || tool === null) return undefined;
  const { function: inner, name } = tool as { function?: unknown; name?: unknown };
  if (typeof inner === "object" && inner !== null) return nameIn(inner);
  return typeof name === "string" ? name : undefined;
}

/**
 * Rejects a text whose template does not support tools.
 *
 * @throws {RangeError} naming what the text omits.
 */
function assertToolsLaidOut(
  text: string,
  messages: readonly ChatMessage[],
  tools: readonly unknown[] = [],
): void {
  const has = (part: string | undefined): boolean =>
    part === undefined || text.includes(part) || text.includes(JSON.stringify(part).slice(1, -1));
  const refuse = (what: string): never => {
    throw new RangeError(
      `Cannot learn from a conversation: the chat template leaves out ${what}; choose one that supports tools with task.chat_template, or remove the tools from the data`,
    );
  };
  const tool = tools.map(nameIn).find((name) => !has(name));
  if (tool !== undefined) refuse(`the tool ${JSON.stringify(tool)}`);
  for (const [i, { role, content, fields }] of messages.entries()) {
    const { tool_calls: calls } = fields ?? {};
    const call = Array.isArray(calls) ? calls.map(nameIn).find((name) => !has(name)) : undefined;
    if (call !== undefined) refuse(`the call to ${JSON.stringify(call)} in message ${i + 1}`);
    if (role === "tool" && !has(content.trim())) refuse(`the tool result in message ${i + 1}`);
  }
}
