"""A Llama-architecture model in torch: RMSNorm, half-split RoPE, grouped-query attention, SwiGLU."""

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3,
    "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 1024,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
}


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotate(x, cos, sin):
    """x [batch, heads, time, size]; the pairs are (i, i + size/2), as in Hugging Face files."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Llama(nn.Module):
    """Parameters are a flat dictionary under the names of a Hugging Face checkpoint."""

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        d, f = c["hidden_size"], c["intermediate_size"]
        self.size = d // c["num_attention_heads"]
        kv = c["num_key_value_heads"] * self.size
        shapes = {"model.embed_tokens.weight": (c["vocab_size"], d), "model.norm.weight": (d,)}
        for n in range(c["num_hidden_layers"]):
            shapes |= {
                f"model.layers.{n}.{name}.weight": shape for name, shape in {
                    "input_layernorm": (d,), "post_attention_layernorm": (d,),
                    "self_attn.q_proj": (d, d), "self_attn.k_proj": (kv, d),
                    "self_attn.v_proj": (kv, d), "self_attn.o_proj": (d, d),
                    "mlp.gate_proj": (f, d), "mlp.up_proj": (f, d), "mlp.down_proj": (d, f),
                }.items()
            }
        depth = (2 * c["num_hidden_layers"]) ** -0.5
        self.weights = {}
        for name, shape in shapes.items():
            if len(shape) == 1:
                value = torch.ones(shape)
            else:
                scale = 0.02 if "embed" in name else shape[1] ** -0.5
                scale *= depth if "o_proj" in name or "down_proj" in name else 1
                value = torch.randn(shape) * scale
            self.weights[name] = nn.Parameter(value)
            self.register_parameter(name.replace(".", "_"), self.weights[name])
        powers = torch.arange(0, self.size, 2) / self.size
        angles = torch.outer(torch.arange(c["max_position_embeddings"]), c["rope_theta"] ** -powers)
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, ids, weights=None):
        """ids [batch, time] -> final hidden states [batch, time, hidden], normed."""
        w, c = weights or self.weights, self.config
        batch, time = ids.shape
        group = c["num_attention_heads"] // c["num_key_value_heads"]
        cos, sin = self.cos[:time], self.sin[:time]
        hide = torch.full((time, time), float("-inf")).triu(1)

        def heads(x):
            return x.view(batch, time, -1, self.size).transpose(1, 2)

        x = w["model.embed_tokens.weight"][ids]
        for n in range(c["num_hidden_layers"]):
            layer = f"model.layers.{n}."
            h = rms_norm(x, w[layer + "input_layernorm.weight"], c["rms_norm_eps"])
            q = rotate(heads(h @ w[layer + "self_attn.q_proj.weight"].T), cos, sin)
            k = rotate(heads(h @ w[layer + "self_attn.k_proj.weight"].T), cos, sin)
            v = heads(h @ w[layer + "self_attn.v_proj.weight"].T)
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
            mix = torch.softmax(q @ k.transpose(-1, -2) * self.size ** -0.5 + hide, -1) @ v
            mix = mix.transpose(1, 2).reshape(batch, time, -1)
            x = x + mix @ w[layer + "self_attn.o_proj.weight"].T
            h = rms_norm(x, w[layer + "post_attention_layernorm.weight"], c["rms_norm_eps"])
            gate = F.silu(h @ w[layer + "mlp.gate_proj.weight"].T)
            x = x + (gate * (h @ w[layer + "mlp.up_proj.weight"].T)) @ w[layer + "mlp.down_proj.weight"].T
        return rms_norm(x, w["model.norm.weight"], c["rms_norm_eps"])

    def logits(self, hidden, weights=None):
        return hidden @ (weights or self.weights)["model.embed_tokens.weight"].T
