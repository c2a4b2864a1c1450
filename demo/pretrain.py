"""Pretrains the demo's model on generated reviews and writes model.gguf, tokenizer.json, pretrain.log.

Usage: python3 demo/pretrain.py [--steps 1200] [--threads 1] [--out DIRECTORY] [--checkpoint DIRECTORY]
Needs torch (Debian: python3-torch) and numpy. The seed is fixed; another torch or thread count
changes the order of sums, hence the last digits.
"""

import argparse
import json
import math
import os
import struct
import time

import torch
import torch.nn.functional as F

import bpe
import corpus
import gguf_file
from llama import CONFIG, Llama

SEED, WINDOW, BATCH, PEAK, WARM_UP = 20261122, 64, 16, 3e-3, 50


def windows(stream, starts):
    """Rows of WINDOW + 1 ids, each from the first token of a review."""
    return torch.stack([stream[s : s + WINDOW + 1] for s in starts.tolist()])


def encode_all(tokenizer, texts):
    ids, starts = [], []
    for text in texts:
        starts.append(len(ids))
        ids += [0, *tokenizer.encode(text)]
    starts = [s for s in starts if s + WINDOW < len(ids)]
    return torch.tensor(ids), torch.tensor(starts)


def loss_of(model, rows):
    logits = model.logits(model(rows[:, :-1]))
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def write_safetensors(folder, weights, tokenizer):
    """A Hugging Face folder, for checks against other loaders; not part of the repository."""
    os.makedirs(folder, exist_ok=True)
    head, blobs, at = {}, [], 0
    for name, w in weights.items():
        blob = w.astype("<f2").tobytes()
        head[name] = {"dtype": "F16", "shape": list(w.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    extra = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
             "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
             "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "float16"}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(CONFIG | extra, file, indent=1)
    with open(os.path.join(folder, "tokenizer.json"), "w") as file:
        json.dump(tokenizer.to_json(), file, ensure_ascii=False)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", default=here)
    parser.add_argument("--checkpoint", help="also write a Hugging Face folder here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    log = open(os.path.join(options.out, "pretrain.log"), "w")

    def say(line):
        print(line, flush=True)
        log.write(line + "\n")

    texts, held_out = corpus.pretraining()
    tokenizer = bpe.train(texts, CONFIG["vocab_size"])
    for word in (" great", " terrible"):
        assert len(tokenizer.encode(word)) == 1, f"{word!r} must be one token"
    stream, starts = encode_all(tokenizer, texts)
    checks = windows(*encode_all(tokenizer, held_out))
    model = Llama(CONFIG)
    say(f"seed {SEED}, torch {torch.__version__}, {options.threads} thread(s)")
    say(f"{sum(p.numel() for p in model.parameters())} parameters, vocabulary {len(tokenizer.tokens)}, "
        f"{len(texts)} reviews, {len(stream)} tokens")
    decayed = [p for p in model.parameters() if p.ndim == 2]
    norms = [p for p in model.parameters() if p.ndim == 1]
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05},
                              {"params": norms, "weight_decay": 0.0}], betas=(0.9, 0.98))
    begun, mean = time.time(), None
    for step in range(options.steps):
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / options.steps)
        for group in adam.param_groups:
            group["lr"] = PEAK * min(1, (step + 1) / WARM_UP) * (0.02 + 0.98 * cosine)
        loss = loss_of(model, windows(stream, starts[torch.randint(len(starts), (BATCH,))]))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 100 == 99 or step + 1 == options.steps:
            with torch.no_grad():
                held = loss_of(model, checks).item()
            say(f"step {step + 1} loss {mean:.4f} held-out {held:.4f} seconds {time.time() - begun:.0f}")
    weights = {name: p.detach().numpy() for name, p in model.weights.items()}
    path = os.path.join(options.out, "model.gguf")
    gguf_file.write(path, CONFIG, weights, tokenizer)
    say(f"wrote model.gguf, {os.path.getsize(path)} bytes")
    with open(os.path.join(options.out, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(tokenizer.to_json(), file, ensure_ascii=False)
        file.write("\n")
    if options.checkpoint:
        write_safetensors(options.checkpoint, weights, tokenizer)
    log.close()


if __name__ == "__main__":
    main()
