"""Makes tests/fixtures/chat_vectors.json: conversations as other code lays them out.

    deno eval 'import { chatTemplateNames as names } from "./models/mod.ts";
      import { namedChatTemplate } from "./models/tokenizers/named_chat_templates.ts";
      console.log(JSON.stringify(Object.fromEntries(names.map((n) => [n, namedChatTemplate(n)]))))' |
      python3 tests/support/vectors/chat_vectors.py > tests/fixtures/chat_vectors.json

`layouts`: plain Python functions, written from the published descriptions of each layout, and checked here against Jinja2 (python3-jinja2) running
the named templates. `templates`: templates in the manner of those that models bring, run by Jinja2 with the settings of transformers (trim_blocks,
lstrip_blocks, the sandbox, an extension that notes where blocks of generation begin and end).

With a folder as argument: what Jinja2 makes of the templates (*.jinja) in it, a list of the form of `templates`; `text` is null where it refuses.
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

BOS, EOS = "<s>", "</s>"


class Generation(Extension):
    """Puts marks that no conversation holds around what a block of generation makes."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("mark"), [], [], body).set_lineno(line)

    def mark(self, caller):
        return "\x01" + caller() + "\x02"


def refuse(why):
    raise jinja2.exceptions.TemplateError(why)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
)
environment.globals["raise_exception"] = refuse
environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
environment.filters["tojson"] = lambda value, **more: json.dumps(value, ensure_ascii=False, **more)


def render(template, messages, answer):
    """The text, and [first, end) of each part in a block of generation, counted in UTF-16 code units as JavaScript does."""
    marked = environment.from_string(template).render(
        messages=messages, add_generation_prompt=answer, bos_token=BOS, eos_token=EOS
    )
    text, scored, first = "", [], 0
    for letter in marked:
        if letter == "\x01":
            first = units(text)
        elif letter == "\x02":
            scored.append([first, units(text)])
        else:
            text += letter
    return text, scored


def units(text):
    return len(text.encode("utf-16-le")) // 2


def system_of(messages):
    if messages[0]["role"] == "system":
        return messages[0]["content"], messages[1:]
    return None, messages


# Each gives pieces: (text, whether an assistant says it).


def alpaca(messages, answer):
    system, said = system_of(messages)
    for i, m in enumerate(said):
        if m["role"] == "assistant":
            yield m["content"] + EOS, True
            yield "\n\n", False
            continue
        if i == 0:
            paired = "\n\n### Input:\n" in m["content"]
            with_input = ", paired with an input that provides further context" if paired else ""
            yield system or (
                f"Below is an instruction that describes a task{with_input}. "
                "Write a response that appropriately completes the request."
            ), False
            yield "\n\n", False
        yield f"### Instruction:\n{m['content']}\n\n### Response:\n", False


def chatml(messages, answer):
    for m in messages:
        yield f"<|im_start|>{m['role']}\n", False
        yield m["content"] + "<|im_end|>", m["role"] == "assistant"
        yield "\n", False
    if answer:
        yield "<|im_start|>assistant\n", False


def gemma(messages, answer):
    system, said = system_of(messages)
    yield BOS, False
    for i, m in enumerate(said):
        says = m["role"] == "assistant"
        yield f"<start_of_turn>{'model' if says else m['role']}\n", False
        if i == 0 and system:
            yield system + "\n\n", False
        yield m["content"].strip() + "<end_of_turn>", says
        yield "\n", False
    if answer:
        yield "<start_of_turn>model\n", False


def llama2(messages, answer):
    system, said = system_of(messages)
    for i, m in enumerate(said):
        if m["role"] == "assistant":
            yield f" {m['content'].strip()} {EOS}", True
            continue
        prompt = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if i == 0 and system else ""
        yield f"{BOS}[INST] {prompt}{m['content'].strip()} [/INST]", False


def llama3(messages, answer):
    yield BOS, False
    for m in messages:
        yield f"<|start_header_id|>{m['role']}<|end_header_id|>\n\n", False
        yield m["content"].strip() + "<|eot_id|>", m["role"] == "assistant"
    if answer:
        yield "<|start_header_id|>assistant<|end_header_id|>\n\n", False


def mistral(messages, answer):
    system, said = system_of(messages)
    yield BOS, False
    for i, m in enumerate(said):
        if m["role"] == "assistant":
            yield m["content"] + EOS, True
        else:
            prompt = system + "\n\n" if i == 0 and system else ""
            yield f"[INST] {prompt}{m['content']} [/INST]", False


def vicuna(messages, answer):
    system, said = system_of(messages)
    yield BOS, False
    yield system or (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions."
    ), False
    yield " ", False
    for m in said:
        if m["role"] == "assistant":
            yield "ASSISTANT:", False
            yield f" {m['content']}{EOS}", True
        else:
            yield f"USER: {m['content']} ", False
    if answer:
        yield "ASSISTANT:", False


LAYOUTS = [alpaca, chatml, gemma, llama2, llama3, mistral, vicuna]

CONVERSATIONS = [
    [("user", "Why is the sky blue?"), ("assistant", "Light is scattered.")],
    [
        ("system", "Answer in one sentence."),
        ("user", "  What is 2 + 2?\n"),
        ("assistant", "It is 4. "),
        ("user", "And {{ 3 }} + 'three'?"),
        ("assistant", "\n6, or \"six\"\n\nas 😀 says"),
    ],
    [("user", "Ünïcode {% if %} <b>&amp;</b>"), ("assistant", "ok"), ("user", "more"), ("assistant", "done")],
    [("user", "Sum up.\n\n### Input:\nA film."), ("assistant", "Film.")],
]

# In the manner of templates that models bring, without blocks of generation unless named so.
TEMPLATES = {
    "namespace": """{%- set ns = namespace(found=false, last=-1) -%}
{%- for message in messages -%}
    {%- if message.role == 'user' %}{% set ns.last = loop.index0 %}{% set ns.found = true %}{% endif -%}
{%- endfor -%}
{{ bos_token }}{% for message in messages %}
<|{{ message.role }}|>{% if loop.index0 == ns.last %}*{% endif %}
{{ message['content'] }}{{ eos_token if message.role == 'assistant' else '' }}
{% endfor %}
{%- if add_generation_prompt %}<|assistant|>
{% endif %}""",
    "alternating": """{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim + '\\n\\n' %}{% set loop_messages = messages[1:] %}
{%- else %}{% set system = '' %}{% set loop_messages = messages %}{% endif %}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}
    {%- else %}
        {{- ' ' + message['content'].strip() + eos_token }}
    {%- endif %}
{%- endfor %}""",
    "macro": """{%- macro turn(role, content) -%}
{{ '<' ~ role ~ '>' }}{{ content | replace('\\n', ' ') }}{{ '</' ~ role ~ '>' }}
{%- endmacro -%}
{{- bos_token -}}
{%- for m in messages if m.role != 'system' -%}{{ turn(m.role, m.content) }}{%- endfor -%}
{%- if add_generation_prompt is defined and add_generation_prompt -%}{{ '<assistant>' }}{%- endif -%}""",
    "forgets earlier answers": """{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{{- m.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "generation with marks on lines": """{{ bos_token }}
{% for message in messages %}
    {% if message.role == 'assistant' %}
        {%- generation -%}
        {{ message.content | trim }}{{ eos_token }}
        {%- endgeneration -%}
    {% else %}
{{ message.role | upper }}: {{ message.content | trim }}
    {% endif %}
{% endfor %}
""",
    "generation kept tight": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}\n{% endgeneration %}{% else %}{{ m.role }}> {{ m.content }}\n{% endif %}{% endfor %}",
}


def of_folder(folder, conversations):
    found = []
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        template = path.read_text()
        cases = []
        for messages in conversations:
            for part, answer in [(messages, False), (messages[:-1], True)]:
                try:
                    text, scored = render(template, part, answer)
                except Exception:
                    text, scored = None, []
                cases.append({"messages": part, "answer": answer, "text": text, "scored": scored})
        found.append({"name": path.stem, "template": template, "cases": cases})
    json.dump(found, sys.stdout, ensure_ascii=False)


def main():
    conversations = [[{"role": r, "content": c} for r, c in said] for said in CONVERSATIONS]
    if len(sys.argv) > 1:
        return of_folder(sys.argv[1], conversations)
    named = json.load(sys.stdin)
    layouts = []
    for layout in LAYOUTS:
        for messages in conversations:
            for part, answer in [(messages, False), (messages[:-1], True)]:
                text, scored = "", []
                for piece, says in layout(part, answer):
                    if says:
                        scored.append([units(text), units(text) + units(piece)])
                    text += piece
                assert (text, scored) == render(named[layout.__name__], part, answer), layout.__name__
                layouts.append(
                    {"template": layout.__name__, "messages": part, "answer": answer, "text": text, "scored": scored}
                )
    templates = []
    for name, template in TEMPLATES.items():
        cases = []
        for messages in conversations:
            for part, answer in [(messages, False), (messages[:-1], True)]:
                text, scored = render(template, part, answer)
                cases.append({"messages": part, "answer": answer, "text": text, "scored": scored})
        templates.append({"name": name, "template": template, "cases": cases})
    json.dump({"bos": BOS, "eos": EOS, "layouts": layouts, "templates": templates}, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
