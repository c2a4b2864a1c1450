"""Makes tests/fixtures/transformers_logits.json: what transformers computes of a small random model of every architecture.

    deno run -A tests/support/vectors/transformers_bases.ts /tmp/bases &&
      python3 tests/support/vectors/transformers_vectors.py /tmp/bases > tests/fixtures/transformers_logits.json

Folders are random, made anew by the test. Logits are those behind two of the tokens, f32, little endian.
"""
import base64
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

TOKENS = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38, 46, 264, 33, 83, 27, 95, 2, 88, 41, 97]
ROWS = [7, 19]


def main(bases):
    models = {}
    for folder in sorted(bases.iterdir()):
        kind = AutoModelForMaskedLM if "bert" in folder.name else AutoModelForCausalLM
        model, told = kind.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        assert not told["mismatched_keys"] and not told["unexpected_keys"], told
        # Heads that are tied.
        assert all(it.endswith(("lm_head.weight", "decoder.weight", "decoder.bias")) for it in told["missing_keys"]), told
        with torch.no_grad():
            logits = model.eval()(torch.tensor([TOKENS])).logits[0, ROWS].float()
        models[folder.name] = base64.b64encode(logits.numpy().astype("<f4").tobytes()).decode()
    made = f"transformers {transformers.__version__}, torch {torch.__version__}, run by transformers_vectors.py"
    json.dump({"made": made, "tokens": TOKENS, "rows": ROWS, "models": models}, sys.stdout, indent=1)
    print()


main(Path(sys.argv[1]))
