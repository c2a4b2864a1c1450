"""QZO and MeZO in torch, sharing no code, no noise and no arithmetic with the library: is a loss curve what the method
gives, or what our kernels make of it? See README.md beside this file.

Source: QZO, arXiv 2505.13430; MeZO, arXiv 2305.17333, algorithm 1.
"""

import argparse
import json
import math
import os
import sys
import time

import numpy as np
import torch

from llama_torch import Llama, Multiply

# As the library's optimisers of these names default to.
DEFAULTS = {
    "qzo": {"form": "absolute", "epsilon": 1e-3, "lr": 1e-7, "clip": 100.0},
    "qzo normalised": {"form": "relative", "epsilon": 0.02, "lr": 8e-3, "clip": 3.0},
    "mezo": {"form": "absolute", "epsilon": 1e-3, "lr": 1e-6, "clip": math.inf},
    # Nobody's published rule: its learning rate has no default.
    "mezo normalised": {"form": "absolute", "epsilon": 1e-3, "clip": 3.0},
}


def read_array(folder, stored):
    types = {"i8": "<i1", "i32": "<i4", "f32": "<f4"}
    values = np.fromfile(os.path.join(folder, stored["file"]), types[stored["type"]])
    return torch.from_numpy(values.reshape(stored["shape"]))


class Scales:
    """QZO: weight = code * scale, scale = base + w or base * (1 + w), and w alone moves."""

    def __init__(self, folder, tensors, form, dtype):
        self.relative = form == "relative"
        self.codes, self.base, self.offset = {}, {}, {}
        for t in tensors:
            scales = read_array(folder, t["scales"]).to(dtype)
            rows, groups = scales.shape
            name = t["name"]
            self.codes[name] = read_array(folder, t["codes"]).to(dtype).view(rows, groups, -1)
            self.base[name] = scales
            self.offset[name] = torch.zeros_like(scales)

    def shapes(self):
        return {name: w.shape for name, w in self.offset.items()}

    def weights(self, z, amplitude):
        """At w + amplitude * z, or at w."""
        out = {}
        for name, w in self.offset.items():
            w = w + amplitude * z[name] if amplitude else w
            base = self.base[name]
            scale = base * (1 + w) if self.relative else base + w
            out[name] = (self.codes[name] * scale.unsqueeze(-1)).flatten(1)
        return out

    def move(self, z, coefficient):
        for name, w in self.offset.items():
            w.add_(z[name], alpha=coefficient)
            if self.relative:
                w.clamp_(min=-1)
                continue
            # No scale beyond zero: the paper's max(scale, 0), and its mirror image for negative ones.
            base = self.base[name]
            w.copy_(torch.where(base < 0, torch.minimum(w, -base), torch.maximum(w, -base)))

    def moved(self):
        """Root mean square of the offsets."""
        total = sum(w.double().square().sum().item() for w in self.offset.values())
        return math.sqrt(total / sum(w.numel() for w in self.offset.values()))


class Weights:
    """MeZO: the same matrices, dequantised or as they were before, each element a parameter."""

    def __init__(self, folder, tensors, base, dtype):
        quantised = Scales(folder, tensors, "absolute", dtype).weights(None, 0)
        self.now = {
            t["name"]: read_array(folder, t["original"]).to(dtype) if base == "original"
            else quantised[t["name"]] for t in tensors
        }
        self.start = {name: w.clone() for name, w in self.now.items()}

    def shapes(self):
        return {name: w.shape for name, w in self.now.items()}

    def weights(self, z, amplitude):
        if not amplitude:
            return self.now
        return {name: torch.add(w, z[name], alpha=amplitude) for name, w in self.now.items()}

    def move(self, z, coefficient):
        for name, w in self.now.items():
            w.add_(z[name], alpha=coefficient)

    def moved(self):
        total = sum((w - self.start[n]).double().square().sum().item() for n, w in self.now.items())
        return math.sqrt(total / sum(w.numel() for w in self.now.values()))


class Rule:
    """From the two losses of a step to what multiplies z."""

    def __init__(self, o):
        self.o, self.moment, self.largest, self.squares = o, 0.0, 0.0, 0.0

    def rate(self, step):
        """Warm-up whose last step is at the peak; linear: then straight down to 0 at step `steps`."""
        o = self.o
        if step < o.warmup:
            return o.lr * (step + 1) / o.warmup
        if o.schedule == "constant":
            return o.lr
        return o.lr * (1 - (step - o.warmup) / (o.steps - o.warmup))

    def coefficient(self, step, plus, minus):
        o = self.o
        d = (plus - minus) / (2 * o.epsilon)
        self.largest = max(self.largest, abs(d))
        self.squares += d * d
        if o.normalised:
            self.moment = o.decay * self.moment + (1 - o.decay) * d * d
            d /= max(math.sqrt(self.moment / (1 - o.decay ** (step + 1))), 1e-8)
        return -self.rate(step) * max(-o.clip, min(o.clip, d))


def noise_of(o, manifest):
    """What draws the next tensor's direction, step by step: this script's own noise, or with --given-noise the library's."""
    if not o.given_noise:
        generator = torch.Generator().manual_seed(o.seed if o.noise is None else o.noise)
        return lambda shape: torch.randn(shape, generator=generator)
    if "noise" not in manifest:
        sys.exit(f"Cannot take the library's noise: {o.case} was exported without --noise")
    stored, at = read_array(o.case, manifest["noise"][o.method][str(o.seed)]), [0]

    def draw(shape):
        first, at[0] = at[0], at[0] + shape.numel()
        return stored[first:at[0]].view(shape).float() / 2

    return draw


def run(o):
    with open(os.path.join(o.case, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    if str(o.seed) not in manifest["batches"]:
        sys.exit(f"Cannot run seed {o.seed}: {o.case} has batches of seeds {', '.join(manifest['batches'])}")
    batches = manifest["batches"][str(o.seed)]
    stop = o.steps if o.stop is None else min(o.stop, o.steps)
    if stop > len(batches):
        sys.exit(f"Cannot run {stop} steps: {o.case} has batches of {len(batches)}")
    dtype = torch.float64 if o.plain else torch.float32
    quantised = [t for t in manifest["tensors"] if "codes" in t]
    dense = {t["name"]: read_array(o.case, t["dense"]).to(dtype) for t in manifest["tensors"] if "dense" in t}
    train, held_out = (read_array(o.case, manifest[key]).long() for key in ("train", "heldOut"))
    model = Llama(manifest["config"], train.shape[1] - 1, dtype, Multiply(not o.plain))
    tuned = (
        Scales(o.case, quantised, o.form, dtype) if o.method == "qzo"
        else Weights(o.case, quantised, o.base, dtype)
    )
    draw = noise_of(o, manifest)
    rule = Rule(o)

    def held_out_loss():
        w = dense | tuned.weights(None, 0)
        parts = held_out.split(o.evaluation_batch)
        return sum(model.loss(w, part) * len(part) for part in parts) / len(held_out)

    def note(step, loss):
        curve.append([step, loss])
        print(f"step {step:4d}  held out {loss:.4f}  {seconds:6.1f} s", file=sys.stderr, flush=True)

    curve, losses, derivatives, seconds = [], [], [], 0.0
    note(0, held_out_loss())
    for step in range(stop):
        begun = time.perf_counter()
        windows = train[batches[step]]
        z = {name: draw(shape).to(dtype) for name, shape in tuned.shapes().items()}
        plus = model.loss(dense | tuned.weights(z, o.epsilon), windows)
        minus = model.loss(dense | tuned.weights(z, -o.epsilon), windows)
        if not (math.isfinite(plus) and math.isfinite(minus)):
            sys.exit(f"Cannot go on from step {step}: the losses are {plus} and {minus}")
        tuned.move(z, rule.coefficient(step, plus, minus))
        losses.append((plus + minus) / 2)
        derivatives.append((plus - minus) / (2 * o.epsilon))
        seconds += time.perf_counter() - begun
        if (step + 1) % o.every == 0 or step + 1 == stop:
            note(step + 1, held_out_loss())
    print(json.dumps({
        "case": manifest["case"], "model": manifest["model"], "format": manifest["format"],
        "method": o.method, **({"form": o.form} if o.method == "qzo" else {"base": o.base}),
        "normalised": o.normalised, "epsilon": o.epsilon, "lr": o.lr, "schedule": o.schedule,
        "warmup": o.warmup, "clip": o.clip if math.isfinite(o.clip) else None, "seed": o.seed,
        "steps": stop, "forwards": 2 * stop, "lossBefore": curve[0][1], "lossAfter": curve[-1][1],
        "curve": [[step, round(loss, 5)] for step, loss in curve],
        "derivativeRms": math.sqrt(rule.squares / max(1, stop)), "derivativeLargest": rule.largest,
        "derivatives": derivatives[:16], "firstTrainingLosses": [round(x, 5) for x in losses[:8]], "movedRms": tuned.moved(),
        "secondsPerStep": round(seconds / max(1, stop), 4), "heldOut": len(held_out),
    }), flush=True)


def arguments(argv):
    p = argparse.ArgumentParser(
        description="QZO or MeZO on a folder written by export_case.ts. Progress on stderr, one JSON line on stdout."
    )
    p.add_argument("case", help="the folder")
    p.add_argument("--method", choices=["qzo", "mezo"], default="qzo")
    p.add_argument("--form", choices=["absolute", "relative"], help="qzo's offsets (relative when normalised, else absolute)")
    p.add_argument("--base", choices=["quantised", "original"], default="quantised", help="mezo's weights at the start")
    p.add_argument("--normalised", action="store_true", help="divide the derivative by its running root mean square")
    p.add_argument("--given-noise", action="store_true", help="the library's noise, from export_case.ts --noise")
    p.add_argument("--decay", type=float, default=0.99, help="of that mean square")
    p.add_argument("--clip", type=float, help="of the derivative, after normalising; inf for none")
    p.add_argument("--epsilon", type=float)
    p.add_argument("--lr", type=float, help="peak")
    p.add_argument("--schedule", choices=["constant", "linear"], default="linear")
    p.add_argument("--warmup", type=int, help="steps (10 with linear, 0 with constant)")
    p.add_argument("--steps", type=int, default=320)
    p.add_argument("--stop", type=int, help="end after so many of the steps, for a check")
    p.add_argument("--every", type=int, default=80, help="steps between held-out losses")
    p.add_argument("--seed", type=int, default=0, help="of the noise, and whose batches")
    p.add_argument("--noise", type=int, help="seed of the noise, where it is another than that of the batches")
    p.add_argument("--threads", type=int, default=1, help="1 is the fastest beside other work")
    p.add_argument("--evaluation-batch", type=int, default=8)
    p.add_argument("--plain", action="store_true", help="f64 and torch's own products, slowly")
    o = p.parse_args(argv)
    if o.steps < 1 or o.every < 1:
        p.error(f"--steps is {o.steps}, --every is {o.every}: each must be at least 1")
    if o.method == "mezo" and o.form == "relative":
        p.error("mezo has no relative form")
    for name, value in DEFAULTS[o.method + (" normalised" if o.normalised else "")].items():
        if getattr(o, name) is None:
            setattr(o, name, value)
    if o.lr is None:
        p.error("mezo with a normalised derivative needs --lr")
    if o.warmup is None:
        o.warmup = min(10, o.steps) if o.schedule == "linear" else 0
    return o


if __name__ == "__main__":
    options = arguments(sys.argv[1:])
    torch.set_num_threads(options.threads)
    with torch.no_grad():
        run(options)
