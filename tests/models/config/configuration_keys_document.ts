/**
 * docs/configuration-keys.md from the tables of keys. Writes it when run: `deno run -A tests/models/config/configuration_keys_document.ts`.
 *
 * @module
 */
import type { KeyTable } from "../../../models/config/config_keys.ts";
import { ARCHITECTURES } from "../../../models/architectures.ts";
import { GGUF_GENERAL_KEYS } from "../../../models/config/config_gguf.ts";
import { ROPE_KEYS } from "../../../models/config/config_rope.ts";
import {
  DYNAMIC_KEYS,
  QUANTIZATION_KEYS,
} from "../../../models/checkpoints/hugging_face/quantization_keys.ts";
import { SHARED_CONFIG_KEYS } from "../../../models/config/shared_config_keys.ts";
import { SHARED_GGUF_KEYS } from "../../../models/config/shared_gguf_keys.ts";

const HEAD = `# Configuration keys

Generated from the tables in \`models/\`: \`deno run -A tests/models/config/configuration_keys_document.ts\`.

Every key of a model's configuration is either **read**, known to have **no effect** on the result, ignored with a **note** (because the reference
implementation ignores it), or **refused** with an error that names the key and its value. A refused key is accepted with the values listed, which change nothing, and with
\`null\`, \`false\` or an empty value. Where "(even \`false\`)" is added, \`false\` is refused too. An unknown key is also an error, unless

- its value is \`null\`, \`false\`, \`""\`, \`[]\` or \`{}\`,
- its name begins with \`_\`, as the private attributes of transformers do, or
- its name and value are text that describes the file (\`license\`, \`base_model\`, \`x_version\`, \`dataset\`, a path ...), in which case a note says so.

A setting that another program understands and this library does not therefore stops loading, instead of silently giving a different model. If the key has no effect on the
model, remove it.
`;

function section(title: string, table: KeyTable): string {
  const groups = new Map<string, string[]>();
  const put = (group: string, key: string) => groups.set(group, [...groups.get(group) ?? [], key]);
  const inner: string[] = [];
  for (const [key, rule] of Object.entries(table)) {
    const named = `\`${key}\``;
    if (rule.kind === "read") put("read", named);
    else if (rule.kind === "harmless") put(`no effect: ${rule.why}`, named);
    else if (rule.kind === "noted") put(`note: ${rule.why}`, named);
    else if (rule.kind === "only") {
      const values = rule.values.map((v) => JSON.stringify(v)).join(", ");
      put(
        `refused${rule.exactly ? " (even \`false\`)" : ""}${
          values ? ` except ${values}` : ""
        }: ${rule.why}`,
        named,
      );
    } else {
      put("read", named);
      const entry = rule.entries ? ".NAME" : "";
      inner.push(section(`${title}, \`${key}${entry}\``, rule.table));
    }
  }
  const rows = [...groups].map(([group, keys]) => `| ${group} | ${keys.join(" ")} |`);
  return [
    `\n## ${title}\n\n| what happens | keys |\n| --- | --- |\n${rows.join("\n")}\n`,
    ...inner,
  ]
    .join("");
}

/** The rules of a table that are not those of the shared one. */
function own(table: KeyTable, shared: KeyTable): KeyTable {
  return Object.fromEntries(Object.entries(table).filter(([key, rule]) => shared[key] !== rule));
}

/** The whole document. */
export function configurationKeysDocument(): string {
  return [
    HEAD,
    section("config.json, every architecture", SHARED_CONFIG_KEYS),
    ...ARCHITECTURES.map(({ huggingFace: { modelTypes, keys } }) =>
      section(
        `config.json, \`model_type\` ${modelTypes.map((it) => `\`${it}\``).join(" or ")}`,
        own(keys, SHARED_CONFIG_KEYS),
      )
    ),
    section("`rope_parameters`, `rope_scaling`", ROPE_KEYS),
    ...Object.entries(QUANTIZATION_KEYS).map(([method, table]) =>
      section(`\`quantization_config\` of ${method}`, table)
    ),
    section("a rule of `dynamic` (gptq, awq)", DYNAMIC_KEYS),
    section("GGUF, without prefix", GGUF_GENERAL_KEYS),
    section("GGUF, under the prefix of every architecture", SHARED_GGUF_KEYS),
    ...ARCHITECTURES.flatMap(({ name, gguf }) =>
      gguf ? [section(`GGUF, under \`${name}.\``, own(gguf.keys, SHARED_GGUF_KEYS))] : []
    ),
  ].join("");
}

if (import.meta.main) {
  const path = new URL("../../../docs/configuration-keys.md", import.meta.url);
  await Deno.mkdir(new URL("..", path), { recursive: true });
  await Deno.writeTextFile(path, configurationKeysDocument());
}
