"""FO-SGD, FO-Adam and FO-AdamW over scales in torch, by autograd: are the library's gradients, and what its rules make of them, those of an
implementation that shares no code with it? See README.md beside this file.
"""

import argparse
import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

from llama_torch import Llama, Multiply
from qzo_torch import read_array


def optimiser_of(o, offsets):
    if o.rule == "sgd":
        return torch.optim.SGD(offsets, lr=o.lr)
    if o.rule == "adam":
        return torch.optim.Adam(offsets, lr=o.lr)
    return torch.optim.AdamW(offsets, lr=o.lr, weight_decay=o.weight_decay)


def run(o):
    with open(os.path.join(o.case, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    batches = manifest["batches"][str(o.seed)]
    dtype = torch.float32 if o.onednn else torch.float64
    dense, codes, bases, offsets = {}, {}, {}, {}
    for t in manifest["tensors"]:
        if "dense" in t:
            dense[t["name"]] = read_array(o.case, t["dense"]).to(dtype)
            continue
        base = read_array(o.case, t["scales"]).to(dtype)
        bases[t["name"]] = base
        codes[t["name"]] = read_array(o.case, t["codes"]).to(dtype).view(*base.shape, -1)
        offsets[t["name"]] = torch.zeros_like(base, requires_grad=True)
    train = read_array(o.case, manifest["train"]).long()
    model = Llama(manifest["config"], train.shape[1] - 1, dtype, Multiply(o.onednn))
    rule = optimiser_of(o, list(offsets.values()))

    def weights():
        relative = {name: bases[name] * (1 + w) for name, w in offsets.items()}
        return dense | {name: (codes[name] * s.unsqueeze(-1)).flatten(1) for name, s in relative.items()}

    def loss_of(w, windows):
        """Nats per token; a window's first token is context only."""
        hidden = model.last_hidden(w, windows[:, :-1]).flatten(0, 1)
        head = w["token_embd.weight" if manifest["config"]["tiedHead"] else "output.weight"]
        logits = model.multiply.linear(hidden, head)
        return F.cross_entropy(logits, windows[:, 1:].reshape(-1))

    held = read_array(o.case, manifest["heldOut"]).long() if "heldOut" in manifest else None

    def held_out():
        """Nats per token of the windows that are not trained on."""
        with torch.no_grad():
            w, parts = weights(), held.split(16)
            return round(sum(loss_of(w, part).item() * len(part) for part in parts) / len(held), 5)

    losses, norms, seconds, curve = [], [], [], []
    if held is not None and o.every:
        curve.append([0, held_out()])
    for step in range(o.steps):
        begun = time.process_time()
        loss = loss_of(weights(), train[batches[step]])
        (loss / o.accumulate).backward()
        losses.append(loss.item())
        seconds.append(time.process_time() - begun)
        if (step + 1) % o.accumulate:
            continue
        norms.append(torch.nn.utils.clip_grad_norm_(offsets.values(), o.clip_norm).item())
        rule.step()
        rule.zero_grad()
        with torch.no_grad():
            # No scale beyond zero.
            for w in offsets.values():
                w.clamp_(min=-1)
        for group in rule.param_groups:
            group["lr"] = o.lr * (1 - (step + 1) / o.steps if o.schedule == "linear" else 1)
        if held is not None and o.every and (step + 1) % o.every == 0:
            curve.append([step + 1, held_out()])
        if not math.isfinite(losses[-1]):
            sys.exit(f"Cannot go on from step {step}: the loss is {losses[-1]}")
    print(json.dumps({
        "rule": o.rule, "lr": o.lr, "weightDecay": o.weight_decay, "accumulate": o.accumulate,
        "clipNorm": o.clip_norm if math.isfinite(o.clip_norm) else None, "torch": torch.__version__,
        "schedule": o.schedule, **({"curve": curve} if curve else {}),
        "losses": [round(loss, 7) for loss in losses], "norms": [round(norm, 7) for norm in norms],
        "millisecondsOfProcessor": round(1000 * sorted(seconds)[len(seconds) // 2], 3),
    }))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", help="a folder of export_case.ts or export_first_order.ts")
    parser.add_argument("--rule", choices=["sgd", "adam", "adamw"], default="adam")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01, help="of adamw")
    parser.add_argument("--schedule", choices=["constant", "linear"], default="constant", help="linear: falls to 0")
    parser.add_argument("--every", type=int, default=0, help="steps between two looks at the windows held out; 0: none")
    parser.add_argument("--clip-norm", type=float, default=math.inf)
    parser.add_argument("--accumulate", type=int, default=1, help="steps of one move")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the batches")
    parser.add_argument("--onednn", action="store_true", help="f32 by oneDNN: to measure times. Default: f64")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run(options)
