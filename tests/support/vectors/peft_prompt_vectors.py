"""Prefix and prompt adapters as PEFT saves them, some with whole modules of the base, and the logits it computes with them: tests/fixtures/peft_prompt.

  deno run -A tests/support/vectors/peft_bases.ts /tmp/bases && python3 tests/support/vectors/peft_prompt_vectors.py /tmp/bases tests/fixtures/peft_prompt

The fixtures were made with peft 0.21.0, transformers 5.18.0 and torch 2.13.0 on a CPU. Bases are random, made anew by the tests.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

TOKENS = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38]
NAMES = ["llama", "opt", "gpt2", "qwen2", "qwen3", "roberta", "gemma3"]
SCHEMES = {
    "prefix": lambda **own: PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, **own),
    "prompt": lambda **own: PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5, **own),
}
MODULES = [
    ("llama", "prefix", ["lm_head", "k_proj", "input_layernorm"]),
    ("opt", "prompt", ["final_layer_norm", "q_proj"]),
    ("gpt2", "prefix", ["ln_f"]),
    ("gemma3", "prompt", ["post_attention_layernorm"]),
    ("roberta", "prefix", ["LayerNorm", "layer_norm"]),
]


def main(bases, out):
    torch.manual_seed(1)
    cases = [(name, scheme, None) for name in NAMES for scheme in SCHEMES]
    for name, scheme, modules in cases + MODULES:
        config = SCHEMES[scheme]
        kind = AutoModelForMaskedLM if name == "roberta" else AutoModelForCausalLM
        base = kind.from_pretrained(bases / name, dtype=torch.float32, attn_implementation="eager")
        if name == "roberta":
            # PEFT has no class for masked models with prompts; that for causal ones only wants this method to be there.
            base.prepare_inputs_for_generation = lambda *_, **__: None
        model = get_peft_model(base, config(**({"modules_to_save": modules} if modules else {})))
        encoder = model.prompt_encoder["default"].embedding
        encoder.weight.data = torch.randn_like(encoder.weight) * 0.5
        if modules:
            for parameter in model.parameters():
                if parameter.requires_grad and parameter is not encoder.weight:
                    parameter.data += 0.1 * torch.randn_like(parameter)
        model.eval()
        seen = torch.ones(1, len(TOKENS), dtype=torch.long)
        with torch.no_grad():
            logits = model(torch.tensor([TOKENS]), attention_mask=seen).logits[0]
        folder = out / f"{'modules-' if modules else ''}{name}-{scheme}"
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        settings_path = folder / "adapter_config.json"
        kept = json.loads(settings_path.read_text())
        kept["base_model_name_or_path"] = f"random/{name}"
        settings_path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
        values = logits[-3:].flatten().tolist()
        (folder / "logits.f32").write_bytes(struct.pack(f"<{len(values)}f", *values))
        print(name, scheme, tuple(logits.shape), tuple(encoder.weight.shape))


main(Path(sys.argv[1]), Path(sys.argv[2]))
