"""What a forward, and a forward with the gradients of all dense matrices by autograd, cost torch on the processor: a random Llama of a given shape. The
medians of rounds, in ms of processor time and by the clock, as JSON.
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F

from llama_torch import Llama, Multiply


def weights_of(c):
    hidden, wide = c["hidden"], c["feedForward"]
    keys = hidden // c["heads"] * c["keyValueHeads"]
    shapes = {"token_embd": (c["vocabulary"], hidden), "output_norm": (hidden,)}
    for layer in range(c["layers"]):
        own = {
            "attn_norm": (hidden,), "attn_q": (hidden, hidden), "attn_k": (keys, hidden), "attn_v": (keys, hidden),
            "attn_output": (hidden, hidden), "ffn_norm": (hidden,), "ffn_gate": (wide, hidden), "ffn_up": (wide, hidden),
            "ffn_down": (hidden, wide),
        }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in own.items()}
    return {
        f"{name}.weight": torch.ones(shape) if len(shape) == 1
        else (torch.randn(shape) * 0.02).requires_grad_(name != "token_embd")
        for name, shape in shapes.items()
    }


def median_times(run, rounds):
    taken = []
    for _ in range(rounds + 1):
        used, begun = time.process_time(), time.perf_counter()
        run()
        taken.append((time.process_time() - used, time.perf_counter() - begun))
    # The first prepares.
    return {
        name: 1000 * sorted(one[i] for one in taken[1:])[rounds // 2]
        for i, name in enumerate(["processor", "clock"])
    }


def main(o):
    config = json.loads(o.shape)
    weights = weights_of(config)
    model = Llama(config, o.tokens, torch.float32, Multiply(True))
    windows = torch.randint(config["vocabulary"], (o.sequences, o.tokens + 1))
    trained = [w for w in weights.values() if w.requires_grad]

    def loss():
        hidden = model.last_hidden(weights, windows[:, :-1]).flatten(0, 1)
        logits = model.multiply.linear(hidden, weights["token_embd.weight"])
        return F.cross_entropy(logits, windows[:, 1:].reshape(-1))

    def forward():
        with torch.no_grad():
            loss()

    def gradient():
        torch.autograd.grad(loss(), trained)

    print(json.dumps({
        "torch": torch.__version__,
        "forward": median_times(forward, o.rounds),
        "gradient": median_times(gradient, o.rounds),
    }))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", help="of the model, as JSON")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    main(options)
