/**
 * Chat templates with names go along from every kind of source to every kind of target.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, tokenizerToGguf, writeModel } from "../../../models/mod.ts";
import type { GgufValue } from "../../support/gguf_writer.ts";
import { writeKindFolder, writeKindGguf } from "../../support/model_kinds.ts";
import { withTemp } from "../quantised_folder.ts";

const LIST = [
  { name: "default", template: "D" },
  { name: "tool_use", template: "T" },
  { name: "rag", template: "R" },
];
const text = (value: string): GgufValue => ({ kind: "string", value });

/** All templates that are in a GGUF file's metadata. */
async function inGguf(path: string): Promise<Record<string, unknown>> {
  using source = await openModelSource(path);
  const entries = [...source.header!.metadata].filter(([key]) => key.includes("chat_template"));
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace("tokenizer.", ""), value]),
  );
}

const ALL = {
  "chat_template.tool_use": "T",
  "chat_template.rag": "R",
  chat_templates: ["tool_use", "rag"],
  chat_template: "D",
};

Deno.test("chat templates: a folder's list goes into GGUF and back", async () => {
  await withTemp(async (temp) => {
    const folder = await writeKindFolder(join(temp, "a"), {
      tokenizer: (it) => ({ ...it, config: { ...it.config, chat_template: LIST } }),
    });
    {
      using source = await openModelSource(folder);
      assertEquals(source.tokenizer?.chatTemplate, "D");
      await writeModel(source, join(temp, "b.gguf"));
    }
    assertEquals(await inGguf(join(temp, "b.gguf")), ALL);
    {
      using source = await openModelSource(join(temp, "b.gguf"));
      await writeModel(source, join(temp, "c"));
      await writeModel(source, join(temp, "c.gguf"));
    }
    assertEquals(await inGguf(join(temp, "c.gguf")), ALL);
    using back = await openModelSource(join(temp, "c"));
    assertEquals(back.tokenizer?.chatTemplate, "D");
    const { config } = back.tokenizerFiles!;
    assertEquals((config as { chat_template: unknown }).chat_template, LIST);
  });
});

Deno.test("chat templates: files of their own go along", async () => {
  await withTemp(async (temp) => {
    const folder = await writeKindFolder(join(temp, "a"));
    await Deno.writeTextFile(join(folder, "chat_template.jinja"), "D");
    await Deno.mkdir(join(folder, "additional_chat_templates"));
    for (const [name, template] of [["tool_use", "T"], ["rag", "R"]]) {
      const file = join(folder, "additional_chat_templates", `${name}.jinja`);
      await Deno.writeTextFile(file, template);
    }
    using source = await openModelSource(folder);
    await writeModel(source, join(temp, "b.gguf"));
    assertEquals(await inGguf(join(temp, "b.gguf")), {
      ...ALL,
      chat_templates: ["rag", "tool_use"],
    });
    // As it was, and in this library's own form.
    const own = { ...source, folder: undefined };
    // Into new folders, and into those that are there.
    for (const [name, from] of [["c", source], ["d", own], ["c", own], ["d", source]] as const) {
      const { notes } = await writeModel(from, join(temp, name));
      assertEquals(notes, []);
      using back = await openModelSource(join(temp, name));
      assertEquals(back.tokenizer?.chatTemplate, "D");
      assertEquals(
        [...back.tokenizerFiles!.otherTemplates!],
        [["rag", "R"], ["tool_use", "T"]],
      );
    }
  });
});

Deno.test("chat templates: a list without a default one has none that is used, and keeps its names", async () => {
  await withTemp(async (temp) => {
    const path = await writeKindGguf(join(temp, "a.gguf"), {
      metadata: { "tokenizer.chat_template.tool_use": text("T") },
    });
    using source = await openModelSource(path);
    assertEquals(source.tokenizer?.chatTemplate, undefined);
    await writeModel(source, join(temp, "b"));
    using back = await openModelSource(join(temp, "b"));
    assertEquals(back.tokenizer?.chatTemplate, undefined);
    await writeModel(back, join(temp, "c.gguf"));
    assertEquals(await inGguf(join(temp, "c.gguf")), {
      "chat_template.tool_use": "T",
      chat_templates: ["tool_use"],
    });
  });
});

Deno.test("chat templates: names become letters of ASCII, digits and _ in GGUF, as its converter makes them", () => {
  const json = {
    model: { type: "BPE", vocab: { a: 0 }, merges: [] },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
  };
  const config = { chat_template: [{ name: "to\u00f6l use", template: "T" }] };
  const metadata = tokenizerToGguf(json, config);
  assertEquals(metadata.get("tokenizer.chat_template.to_l_use"), "T");
});

Deno.test("a GGUF file's padding and unknown token go into a folder and back", async () => {
  await withTemp(async (temp) => {
    const path = await writeKindGguf(join(temp, "a.gguf"), {
      metadata: { "tokenizer.ggml.padding_token_id": { kind: "u32", value: 5 } },
    });
    using source = await openModelSource(path);
    await writeModel(source, join(temp, "b"));
    using back = await openModelSource(join(temp, "b"));
    const { config } = back.tokenizerFiles!;
    const { metadata } = source.header!;
    const tokens = metadata.get("tokenizer.ggml.tokens") as string[];
    assertEquals((config as { pad_token: unknown }).pad_token, tokens[5]);
    const unknown = metadata.get("tokenizer.ggml.unknown_token_id") as number | undefined;
    assertEquals(
      (config as { unk_token?: unknown }).unk_token,
      unknown === undefined ? undefined : tokens[unknown],
    );
  });
});
