"""
Makes a wider Llama of a smaller one that computes the same (HyperCloning, Samragh et al. 2024, arXiv 2409.12903).

Every hidden vector h becomes `copies` copies of h, heads and SwiGLU units likewise, so that norms see the same mean
square; a linear weight becomes a grid of blocks W / copies. Noise that sums to zero along each row of blocks changes no
output as long as the copies are equal, but gives every copy another gradient, by which they part.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file


def grown_config(smaller, copies):
    """The smaller model's config.json, its widths and heads times `copies`."""
    wider = ["hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"]
    return {**smaller, **{name: smaller[name] * copies for name in wider}, "torch_dtype": "bfloat16"}


def grown_weights(weights, copies, seed):
    """The wider model's state dict; `weights` are the smaller one's, in float32."""
    random = torch.Generator().manual_seed(seed)
    grown = {}
    for name, weight in sorted(weights.items()):
        if name == "model.norm.weight":
            # The tied head sums over all copies.
            grown[name] = weight.repeat(copies) / copies
        elif weight.dim() == 1:
            grown[name] = weight.repeat(copies)
        elif name == "model.embed_tokens.weight":
            grown[name] = weight.repeat(1, copies)
        else:
            grown[name] = grown_linear(weight, copies, random)
    return grown


def grown_linear(weight, copies, random):
    """`[out, in]` to `[copies x out, copies x in]`; the noise is as large as the block that it is added to."""
    rows, columns = weight.shape
    noise = torch.randn(copies, rows, copies, columns, generator=random) * weight.std()
    noise -= noise.mean(dim=2, keepdim=True)
    return ((weight[None, :, None, :] + noise) / copies).reshape(copies * rows, copies * columns)


def grow(folder, copies, seed):
    """Config and state dict of the model in a Hugging Face folder, `copies` times as wide."""
    config = json.loads((Path(folder) / "config.json").read_text())
    weights = {name: weight.float() for name, weight in load_file(Path(folder) / "model.safetensors").items()}
    return grown_config(config, copies), grown_weights(weights, copies, seed)
