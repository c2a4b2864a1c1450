"""LoRA and IA3 adapters as PEFT saves them, some with trained biases and whole modules of the base, and the logits it computes with them:
tests/fixtures/peft.

  deno run -A tests/support/vectors/peft_bases.ts /tmp/bases && python3 tests/support/vectors/peft_vectors.py /tmp/bases tests/fixtures/peft

The fixtures were made with peft 0.21.0, transformers 5.18.0 and torch 2.13.0 on a CPU. Bases are random, made anew by the tests; adapters
have random values, so that every one of them counts.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

TOKENS = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38]

CASES = {
    "llama": (dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]), torch.float32),
    "opt": (dict(r=3, lora_alpha=7, target_modules="all-linear", use_rslora=True), torch.float32),
    "gpt2": (
        dict(r=4, lora_alpha=4, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True),
        torch.float16,
    ),
    "qwen2": (
        dict(
            r=4,
            lora_alpha=6,
            target_modules=r".*layers\.\d+\.(self_attn\.(k|o)|mlp\.down)_proj",
            rank_pattern={r"layers\.1\.self_attn\.k_proj": 2},
            alpha_pattern={"down_proj": 3},
        ),
        torch.float32,
    ),
    "qwen3": (
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "up_proj"], layers_to_transform=[1], lora_bias=True),
        torch.float32,
    ),
    "phi3": (dict(r=4, lora_alpha=8, target_modules=["qkv_proj", "gate_up_proj"]), torch.bfloat16),
    "roberta": (dict(r=4, lora_alpha=8, target_modules=["query", "value"]), torch.float32),
    "ia3-llama": (None, torch.float32),
    "ia3-opt": (None, torch.float32),
    "ia3-gpt2": (None, torch.float16),
    "ia3-qwen2": (None, torch.float32),
    "ia3-roberta": (None, torch.float32),
    "biases-opt": (dict(r=2, target_modules=["k_proj", "fc1"], bias="all"), torch.float32),
    "biases-qwen2": (dict(r=2, target_modules=["q_proj", "v_proj"], bias="lora_only"), torch.float32),
    "biases-roberta": (dict(r=2, target_modules=["query"], bias="all"), torch.float32),
    "modules-llama": (
        dict(r=2, target_modules=["q_proj"], modules_to_save=["lm_head", "embed_tokens", "k_proj", "input_layernorm"]),
        torch.float32,
    ),
    "modules-gpt2": (
        dict(r=2, target_modules=["c_attn"], modules_to_save=["ln_f", "c_fc"], fan_in_fan_out=True),
        torch.float32,
    ),
    "modules-gemma3": (dict(r=2, target_modules=["q_proj"], modules_to_save=["post_attention_layernorm"]), torch.float32),
    "ia3-modules-opt": (dict(modules_to_save=["lm_head"]), torch.float32),
}


def main(bases, out):
    torch.manual_seed(1)
    for name, (settings, dtype) in CASES.items():
        kind = AutoModelForMaskedLM if name.endswith("roberta") else AutoModelForCausalLM
        base = kind.from_pretrained(bases / name.split("-")[-1], dtype=torch.float32, attn_implementation="eager")
        task = None if name.endswith("roberta") else "CAUSAL_LM"
        if name.startswith("ia3"):
            config = IA3Config(task_type=task, **(settings or {}))
        else:
            config = LoraConfig(task_type=task, **settings)
        model = get_peft_model(base, config)
        for key, value in model.named_parameters():
            if "lora_" in key:
                value.data = (torch.randn_like(value) * 0.2).to(dtype).to(torch.float32)
            elif value.requires_grad:
                value.data = (value.data + torch.randn_like(value) * 0.2).to(dtype).to(torch.float32)
        model.eval()
        with torch.no_grad():
            logits = model(torch.tensor([TOKENS])).logits[0]
        folder = out / name
        stored = {key: value.to(dtype) for key, value in model.state_dict().items()}
        model.save_pretrained(folder, state_dict=stored)
        (folder / "README.md").unlink(missing_ok=True)
        settings_path = folder / "adapter_config.json"
        kept = json.loads(settings_path.read_text())
        kept["base_model_name_or_path"] = "random/" + name.split("-")[-1]
        settings_path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
        values = logits[-3:].flatten().tolist()
        (folder / "logits.f32").write_bytes(struct.pack(f"<{len(values)}f", *values))
        print(name, tuple(logits.shape))


main(Path(sys.argv[1]), Path(sys.argv[2]))
