"""Reference loss and gradients of tiny GPT-2 models, computed by PyTorch: an opinion independent of Loam's own engine.

Run with a Python that has PyTorch (1.13 or later; no transformers needed):

    /usr/bin/python3 checks/vectors/gpt2-vectors.py test/unit/model/vectors/gpt2.json

The cases are those of llama-vectors.py. Weights and their gradients are in the checkpoint's layout: linear weights
[in, out] (Conv1D). LoRA factors are PEFT's: A [rank, in], B [out, rank].
"""

import math

import torch

from vector_case import make_case, write_cases


def config(**changes):
    base = {
        "model_type": "gpt2",
        "vocab_size": 19,
        "n_embd": 8,
        "n_layer": 2,
        "n_head": 2,
        "n_positions": 7,
        "n_inner": None,
        "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new",
    }
    return {**base, **changes}


CASES = {
    "tied": (config(), ["c_attn"]),
    "untied, every module adapted": (
        config(n_layer=1, n_inner=12, n_positions=5, tie_word_embeddings=False),
        ["c_attn", "c_proj", "c_fc"],
    ),
}


def shapes(c):
    d = c["n_embd"]
    f = c["n_inner"] or 4 * d
    out = {"transformer.wte.weight": (c["vocab_size"], d), "transformer.wpe.weight": (c["n_positions"], d)}
    for i in range(c["n_layer"]):
        p = f"transformer.h.{i}."
        for name, rows, cols in [
            ("attn.c_attn", d, 3 * d),
            ("attn.c_proj", d, d),
            ("mlp.c_fc", d, f),
            ("mlp.c_proj", f, d),
        ]:
            out[f"{p}{name}.weight"], out[f"{p}{name}.bias"] = (rows, cols), (cols,)
        for norm in ["ln_1", "ln_2"]:
            out[f"{p}{norm}.weight"] = out[f"{p}{norm}.bias"] = (d,)
    out["transformer.ln_f.weight"] = out["transformer.ln_f.bias"] = (d,)
    if not c.get("tie_word_embeddings", True):
        out["lm_head.weight"] = (c["vocab_size"], d)
    return out


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))


def target_log_probabilities(c, w, lora, scale, ids, targets):
    batch, length = ids.shape
    d, heads = c["n_embd"], c["n_head"]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)

    def conv1d(x, module):
        y = x @ w[module + ".weight"] + w[module + ".bias"]
        if module in lora:
            a, b = lora[module]
            y = y + scale * (x @ a.T) @ b.T
        return y

    def norm(x, name):
        return torch.nn.functional.layer_norm(
            x, (d,), w[name + ".weight"], w[name + ".bias"], c["layer_norm_epsilon"]
        )

    x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:length]
    for i in range(c["n_layer"]):
        p = f"transformer.h.{i}."
        parts = conv1d(norm(x, p + "ln_1"), p + "attn.c_attn").split(d, -1)
        q, k, v = (part.view(batch, length, heads, d // heads).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
        y = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        x = x + conv1d(y.transpose(1, 2).reshape(batch, length, d), p + "attn.c_proj")
        x = x + conv1d(gelu_new(conv1d(norm(x, p + "ln_2"), p + "mlp.c_fc")), p + "mlp.c_proj")
    head = w["transformer.wte.weight" if c.get("tie_word_embeddings", True) else "lm_head.weight"]
    return (norm(x, "transformer.ln_f") @ head.T).log_softmax(-1).gather(-1, targets[..., None])[..., 0]


def main():
    generator = torch.Generator().manual_seed(20241123)
    write_cases(
        [
            make_case(
                name,
                c,
                shapes(c),
                lambda key: ".ln_" in key and key.endswith(".weight"),
                lambda weight: weight.shape[::-1],
                target_log_probabilities,
                targets,
                generator,
            )
            for name, (c, targets) in CASES.items()
        ]
    )


if __name__ == "__main__":
    main()
