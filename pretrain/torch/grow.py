"""
Widens a Llama without changing what it computes (HyperCloning, Samragh et al. 2024, arXiv 2409.12903).

Every hidden vector h becomes `copies` copies of h, as do heads and SwiGLU units, so that norms see the same mean
square; a linear weight becomes a grid of blocks W / copies. Noise that sums to zero along each row of blocks changes no
output as long as the copies are equal, but gives each copy a different gradient, so that they diverge.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file


def grown_config(smaller, copies):
    """The smaller model's config.json with widths and heads multiplied by `copies`."""
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
    """`[out, in]` to `[copies x out, copies x in]`; the noise has the magnitude of the block it is added to."""
    rows, columns = weight.shape
    noise = torch.randn(copies, rows, copies, columns, generator=random) * weight.std()
    noise -= noise.mean(dim=2, keepdim=True)
    return ((weight[None, :, None, :] + noise) / copies).reshape(copies * rows, copies * columns)


def grow(folder, copies, seed):
    """Config and state dict of a Hugging Face folder's model, widened by the factor `copies`."""
    config = json.loads((Path(folder) / "config.json").read_text())
    weights = {name: weight.float() for name, weight in load_file(Path(folder) / "model.safetensors").items()}
    return grown_config(config, copies), grown_weights(weights, copies, seed)
