"""A Llama model with a PEFT adapter in PyTorch, apart from Loam: reads both folders by itself.

Usage: pytorch.py MODEL IDS.json [ADAPTER]; prints a JSON list, the log-probability of every token but the first.
As PEFT does it, the adapter stays beside its linear layer: y = W x + (alpha / r) B (A x), with rank_pattern and
alpha_pattern, and alpha / sqrt(r) for rsLoRA.
"""

import json
import math
import re
import sys

import numpy as np
import torch

DTYPES = {"F32": np.float32, "F16": np.float16}


def read_safetensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "BF16":
            halves = np.frombuffer(data[begin:end], np.uint16).astype(np.uint32) << 16
            array = halves.view(np.float32)
        else:
            array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).astype(np.float32)
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors


def matching(pattern, module, default):
    for key, value in (pattern or {}).items():
        if re.fullmatch(r"(.*\.)?" + key, module):
            return value
    return default


def read_adapter(folder):
    with open(f"{folder}/adapter_config.json") as file:
        config = json.load(file)
    assert config["peft_type"] == "LORA" and not config["fan_in_fan_out"] and config["bias"] == "none"
    tensors = read_safetensors(f"{folder}/adapter_model.safetensors")
    adapter = {}
    for name in tensors:
        if not name.endswith(".lora_A.weight"):
            continue
        module = name[len("base_model.model."): -len(".lora_A.weight")]
        assert module in config["target_modules"]
        a, b = tensors[name], tensors[name.replace("lora_A", "lora_B")]
        rank = matching(config["rank_pattern"], module, config["r"])
        alpha = matching(config["alpha_pattern"], module, config["lora_alpha"])
        assert a.shape[0] == rank and b.shape[1] == rank
        adapter[module] = (a, b, alpha / (math.sqrt(rank) if config["use_rslora"] else rank))
    assert 2 * len(adapter) == len(tensors)
    return adapter


def norm(x, weight, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def rotate(x, cosine, sine):
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cosine + turned * sine


def log_probabilities(folder, ids, adapter):
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    weights = read_safetensors(f"{folder}/model.safetensors")
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    epsilon, length = config["rms_norm_eps"], len(ids)

    def linear(module, x):
        y = x @ weights[f"{module}.weight"].T
        if f"{module}.bias" in weights:
            y = y + weights[f"{module}.bias"]
        if module in adapter:
            a, b, scale = adapter[module]
            y = y + ((x @ a.T) @ b.T) * scale
        return y

    frequencies = config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    angles = torch.cat((angles, angles), dim=-1)
    cosine, sine = angles.cos(), angles.sin()
    mask = torch.full((length, length), float("-inf")).triu(1)
    x = weights["model.embed_tokens.weight"][torch.tensor(ids)]
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        h = norm(x, weights[f"{name}.input_layernorm.weight"], epsilon)
        q, k, v = (linear(f"{name}.self_attn.{part}_proj", h).view(length, -1, size).transpose(0, 1) for part in "qkv")
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        k, v = (part.repeat_interleave(heads // groups, dim=0) for part in (k, v))
        scores = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(size) + mask, dim=-1)
        attended = (scores @ v).transpose(0, 1).reshape(length, -1)
        x = x + linear(f"{name}.self_attn.o_proj", attended)
        h = norm(x, weights[f"{name}.post_attention_layernorm.weight"], epsilon)
        gate = torch.nn.functional.silu(linear(f"{name}.mlp.gate_proj", h))
        x = x + linear(f"{name}.mlp.down_proj", gate * linear(f"{name}.mlp.up_proj", h))
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    logits = norm(x, weights["model.norm.weight"], epsilon) @ head.T
    found = torch.log_softmax(logits, dim=-1)
    return [found[position, ids[position + 1]].item() for position in range(length - 1)]


def main():
    torch.set_num_threads(1)
    with open(sys.argv[2]) as file:
        ids = json.load(file)
    adapter = read_adapter(sys.argv[3]) if len(sys.argv) > 3 else {}
    with torch.no_grad():
        print(json.dumps(log_probabilities(sys.argv[1], ids, adapter)))


main()
