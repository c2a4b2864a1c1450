"""Makes tests/fixtures/mezo_vectors.json: rows as the code of MeZO and ZO-LLM renders them, and answers as MeZO scores them.

    python3 tests/support/vectors/mezo_vectors.py MeZO ZO-LLM > tests/fixtures/mezo_vectors.json

The arguments are checkouts of github.com/princeton-nlp/MeZO and github.com/ZO-Bench/ZO-LLM (both MIT), of which nothing is kept here: their templates,
builders of samples, tokenisation of prompts with a mask, and F1 are run. The rows are made up. `file` is a row as its data set is published, which
our readers take; `row` what Hugging Face's loaders make of it, which theirs take.
"""
import ast
import json
import pathlib
import re
import sys
import types

MEZO, ZO_LLM = (pathlib.Path(path) for path in sys.argv[1:3])


def code(path, only=None):
    """A module of a file; with `only`, of the definitions of these names and nothing that it imports."""
    text = path.read_text()
    if only:
        wanted = [it for it in ast.parse(text).body if getattr(it, "name", None) in only]
        text = "\n".join(ast.unparse(it) for it in wanted)
    module = types.ModuleType(path.stem)
    module.__dict__.update({"__name__": path.stem, "Sample": types.SimpleNamespace, "Dataset": object, "logger": None})
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def tasks_of(root):
    templates = code(root / "templates.py")
    path = root / "tasks.py"
    names = [it.name for it in ast.parse(path.read_text()).body if getattr(it, "name", "").endswith("Dataset")]
    tasks = code(path, [it for it in names if it != "Dataset"])
    tasks.__dict__.update({k: v for k, v in templates.__dict__.items() if k.endswith(("Template", "V2", "V3", "GPT3", "Empty"))})
    return tasks


line = lambda value: json.dumps(value, ensure_ascii=False)

# task -> (class, version of the template or None for the class's own, [(file, row)])
PAIRS = [
    ("The cat sat on the mat .", "there was a cat", 0),
    ("Ünïcode “quotes” matter.", 'He said "no".', 1),
]
BOOLQ = [
    ("Old Town -- It is old -- or not.", "is old town old", True),
    ("Sky -- The sky is blue.", "Is the sky green?", False),
    ("x -- y.", "é it is", True),
]
COPA = [
    ("The man slid the razor across his chin.", "His stubble grew.", "I saw it.", "effect", 1),
    ("I was late!", "Ann's car broke down.", "The road was clear.", "cause", 0),
    ("She shrugged... ", "She knew.", "IT was late.", "cause", 1),
]
CASES = {
    "sst2": ("SST2", None, [
        (f"{label} {text}\n", {"idx": 0, "sentence": text + " ", "label": label})
        for label, text in [(1, "a stirring , funny film"), (0, "it 's a  bore -- really .")]
    ]),
    "rte": ("RTE", None, [
        (line({"premise": p, "hypothesis": h, "label": ["entailment", "not_entailment"][l]}), {"premise": p, "hypothesis": h, "label": l})
        for p, h, l in PAIRS
    ]),
    "cb": ("CB", None, [
        (line({"premise": p, "hypothesis": h, "label": ["entailment", "contradiction", "neutral"][l]}), {"premise": p, "hypothesis": h, "label": l})
        for p, h, l in PAIRS + [("A: He may sleep.", "he sleeps", 2)]
    ]),
    "boolq": ("BoolQ", None, [
        (line({"question": q, "passage": p, "label": a}), {"question": q, "passage": p.split(" -- ", 1)[1], "answer": a})
        for p, q, a in BOOLQ
    ]),
    "wic": ("WIC", None, [
        (line({"word": w, "sentence1": a, "sentence2": b, "start1": s, "end1": s + n, "start2": t, "end2": t + m, "label": bool(l)}),
         {"word": w, "sentence1": a, "sentence2": b, "label": l})
        for w, a, b, s, n, t, m, l in [("feel", "She felt ill.", "I feel it.", 4, 4, 2, 4, 0), ("place", "Do not place it.", "We placed it.", 7, 5, 3, 6, 1)]
    ]),
    "wsc": ("WSC", None, [
        (line({"text": t, "target": {"span1_index": i, "span1_text": a, "span2_index": j, "span2_text": b}, "label": bool(l)}),
         {"text": t, "span1_text": a, "span2_text": b, "label": l})
        for t, i, a, j, b, l in [
            ("Ann told Eve that She had won.", 0, "Ann", 4, "She", 0),
            ("The trophy does not fit into the bag because it is too large.", 0, "The trophy", 9, "it", 1),
        ]
    ]),
    "multirc": ("MultiRC", None, [
        (line({"passage": {"text": "A day. It was “long”.", "questions": [{"question": "When?", "answers": [{"text": text, "label": l}]}]}}),
         {"paragraph": "A day. It was “long”.", "question": "When?", "answer": text, "label": l})
        for text, l in [("Now", 0), ("A \"day\"", 1)]
    ]),
    "copa": ("Copa", None, [
        (line({"premise": p, "choice1": a, "choice2": b, "question": q, "label": l, "idx": 0}),
         {"premise": p, "choice1": a, "choice2": b, "question": q, "label": l, "idx": 0})
        for p, a, b, q, l in COPA
    ]),
    "record": ("ReCoRD", None, [
        (line({"passage": {"text": "Ann met Eve.\n@highlight\nAnn won\n@highlight\nEve lost", "entities": [{"start": 8, "end": 10}, {"start": 0, "end": 2}]},
               "qas": [{"query": "The loser, @placeholder, cried. @placeholder!", "answers": [{"start": 8, "end": 10, "text": "Eve"}]}]}),
         {"passage": "Ann met Eve.\n@highlight\nAnn won\n@highlight\nEve lost", "query": "The loser, @placeholder, cried. @placeholder!",
          "entities": ["Ann", "Eve"], "answers": ["Eve"]}),
    ]),
    "squad": ("SQuAD", None, [
        (line({"version": "1.1", "data": [{"title": "Old_Town", "paragraphs": [{"context": "It is old.", "qas": [{"id": "1", "question": " How is it? ", "answers": [{"text": "old", "answer_start": 6}, {"text": "It is old", "answer_start": 0}]}]}]}]}),
         {"title": "Old_Town", "context": "It is old.", "question": " How is it? ", "answers": {"text": ["old", "It is old"]}}),
    ]),
    "drop": ("DROP", None, [
        (line({"a_1": {"passage": "Ann ran 10 yards.", "qa_pairs": [{"question": "How far? ", "query_id": "1", "answer": {"number": "10", "date": {}, "spans": []}}]}}),
         {"passage": "Ann ran 10 yards.", "question": "How far? ", "answers_spans": {"spans": ["10"]}}),
    ]),
}

OF_ZO_LLM = {
    "sst2/bare": ("SST2", 1, CASES["sst2"][2]),
    "rte/bare": ("RTE", 1, CASES["rte"][2]),
    "copa/bare": ("Copa", 1, CASES["copa"][2]),
    "boolq/zo-llm": ("BoolQ", 0, CASES["boolq"][2]),
    "winogrande": ("WinoGrande", None, [
        (line({"sentence": s, "option1": a, "option2": b, "answer": n}), {"sentence": s, "option1": a, "option2": b, "answer": n})
        for s, a, b, n in [
            ("The cup did not fit the box because the _ was small.", "cup", "box", "2"),
            ("Ann met Eve so _ .", "Ann", "Eve", "1"),
        ]
    ]),
}

MASKED = {
    "sst2": ("SST-2", CASES["sst2"][2][:1], lambda row: [row["sentence"].strip()]),
    "sst5": ("sst-5", [("3 a fair film\n", {"text": "a fair film"})], lambda row: [row["text"]]),
    "trec": ("trec", [("NUM:date When was it ?\n", {"text": "When was it ?"})], lambda row: [row["text"]]),
    "rte": ("RTE", CASES["rte"][2], lambda row: [row["premise"], row["hypothesis"]]),
    "mnli": ("MNLI", [
        (f"gold_label\tsentence1\tsentence2\nneutral\t{p}\t{h}\n", {"premise": p, "hypothesis": h})
        for p, h in [("He may sleep.", "He sleeps."), ("dinner", "Éric ate")]
    ], lambda row: [row["premise"], row["hypothesis"]]),
    "snli": ("SNLI", [
        (line({"gold_label": "contradiction", "sentence1": "He sleeps.", "sentence2": "He runs."}), {"premise": "He sleeps.", "hypothesis": "He runs."})
    ], lambda row: [row["premise"], row["hypothesis"]]),
}

ANSWERS = [
    ("España", ["España"]), ("españa la", ["a España"]), ("the", ["A"]), ("", ["the"]), ("The U.S.A.", ["USA", "u.s.a"]), ("cat cat cat", ["cat cat dog"]),
    ("no", ["no answer"]), ("No answer!", ["no answer"]), ("naïve the", ["naïve"]), ("an 12the", ["12the"]), ("Corrê", ["Corrêa"]), ("ten–five", ["ten–five", "ten five"]),
    ("\u2018The\u2019 end", ["end"]), ("a\u00a0b", ["b"]), ("the  old   town", ["old town", "town"]), ("10\n\nPassage", ["10"]), ("日a", ["日a"]),
]


class Letters:
    """A tokenizer of letters: what it makes can be read back."""

    cls_token_id, sep_token_id, mask_token_id, bos_token_id, eos_token_id = -1, -2, -3, -4, -5
    model_type = "roberta"

    def encode(self, text, add_special_tokens):
        return [ord(letter) for letter in text]

    def convert_tokens_to_ids(self, token):
        return ord(token)


def rendered(tasks, cases):
    for name, (group, version, rows) in cases.items():
        builder = getattr(tasks, f"{group}Dataset")
        task = builder.__new__(builder)
        template = task.get_template() if version is None else task.get_template(version)
        for file, row in rows:
            sample = task.build_sample(row, 0) if group in ("SQuAD", "DROP") else task.build_sample(row)
            # As encode_prompt has them.
            generates = sample.candidates is None
            candidates = [None] if generates else sample.candidates
            full = [template.verbalize(sample, it) for it in candidates]
            right = sample.correct_candidate
            yield {
                "task": name,
                "file": file,
                "prompt": template.encode(sample).strip(" "),
                "full": full if generates else [it.strip(" ") for it in full],
                "right": 0 if generates else candidates.index(right[0] if isinstance(right, list) else right),
            }


def masked():
    tokenise = code(MEZO / "medium_models/src/dataset.py", ["tokenize_multipart_input"])
    tokenise.__dict__["pd"] = None
    script = (MEZO / "medium_models/run_fewshot.sh").read_text()
    for name, (case, rows, texts) in MASKED.items():
        found = re.search(rf'\n    {re.escape(case)}\)\n\s*TEMPLATE="?([^"\n]+)"?\n\s*MAPPING="([^\n]+)"\n', script)
        template, mapping = found.groups()
        for file, row in rows:
            ids = tokenise.tokenize_multipart_input(texts(row), 256, Letters(), prompt=True, template=template)["input_ids"]
            assert ids[0] == Letters.cls_token_id and ids[-1] == Letters.sep_token_id
            at = ids.index(Letters.mask_token_id)
            text = lambda part: "".join(map(chr, part))
            yield {"task": name, "file": file, "prompt": text(ids[1:at]), "after": text(ids[at + 1:-1]), "words": list(ast.literal_eval(mapping).items())}


def main():
    metrics = code(MEZO / "large_models/metrics.py")
    json.dump({
        "source": "github.com/princeton-nlp/MeZO and github.com/ZO-Bench/ZO-LLM, run by mezo_vectors.py",
        "causal": [*rendered(tasks_of(MEZO / "large_models"), CASES), *rendered(tasks_of(ZO_LLM / "zo-bench"), OF_ZO_LLM)],
        "masked": list(masked()),
        "answers": [
            {"text": text, "answers": answers, "f1": float(metrics.f1(text, answers)),
             "exact": float(any(metrics.normalize_answer(it) == metrics.normalize_answer(text) for it in answers)),
             "normalised": metrics.normalize_answer(text)}
            for text, answers in ANSWERS
        ],
    }, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
