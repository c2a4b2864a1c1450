/**
 * YAML of a bounded length, with errors that name the file.
 *
 * @module
 */
import { parse } from "@std/yaml";

const mostCharacters = 1_000_000;

/**
 * The value of a YAML text.
 *
 * @param name Where it comes from, for messages
 * @throws {SyntaxError} When it is not YAML, or too long
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
    // Nesting that exhausts the stack arrives as a RangeError of the engine.
    const reason = error instanceof SyntaxError
      ? error.message.split("\n")[0]
      : "it is nested too deeply";
    throw new SyntaxError(`Cannot read ${name}: ${reason}`, { cause: error });
  }
}
