"""A Llama forward and its loss in torch, written from the architecture and not from the library's kernels.

Two ways to multiply: torch's own, and oneDNN's, which torch has but does not use for plain f32 tensors. Debian's torch
multiplies through the reference BLAS, at 2 to 3 GFLOP/s; oneDNN reaches 50 on the same core. `--plain` of qzo_torch.py takes
torch's own in f64, to hold the two together.
"""

import torch
import torch.nn.functional as F


class Multiply:
    """Matrix products."""

    def __init__(self, onednn):
        if onednn and not torch.backends.mkldnn.is_available():
            raise RuntimeError("Cannot multiply with oneDNN: this torch was built without it")
        self.onednn = onednn

    def linear(self, x, w):
        """x [..., in], w [out, in] -> [..., out]"""
        return FastLinear.apply(x, w) if self.onednn else x @ w.T

    def grouped(self, a, b):
        """a [n, i, k], b [n, k, j] -> [n, i, j]"""
        return FastGrouped.apply(a, b) if self.onednn else a @ b


def fast_linear(x, w):
    return F.linear(x.contiguous().to_mkldnn(), w.contiguous().to_mkldnn()).to_dense()


def fast_grouped(a, b):
    """As a 1x1 convolution with a group for each of the n products."""
    (n, i, k), j = a.shape, b.shape[-1]
    y = torch.mkldnn_convolution(
        b.reshape(1, n * k, 1, j), a.reshape(n * i, k, 1, 1), None, [0, 0], [1, 1], [1, 1], n
    )
    return y.view(n, i, j)


class FastLinear(torch.autograd.Function):
    """oneDNN's product: torch cannot differentiate it where a gradient comes in as a plain tensor."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return fast_linear(x, w)

    @staticmethod
    def backward(ctx, slope):
        x, w = ctx.saved_tensors
        rows = slope.flatten(0, -2)
        by_x = fast_linear(slope, w.T) if ctx.needs_input_grad[0] else None
        by_w = fast_linear(rows.T, x.flatten(0, -2).T) if ctx.needs_input_grad[1] else None
        return by_x, by_w


class FastGrouped(torch.autograd.Function):
    """The same of many products."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return fast_grouped(a, b)

    @staticmethod
    def backward(ctx, slope):
        a, b = ctx.saved_tensors
        return fast_grouped(slope, b.transpose(1, 2)), fast_grouped(a.transpose(1, 2), slope)


class Llama:
    """`config` as in the manifest; weights are a dictionary by GGUF name, given to each call."""

    def __init__(self, config, length, dtype, multiply):
        if config.get("ropeScaling"):
            raise ValueError(f"Cannot run {config}: scaled rotary positions are not written here")
        self.config, self.multiply = config, multiply
        self.size = config["headDimension"]
        pair = torch.arange(0, self.size, 2, dtype=torch.float64) / self.size
        angle = torch.outer(torch.arange(length, dtype=torch.float64), config["ropeTheta"] ** -pair)
        # [length, 1, pairs]: the same for all heads.
        self.cos, self.sin = (f(angle).to(dtype).unsqueeze(1) for f in (torch.cos, torch.sin))
        self.hidden_future = torch.full((length, length), float("-inf"), dtype=dtype).triu(1)

    def normed(self, x, gain):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.config["rmsEpsilon"]) * gain

    def rotated(self, x):
        """x [batch, time, heads, size]; a pair is half a head apart, or side by side where interleaved."""
        time = x.shape[1]
        cos, sin = self.cos[:time], self.sin[:time]
        if self.config["ropeInterleaved"]:
            a, b = x[..., 0::2], x[..., 1::2]
            return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def attended(self, q, k, v):
        """q [batch, time, heads, size], k and v of fewer heads -> [batch, time, heads * size]"""
        batch, time, heads, size = q.shape
        shared = heads // k.shape[2]
        q = q.transpose(1, 2).reshape(-1, time, size)
        k, v = (x.transpose(1, 2).repeat_interleave(shared, 1).reshape(-1, time, size) for x in (k, v))
        scores = self.multiply.grouped(q * size**-0.5, k.transpose(1, 2))
        mix = torch.softmax(scores + self.hidden_future[:time, :time], -1)
        out = self.multiply.grouped(mix, v)
        return out.view(batch, heads, time, size).transpose(1, 2).reshape(batch, time, -1)

    def last_hidden(self, w, ids):
        """ids [batch, time] -> [batch, time, hidden], normed"""
        linear = self.multiply.linear

        def heads(x):
            return x.view(*ids.shape, -1, self.size)

        x = w["token_embd.weight"][ids]
        for layer in range(self.config["layers"]):
            def of(name):
                return w[f"blk.{layer}.{name}.weight"]

            h = self.normed(x, of("attn_norm"))
            q, k, v = (heads(linear(h, of(f"attn_{name}"))) for name in "qkv")
            x = x + linear(self.attended(self.rotated(q), self.rotated(k), v), of("attn_output"))
            h = self.normed(x, of("ffn_norm"))
            gate = F.silu(linear(h, of("ffn_gate"))) * linear(h, of("ffn_up"))
            x = x + linear(gate, of("ffn_down"))
        return self.normed(x, w["output_norm.weight"])

    def loss(self, w, windows):
        """Nats per token; a window's first token is context only."""
        hidden = self.last_hidden(w, windows[:, :-1]).flatten(0, 1)
        head = w["token_embd.weight" if self.config["tiedHead"] else "output.weight"]
        logits = self.multiply.linear(hidden, head)
        targets = windows[:, 1:].reshape(-1)
        # Not cross_entropy: that writes a log-probability for every word of the vocabulary.
        wanted = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
        top = logits.amax(1)
        mass = logits.sub_(top.unsqueeze(1)).exp_().sum(1)
        return (top + mass.log() - wanted).double().mean().item()
