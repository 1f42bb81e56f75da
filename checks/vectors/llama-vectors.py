"""Reference loss and gradients of tiny models of the Llama family, computed by PyTorch: an opinion independent of
Loam's own engine.

Run with a Python that has PyTorch (1.13 or later; no transformers needed):

    /usr/bin/python3 checks/vectors/llama-vectors.py test/unit/model/vectors/llama.json

Each case holds a Hugging Face config, all weights, LoRA factors, one batch, and in float64, rounded to float32: the
loss and every gradient, once with all weights trained (no LoRA) and once with LoRA on frozen weights, and the
log-probability of every target.
"""

import math

import torch

from vector_case import make_case, write_cases


def config(**changes):
    base = {
        "model_type": "llama",
        "vocab_size": 19,
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "max_position_embeddings": 16,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": False,
    }
    return {**base, **changes}


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

CASES = {
    "tied, grouped queries": (config(), ["q_proj", "v_proj"]),
    "untied, every module adapted": (
        config(tie_word_embeddings=False, num_key_value_heads=1, rope_theta=500.0),
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    ),
    "biases, one key head a query head": (
        config(attention_bias=True, num_key_value_heads=4, head_dim=2, tie_word_embeddings=False),
        ["k_proj", "o_proj", "up_proj"],
    ),
    "Llama 3 RoPE: a frequency kept, one interpolated, two stretched; head_dim apart from hidden / heads": (
        config(num_hidden_layers=1, num_attention_heads=2, head_dim=8, rope_theta=100.0, rope_scaling=LLAMA3),
        ["q_proj", "k_proj"],
    ),
    "linear RoPE, biases in the feed-forward": (
        config(num_hidden_layers=1, rope_scaling={"type": "linear", "factor": 4.0}, mlp_bias=True),
        ["q_proj", "down_proj"],
    ),
    "Mistral with a window of 3": (
        config(model_type="mistral", num_hidden_layers=1, sliding_window=3, rope_theta=10.0),
        ["q_proj", "v_proj"],
    ),
    "Qwen2": (
        config(model_type="qwen2", num_hidden_layers=1, sliding_window=2, use_sliding_window=False),
        ["q_proj", "v_proj", "gate_proj"],
    ),
    "Qwen3": (
        config(model_type="qwen3", num_hidden_layers=1, num_attention_heads=2, head_dim=6, rope_theta=50.0),
        ["q_proj", "k_proj", "v_proj"],
    ),
}


def query_key_value_bias(c):
    return c["attention_bias"] or c["model_type"] == "qwen2"


def shapes(c):
    d, f, hd = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv = c["num_attention_heads"] * hd, c["num_key_value_heads"] * hd
    out = {"model.embed_tokens.weight": (c["vocab_size"], d)}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        for name, rows, cols in [("q", q, d), ("k", kv, d), ("v", kv, d), ("o", d, q)]:
            out[f"{p}self_attn.{name}_proj.weight"] = (rows, cols)
            if c["attention_bias"] or (query_key_value_bias(c) and name != "o"):
                out[f"{p}self_attn.{name}_proj.bias"] = (rows,)
        if c["model_type"] == "qwen3":
            out[p + "self_attn.q_norm.weight"] = out[p + "self_attn.k_norm.weight"] = (hd,)
        for name, rows, cols in [("gate", f, d), ("up", f, d), ("down", d, f)]:
            out[f"{p}mlp.{name}_proj.weight"] = (rows, cols)
            if c.get("mlp_bias"):
                out[f"{p}mlp.{name}_proj.bias"] = (rows,)
        out[p + "input_layernorm.weight"] = (d,)
        out[p + "post_attention_layernorm.weight"] = (d,)
    out["model.norm.weight"] = (d,)
    if not c["tie_word_embeddings"]:
        out["lm_head.weight"] = (c["vocab_size"], d)
    return out


def rms_norm(x, weight, epsilon):
    return weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)


def frequencies(c):
    size = c["head_dim"]
    plain = c["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    scaling = c.get("rope_scaling")
    if scaling is None:
        return plain
    if scaling.get("type") == "linear":
        return plain / scaling["factor"]
    old, low, high = (scaling[k] for k in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    out = []
    for frequency in plain.tolist():
        wavelength = 2 * math.pi / frequency
        if wavelength > old / low:
            out.append(frequency / scaling["factor"])
        elif wavelength < old / high:
            out.append(frequency)
        else:
            smooth = (old / wavelength - low) / (high - low)
            out.append((1 - smooth) * frequency / scaling["factor"] + smooth * frequency)
    return torch.tensor(out, dtype=torch.float64)


def rotate(x, frequency):
    """x [batch, heads, length, head_dim]; the first half of a head is rotated against the second."""
    length, size = x.shape[-2:]
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency[None, :]
    cos, sin = angle.cos(), angle.sin()
    u, v = x[..., : size // 2], x[..., size // 2 :]
    return torch.cat([u * cos - v * sin, v * cos + u * sin], -1)


def target_log_probabilities(c, w, lora, scale, ids, targets):
    batch, length = ids.shape
    heads, kv_heads, hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    frequency = frequencies(c)
    position = torch.arange(length)
    distance = position[:, None] - position[None, :]
    hidden_from = distance < 0
    if c["model_type"] == "mistral":
        hidden_from = hidden_from | (distance >= c["sliding_window"])

    def linear(x, module):
        y = x @ w[module + ".weight"].T
        if module + ".bias" in w:
            y = y + w[module + ".bias"]
        if module in lora:
            a, b = lora[module]
            y = y + scale * (x @ a.T) @ b.T
        return y

    def heads_of(n, module, count):
        y = linear(n, module + "_proj").view(batch, length, count, hd)
        if module + "_norm.weight" in w:
            y = rms_norm(y, w[module + "_norm.weight"], c["rms_norm_eps"])
        return y.transpose(1, 2)

    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        n = rms_norm(x, w[p + "input_layernorm.weight"], c["rms_norm_eps"])
        q = rotate(heads_of(n, p + "self_attn.q", heads), frequency)
        k = rotate(heads_of(n, p + "self_attn.k", kv_heads), frequency)
        v = heads_of(n, p + "self_attn.v", kv_heads)
        k = k.repeat_interleave(heads // kv_heads, 1)
        v = v.repeat_interleave(heads // kv_heads, 1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(hd)
        y = scores.masked_fill(hidden_from, -math.inf).softmax(-1) @ v
        x = x + linear(y.transpose(1, 2).reshape(batch, length, heads * hd), p + "self_attn.o_proj")
        n = rms_norm(x, w[p + "post_attention_layernorm.weight"], c["rms_norm_eps"])
        gate = torch.nn.functional.silu(linear(n, p + "mlp.gate_proj"))
        x = x + linear(gate * linear(n, p + "mlp.up_proj"), p + "mlp.down_proj")
    x = rms_norm(x, w["model.norm.weight"], c["rms_norm_eps"])
    head = w["model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"]
    return (x @ head.T).log_softmax(-1).gather(-1, targets[..., None])[..., 0]


def main():
    generator = torch.Generator().manual_seed(20240917)
    write_cases(
        [
            make_case(
                name,
                c,
                shapes(c),
                lambda key: key.endswith("norm.weight"),
                lambda weight: weight.shape,
                target_log_probabilities,
                targets,
                generator,
            )
            for name, (c, targets) in CASES.items()
        ]
    )


if __name__ == "__main__":
    main()
