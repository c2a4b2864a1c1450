"""QZO on the demo's task, simulated in torch: what gain to expect, and which settings reach it.

Projections are rounded to Q4_0-like blocks (symmetric, 32 weights, 4 bits). Each block's scale is
base * (1 + w); w starts at 0 and alone is tuned, from two losses a step and no gradient. Embedding
and norms stay as they are. Only a guide: the library draws its noise elsewhere and runs on a GPU.

Usage: python3 demo/simulate.py CHECKPOINT [--seeds 3] [--steps 800] [--lr 1e-2] ...
CHECKPOINT is a folder written by pretrain.py --checkpoint.
"""

import argparse
import json
import os
import struct
import time

import numpy as np
import torch

import bpe
import corpus
from llama import CONFIG, Llama

GROUP = 32


def read_checkpoint(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head, data = json.loads(file.read(size)), file.read()
    weights = {}
    for name, info in head.items():
        begin, end = info["data_offsets"]
        half = np.frombuffer(data[begin:end], "<f2").reshape(info["shape"])
        weights[name] = torch.tensor(half.astype(np.float32))
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        merges = json.load(file)["model"]["merges"]
    return weights, bpe.Tokenizer([tuple(m.split(" ")) for m in merges])


def rounded(weight):
    """Q4_0: the block's largest weight maps to -8. Returns the dequantised blocks [rows, blocks, 32]."""
    blocks = weight.view(weight.shape[0], -1, GROUP)
    at = blocks.abs().argmax(-1, keepdim=True)
    scale = (blocks.gather(-1, at) / -8).half().float()
    inverse = torch.where(scale == 0, scale, 1 / scale)
    return (blocks * inverse + 8.5).floor().clamp(0, 15).sub(8) * scale


class Task:
    def __init__(self, tokenizer, rows):
        prompts = [[0, *tokenizer.encode(row["sentence"] + " It was")] for row in rows]
        self.last = torch.tensor([len(p) - 1 for p in prompts])
        self.ids = torch.zeros(len(prompts), int(self.last.max()) + 1, dtype=torch.long)
        for n, p in enumerate(prompts):
            self.ids[n, : len(p)] = torch.tensor(p)
        self.labels = torch.tensor([row["label"] for row in rows])
        self.words = torch.tensor([tokenizer.encode(w)[0] for w in (" terrible", " great")])

    def scores(self, model, weights, pick):
        """Log-probabilities over the two candidates [rows, 2]."""
        last = self.last[pick]
        hidden = model(self.ids[pick, : int(last.max()) + 1], weights)[torch.arange(len(last)), last]
        return torch.log_softmax(model.logits(hidden, weights)[:, self.words], -1)

    def loss(self, model, weights, pick):
        scores = self.scores(model, weights, pick)
        return -scores[torch.arange(len(pick)), self.labels[pick]].mean().item()

    def accuracy(self, model, weights):
        right, loss = 0, 0.0
        for pick in torch.arange(len(self.labels)).split(125):
            scores = self.scores(model, weights, pick)
            right += (scores.argmax(-1) == self.labels[pick]).sum().item()
            loss -= scores[torch.arange(len(pick)), self.labels[pick]].sum().item()
        return right / len(self.labels), loss / len(self.labels)


def tune(model, weights, train, test, seed, o):
    draw = torch.Generator().manual_seed(seed)
    blocks = {n: rounded(w) for n, w in weights.items() if "proj" in n}
    offsets = {n: torch.zeros(b.shape[:2]) for n, b in blocks.items()}

    def scaled(shift):
        return weights | {
            n: (b * (1 + offsets[n] + shift(n)).unsqueeze(-1)).flatten(1) for n, b in blocks.items()
        }

    def noise(shape):
        if o.noise == "rademacher":
            return torch.randint(0, 2, shape, generator=draw) * 2.0 - 1
        return (torch.randint(0, 2, (16, *shape), generator=draw).sum(0) - 8) / 2

    print(f"seed {seed}: 16-bit {test.accuracy(model, weights)}, 4-bit {test.accuracy(model, scaled(lambda n: 0))}")
    begun, mean_square, order = time.time(), 0.0, torch.tensor([], dtype=torch.long)
    seen = 0.0
    for step in range(o.steps):
        if len(order) < o.batch:
            order = torch.randperm(len(train.labels), generator=draw)
        pick, order = order[: o.batch], order[o.batch :]
        z = {n: noise(w.shape) for n, w in offsets.items()}
        plus = train.loss(model, scaled(lambda n: o.epsilon * z[n]), pick)
        minus = train.loss(model, scaled(lambda n: -o.epsilon * z[n]), pick)
        slope = (plus - minus) / (2 * o.epsilon)
        seen += slope**2
        if o.rule == "normalised":
            mean_square = 0.99 * mean_square + 0.01 * slope**2
            slope /= (mean_square / (1 - 0.99 ** (step + 1))) ** 0.5 + 1e-12
        slope = max(-o.clip, min(o.clip, slope))
        warm = min(1, (step + 1) / 20)
        left = 1 - step / o.steps if o.schedule == "linear" else 1
        for n, w in offsets.items():
            w -= o.lr * warm * left * slope * z[n]
        if (step + 1) % o.every == 0 or step + 1 == o.steps:
            accuracy, loss = test.accuracy(model, scaled(lambda n: 0))
            spread = (sum(w.square().sum() for w in offsets.values())
                      / sum(w.numel() for w in offsets.values())) ** 0.5
            print(f"  step {step + 1}: accuracy {accuracy:.3f} loss {loss:.4f} "
                  f"rms offset {spread:.3f} rms slope {(seen / (step + 1)) ** 0.5:.2f} seconds {time.time() - begun:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--epsilon", type=float, default=0.02)
    parser.add_argument("--clip", type=float, default=3.0)
    parser.add_argument("--rule", choices=["normalised", "plain"], default="normalised")
    parser.add_argument("--noise", choices=["normal", "rademacher"], default="normal")
    parser.add_argument("--schedule", choices=["constant", "linear"], default="constant")
    o = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    weights, tokenizer = read_checkpoint(o.checkpoint)
    train, test = (Task(tokenizer, rows) for rows in corpus.labelled())
    print(vars(o))
    for seed in o.seeds:
        tune(Llama(CONFIG), weights, train, test, seed, o)


if __name__ == "__main__":
    main()
