"""Reference loss and gradients of tiny Llama models, computed by PyTorch: an opinion independent of Loam's own engine.

Run with a Python that has PyTorch (1.13 or later; no transformers needed):

    /usr/bin/python3 scripts/vectors/llama-vectors.py test/unit/model/vectors/llama.json

Each case holds a Hugging Face config, all weights, LoRA factors, one batch, and in float64, rounded to float32: the
loss and every gradient, once with all weights trained (no LoRA) and once with LoRA on frozen weights, and the
log-probability of every target.
"""

import base64
import json
import math
import sys

import numpy
import torch

BATCH, LENGTH = 2, 5


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
}


def shapes(c):
    d, f, hd = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv = c["num_attention_heads"] * hd, c["num_key_value_heads"] * hd
    out = {"model.embed_tokens.weight": (c["vocab_size"], d)}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        for name, rows, cols in [("q", q, d), ("k", kv, d), ("v", kv, d), ("o", d, q)]:
            out[f"{p}self_attn.{name}_proj.weight"] = (rows, cols)
            if c["attention_bias"]:
                out[f"{p}self_attn.{name}_proj.bias"] = (rows,)
        for name, rows, cols in [("gate", f, d), ("up", f, d), ("down", d, f)]:
            out[f"{p}mlp.{name}_proj.weight"] = (rows, cols)
        out[p + "input_layernorm.weight"] = (d,)
        out[p + "post_attention_layernorm.weight"] = (d,)
    out["model.norm.weight"] = (d,)
    if not c["tie_word_embeddings"]:
        out["lm_head.weight"] = (c["vocab_size"], d)
    return out


def rms_norm(x, weight, epsilon):
    return weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon)


def rotate(x, theta):
    """x [batch, heads, length, head_dim]; the first half of a head is rotated against the second."""
    length, size = x.shape[-2:]
    frequency = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency[None, :]
    cos, sin = angle.cos(), angle.sin()
    u, v = x[..., : size // 2], x[..., size // 2 :]
    return torch.cat([u * cos - v * sin, v * cos + u * sin], -1)


def target_log_probabilities(c, w, lora, scale, ids, targets):
    batch, length = ids.shape
    heads, kv_heads, hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]

    def linear(x, module):
        y = x @ w[module + ".weight"].T
        if module + ".bias" in w:
            y = y + w[module + ".bias"]
        if module in lora:
            a, b = lora[module]
            y = y + scale * (x @ a.T) @ b.T
        return y

    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        n = rms_norm(x, w[p + "input_layernorm.weight"], c["rms_norm_eps"])
        q = linear(n, p + "self_attn.q_proj").view(batch, length, heads, hd).transpose(1, 2)
        k = linear(n, p + "self_attn.k_proj").view(batch, length, kv_heads, hd).transpose(1, 2)
        v = linear(n, p + "self_attn.v_proj").view(batch, length, kv_heads, hd).transpose(1, 2)
        q, k = rotate(q, c["rope_theta"]), rotate(k, c["rope_theta"])
        k = k.repeat_interleave(heads // kv_heads, 1)
        v = v.repeat_interleave(heads // kv_heads, 1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(hd)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        y = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        x = x + linear(y.transpose(1, 2).reshape(batch, length, heads * hd), p + "self_attn.o_proj")
        n = rms_norm(x, w[p + "post_attention_layernorm.weight"], c["rms_norm_eps"])
        gate = torch.nn.functional.silu(linear(n, p + "mlp.gate_proj"))
        x = x + linear(gate * linear(n, p + "mlp.up_proj"), p + "mlp.down_proj")
    x = rms_norm(x, w["model.norm.weight"], c["rms_norm_eps"])
    head = w["model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"]
    return (x @ head.T).log_softmax(-1).gather(-1, targets[..., None])[..., 0]


def floats(tensor):
    """Little-endian float32 in base64, with the shape."""
    data = numpy.ascontiguousarray(tensor.detach().numpy(), dtype="<f4").tobytes()
    return {"shape": list(tensor.shape), "float32": base64.b64encode(data).decode()}


def weighted_loss(log_probabilities, weights):
    return -(log_probabilities * weights).sum() / weights.sum()


def make_case(name, c, targets, generator):
    def random(shape, deviation):
        # Rounded to float32 first, so that both sides start from the same numbers.
        return (torch.randn(shape, generator=generator) * deviation).double()

    w = {}
    for key, shape in shapes(c).items():
        is_norm = key.endswith("norm.weight")
        w[key] = random(shape, 0.1 if len(shape) == 1 else 0.4).add(1.0 if is_norm else 0.0).float().double()
    rank, alpha = 3, 5.0
    modules = sorted(k[: -len(".weight")] for k in w if k[: -len(".weight")].split(".")[-1] in targets)
    factors = {
        m: (random((rank, w[m + ".weight"].shape[1]), 0.3), random((w[m + ".weight"].shape[0], rank), 0.3))
        for m in modules
    }
    ids = torch.randint(c["vocab_size"], (BATCH, LENGTH), generator=generator)
    ids[0, 3] = ids[0, 0]  # a token that comes twice: its embedding's gradient is a sum
    wanted = torch.randint(c["vocab_size"], (BATCH, LENGTH), generator=generator)
    wanted[1, 0] = wanted[1, 2]
    weights = torch.tensor([[1, 1, 0, 1, 1], [1, 0.5, 1, 0, 1]], dtype=torch.float64)

    def run(trained, lora):
        for tensor in trained.values():
            tensor.requires_grad_(True)
        log_probabilities = target_log_probabilities(c, w, lora, alpha / rank, ids, wanted)
        loss = weighted_loss(log_probabilities, weights)
        gradients = torch.autograd.grad(loss, list(trained.values()))
        for tensor in trained.values():
            tensor.requires_grad_(False)
        return {
            "loss": loss.item(),
            "logProbabilities": floats(log_probabilities),
            "gradients": {key: floats(g) for key, g in zip(trained, gradients)},
        }

    lora_tensors = {}
    for m, (a, b) in factors.items():
        lora_tensors[m + ".lora_A.weight"], lora_tensors[m + ".lora_B.weight"] = a, b
    return {
        "name": name,
        "config": c,
        "rank": rank,
        "alpha": alpha,
        "targetModules": targets,
        "weights": {key: floats(value) for key, value in w.items()},
        "lora": {key: floats(value) for key, value in lora_tensors.items()},
        "batch": {
            "batchSize": BATCH,
            "sequenceLength": LENGTH,
            "inputIds": ids.flatten().tolist(),
            "targetIds": wanted.flatten().tolist(),
            "targetWeights": weights.flatten().tolist(),
        },
        "full": run(w, {}),
        "adapted": run(lora_tensors, factors),
    }


def main():
    generator = torch.Generator().manual_seed(20240917)
    cases = [make_case(name, c, targets, generator) for name, (c, targets) in CASES.items()]
    with open(sys.argv[1], "w") as file:
        json.dump({"torch": torch.__version__, "cases": cases}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
