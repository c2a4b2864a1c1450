/**
 * Parses YAML of a bounded length, with errors that name the file.
 *
 * @module
 */
import { parse } from "@std/yaml";

const mostCharacters = 1_000_000;

/**
 * The value of a YAML text.
 *
 * @param name Origin of the text, for messages.
 * @throws {SyntaxError} when the text is not YAML, is nested too deeply, or is longer than 1,000,000 characters.
 */
export function parseYaml(yaml: string, name: string): unknown {
  if (yaml.length > mostCharacters) {
    throw new SyntaxError(
      `Cannot read ${name}: ${yaml.length} characters, a configuration may have at most ${mostCharacters}`,
    );
  }
  try {
    return parse(yaml, { schema: "core" });
  } catch (error) {
    // Nesting that exhausts the stack is reported by the engine as a RangeError.
    const reason = error instanceof SyntaxError
      ? error.message.split("\n")[0]
      : "it is nested too deeply";
    throw new SyntaxError(`Cannot read ${name}: ${reason}`, { cause: error });
  }
}
