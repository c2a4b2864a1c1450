"""Makes tests/fixtures/harness_vectors.json: what lm-evaluation-harness has a model score for rows made up here.

    python3 tests/support/vectors/harness_vectors.py lm-evaluation-harness > tests/fixtures/harness_vectors.json

The argument is a checkout of github.com/EleutherAI/lm-evaluation-harness (MIT), of which nothing is kept here: its templates are rendered by Jinja2
with its settings (python3-jinja2, python3-yaml), its functions are run. `file` is a row as its data set is published, `doc` what Hugging Face's
loaders make of it.
"""
import ast
import json
import pathlib
import re
import sys
import types

import jinja2
import yaml

TASKS = pathlib.Path(sys.argv[1]) / "lm_eval/tasks"
environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def functions(path):
    """The functions of a file, without what it imports."""
    module = types.ModuleType(path.stem)
    defined = [ast.unparse(it) for it in ast.parse(path.read_text()).body if isinstance(it, ast.FunctionDef)]
    exec("from __future__ import annotations\n" + "\n".join(it for it in defined), module.__dict__)
    return module


utils = types.ModuleType("utils")
utils.re = re
text = (TASKS.parent / "utils.py").read_text()
wanted = next(it for it in ast.parse(text).body if getattr(it, "name", None) == "general_detokenize")
exec(ast.unparse(wanted), utils.__dict__)


class Loader(yaml.SafeLoader):
    """Functions of files beside a task's."""


def settings(path):
    def function(loader, node):
        file, name = loader.construct_scalar(node).rsplit(".", 1)
        module = functions(path.parent / f"{file}.py")
        module.__dict__.update({"general_detokenize": utils.general_detokenize, "datasets": types.SimpleNamespace(Dataset=None)})
        return getattr(module, name)

    Loader.add_constructor("!function", function)
    return yaml.load(path.read_text(), Loader)


def made(value, doc):
    """What the harness makes of a field of a task's settings."""
    if callable(value):
        return value(doc)
    if isinstance(value, list):
        return [made(it, doc) for it in value]
    if value in doc:
        return doc[value]
    return environment.from_string(value).render(**doc)


line = lambda value: json.dumps(value, ensure_ascii=False)
PAIRS = [("A man sleeps.", "He rests."), ("Ünïcode “q” .", "he sleeps")]
RECORD = {"text": "Ann met Eve.\n@highlight\nAnn won\n@highlight\nEve lost", "query": "The loser, @placeholder, cried"}

CASES = {
    "sst2/harness": ("glue/sst2/default.yaml", [("1 a stirring film\n", {"sentence": "a stirring film", "label": 1})]),
    "rte/harness": ("super_glue/rte/default.yaml", [
        (line({"premise": p, "hypothesis": h, "label": "not_entailment"}), {"premise": p, "hypothesis": h, "label": 1}) for p, h in PAIRS
    ]),
    "cb/harness": ("super_glue/cb/default.yaml", [
        (line({"premise": p, "hypothesis": h, "label": name}), {"premise": p, "hypothesis": h, "label": l})
        for (p, h), (l, name) in zip(PAIRS * 2, enumerate(["entailment", "contradiction", "neutral"]))
    ]),
    "mnli/harness": ("glue/mnli/default.yaml", [
        (f"gold_label\tsentence1\tsentence2\n{name}\t{p}\t{h}\n", {"premise": p, "hypothesis": h, "label": l})
        for (p, h), (l, name) in zip(PAIRS * 2, enumerate(["entailment", "neutral", "contradiction"]))
    ]),
    "boolq/harness": ("super_glue/boolq/default.yaml", [
        (line({"question": "is it real", "passage": "It -- It is real -- or not.", "label": l}),
         {"question": "is it real", "passage": "It -- It is real -- or not.", "label": int(l)}) for l in [True, False]
    ]),
    "wic/harness": ("super_glue/wic/default.yaml", [
        (line({"word": "feel", "sentence1": "😀 She felt ill.", "sentence2": "I feel it.", "start1": 6, "end1": 10, "start2": 2, "end2": 6, "label": False}),
         {"word": "feel", "sentence1": "😀 She felt ill.", "sentence2": "I feel it.", "start1": 6, "end1": 10, "start2": 2, "end2": 6, "label": 0})
    ]),
    "wsc/harness": ("super_glue/wsc/default.yaml", [
        (line({"text": t, "target": {"span1_index": i, "span1_text": a, "span2_index": j, "span2_text": b}, "label": True}),
         {"text": t, "span1_index": i, "span1_text": a, "span2_index": j, "span2_text": b, "label": 1})
        for t, i, a, j, b in [
            ("Ann , said Bob , was n't there because she slept ( badly ) .", 0, "Ann", 9, "she"),
            ('Bob said " no " when Eve asked him .', 0, "Bob", 8, "him"),
            ("The trophy does not fit because it is large.", 0, "The trophy", 6, "it"),
        ]
    ]),
    "multirc/harness": ("super_glue/multirc/default.yaml", [
        (line({"passage": {"text": "A day.", "questions": [{"question": "When?", "answers": [{"text": "It's \"now\"", "label": 0}]}]}}),
         {"paragraph": "A day.", "question": "When?", "answer": "It's \"now\"", "label": 0})
    ]),
    "copa/harness": ("super_glue/copa/default.yaml", [
        (line({"premise": p, "choice1": a, "choice2": b, "question": q, "label": l}), {"premise": p, "choice1": a, "choice2": b, "question": q, "label": l})
        for p, a, b, q, l in [("The man slid the razor across his chin.", "His stubble grew.", "I saw it.", "effect", 1), ("I was late!", "Ann left.", "It rained.", "cause", 0)]
    ]),
    "record/harness": ("super_glue/record/default.yaml", [
        (line({"passage": {"text": RECORD["text"], "entities": [{"start": 8, "end": 10}, {"start": 0, "end": 2}]},
               "qas": [{"query": RECORD["query"], "answers": [{"start": 8, "end": 10, "text": "Eve"}]}]}),
         {"passage": RECORD["text"], "query": RECORD["query"], "entities": ["Ann", "Eve"], "answers": ["Eve"], "label": 1})
    ]),
    "winogrande/harness": ("winogrande/default.yaml", [
        (line({"sentence": s, "option1": "Ann", "option2": "Eve", "answer": "2"}), {"sentence": s, "option1": "Ann", "option2": "Eve", "answer": "2"})
        for s in ["Ann met Eve so _.", "Ann saw Eve because _ was late."]
    ]),
    "drop/harness": ("drop/default.yaml", [
        (line({"a_1": {"passage": "Ann ran 10 yards.", "qa_pairs": [{"question": "How far?", "query_id": "1", "answer": {"number": "10", "date": {}, "spans": []}}]}}),
         {"passage": "Ann ran 10 yards.", "question": "How far?", "answer": ["10"]})
    ]),
}


def main():
    cases = []
    for name, (path, docs) in CASES.items():
        task = settings(TASKS / path)
        delimiter = task.get("target_delimiter", " ")
        for file, doc in docs:
            context = made(task["doc_to_text"], doc)
            if task["output_type"] != "multiple_choice":
                cases.append({"task": name, "file": file, "texts": [context], "scored": [], "right": 0})
                continue
            choices = made(task["doc_to_choice"], doc)
            if isinstance(choices, str):
                choices = ast.literal_eval(choices)
            if isinstance(context, int):
                # Choices stand in the context, and what follows them is scored.
                rest = delimiter + made(task["doc_to_target"], doc)
                cases.append({"task": name, "file": file, "texts": [it + rest for it in choices], "scored": [rest] * len(choices), "right": context})
                continue
            scored = [delimiter + it for it in choices]
            cases.append({"task": name, "file": file, "texts": [context + it for it in scored], "scored": scored, "right": doc["label"]})
    source = "github.com/EleutherAI/lm-evaluation-harness 4e7e0d4, run by harness_vectors.py"
    json.dump({"source": source, "cases": cases}, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
