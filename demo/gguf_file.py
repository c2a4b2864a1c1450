"""Writes a Llama model as GGUF version 3: F16 matrices, F32 norms, the tokenizer embedded."""

import struct

import numpy as np

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NAMES = {  # Hugging Face part -> GGUF part, in the order in which a layer is written
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def entry(key, kind, value, inner=None):
    head = text(key) + struct.pack("<I", kind)
    if kind == ARRAY:
        return head + struct.pack("<IQ", inner, len(value)) + b"".join(field(inner, v) for v in value)
    return head + field(kind, value)


def interleaved(weight, heads):
    """Half-split rows of Q or K -> the neighbouring pairs that llama.cpp rotates for this arch."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write(path, config, weights, tokenizer):
    """weights: name -> numpy array, named as in a Hugging Face checkpoint."""
    c, heads = config, config["num_attention_heads"]
    metadata = [
        entry("general.architecture", STRING, "llama"),
        entry("general.name", STRING, "qzo demo reviews"),
        entry("general.license", STRING, "mit"),
        entry("general.alignment", U32, ALIGNMENT),
        entry("general.file_type", U32, 1),  # mostly F16
        entry("llama.block_count", U32, c["num_hidden_layers"]),
        entry("llama.context_length", U32, c["max_position_embeddings"]),
        entry("llama.embedding_length", U32, c["hidden_size"]),
        entry("llama.feed_forward_length", U32, c["intermediate_size"]),
        entry("llama.attention.head_count", U32, heads),
        entry("llama.attention.head_count_kv", U32, c["num_key_value_heads"]),
        entry("llama.attention.layer_norm_rms_epsilon", F32, c["rms_norm_eps"]),
        entry("llama.rope.freq_base", F32, c["rope_theta"]),
        entry("llama.rope.dimension_count", U32, c["hidden_size"] // heads),
        entry("llama.vocab_size", U32, c["vocab_size"]),
        entry("tokenizer.ggml.model", STRING, "gpt2"),
        entry("tokenizer.ggml.pre", STRING, "gpt-2"),
        entry("tokenizer.ggml.tokens", ARRAY, tokenizer.tokens, STRING),
        entry("tokenizer.ggml.token_type", ARRAY, [3] + [1] * (len(tokenizer.tokens) - 1), I32),
        entry("tokenizer.ggml.merges", ARRAY, [f"{a} {b}" for a, b in tokenizer.merges], STRING),
        entry("tokenizer.ggml.bos_token_id", U32, 0),
        entry("tokenizer.ggml.eos_token_id", U32, 0),
        entry("tokenizer.ggml.add_bos_token", BOOL, True),
        entry("tokenizer.ggml.add_eos_token", BOOL, False),
    ]
    tensors = [("token_embd.weight", weights["model.embed_tokens.weight"])]
    for n in range(c["num_hidden_layers"]):
        for theirs, ours in NAMES.items():
            weight = weights[f"model.layers.{n}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                weight = interleaved(weight, heads if ours == "attn_q" else c["num_key_value_heads"])
            tensors.append((f"blk.{n}.{ours}.weight", weight))
    tensors.append(("output_norm.weight", weights["model.norm.weight"]))

    def padded(data):
        return data + b"\0" * (-len(data) % ALIGNMENT)

    infos, blobs, offset = [], [], 0
    for name, weight in tensors:
        half = weight.ndim == 2
        blob = padded(np.ascontiguousarray(weight, "<f2" if half else "<f4").tobytes())
        shape = struct.pack(f"<I{weight.ndim}Q", weight.ndim, *reversed(weight.shape))
        infos.append(text(name) + shape + struct.pack("<IQ", 1 if half else 0, offset))
        blobs.append(blob)
        offset += len(blob)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    with open(path, "wb") as file:
        file.write(padded(header + b"".join(metadata) + b"".join(infos)) + b"".join(blobs))
