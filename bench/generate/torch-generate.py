"""Greedy generation in PyTorch with a cache of keys and values: torch-generate.py FOLDER THREADS PROMPT_LENGTH TOKENS

The model of bench/train without its LoRA. Prints one line of JSON.
"""

import json
import math
import os
import sys
import time

import torch
from torch.nn import functional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))
from torch_process import load, peak_memory_mb, rms_norm, rotary_tables, rotate  # noqa: E402


class Decoder:
    def __init__(self, problem, tensors, capacity):
        self.c, self.w = problem["config"], tensors
        c = self.c
        self.cos, self.sin = rotary_tables(capacity, c["headSize"], c["ropeTheta"])
        self.mask = torch.full((capacity, capacity), -math.inf).triu(1)
        shape = (1, c["keyValueHeads"], capacity, c["headSize"])
        # One block for the whole text, so that a token more copies nothing.
        self.keys = [torch.empty(shape) for _ in range(c["layers"])]
        self.values = [torch.empty(shape) for _ in range(c["layers"])]
        self.length = 0

    def attention(self, x, i):
        c, p = self.c, f"model.layers.{i}.self_attn"
        count = x.shape[0]
        start, end = self.length, self.length + count

        def heads(name, number):
            y = functional.linear(x, self.w[f"{p}.{name}.weight"])
            return y.view(1, count, number, c["headSize"]).transpose(1, 2)

        cos, sin = self.cos[start:end], self.sin[start:end]
        q = rotate(heads("q_proj", c["heads"]), cos, sin)
        self.keys[i][:, :, start:end] = rotate(heads("k_proj", c["keyValueHeads"]), cos, sin)
        self.values[i][:, :, start:end] = heads("v_proj", c["keyValueHeads"])
        k, v = self.keys[i][:, :, :end], self.values[i][:, :, :end]
        group = c["heads"] // c["keyValueHeads"]
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(c["headSize"])
        if count > 1:
            scores = scores + self.mask[start:end, :end]
        y = scores.softmax(-1) @ v
        return functional.linear(y.transpose(1, 2).reshape(count, -1), self.w[f"{p}.o_proj.weight"])

    def append(self, ids):
        """Logits of the token after `ids`."""
        c, w = self.c, self.w
        x = functional.embedding(torch.tensor(ids), w["model.embed_tokens.weight"])
        for i in range(c["layers"]):
            p = f"model.layers.{i}"
            x = x + self.attention(rms_norm(x, w[p + ".input_layernorm.weight"], c["normEpsilon"]), i)
            n = rms_norm(x, w[p + ".post_attention_layernorm.weight"], c["normEpsilon"])
            gate = functional.silu(functional.linear(n, w[p + ".mlp.gate_proj.weight"]))
            up = functional.linear(n, w[p + ".mlp.up_proj.weight"])
            x = x + functional.linear(gate * up, w[p + ".mlp.down_proj.weight"])
        self.length += len(ids)
        last = rms_norm(x[-1], w["model.norm.weight"], c["normEpsilon"])
        head = w["model.embed_tokens.weight" if c["tiedHead"] else "lm_head.weight"]
        return functional.linear(last, head)


def generate(problem, tensors, prompt, tokens):
    decoder = Decoder(problem, tensors, len(prompt) + tokens)
    made, following = [], prompt
    start = time.perf_counter()
    for index in range(tokens):
        made.append(int(decoder.append(following).argmax()))
        following = made[-1:]
        if index == 0:
            first = time.perf_counter()
    return made, first - start, time.perf_counter() - first


def main():
    folder, threads, prompt_length, tokens = sys.argv[1], *map(int, sys.argv[2:5])
    torch.set_num_threads(threads)
    problem, tensors = load(folder)
    prompt = problem["inputIds"][:prompt_length]
    with torch.no_grad():
        generate(problem, tensors, prompt, tokens)
        made, prompt_s, rest_s = generate(problem, tensors, prompt, tokens)
    print(
        json.dumps(
            {
                "ids": made,
                "promptMs": prompt_s * 1e3,
                "tokensPerSecond": (tokens - 1) / rest_s,
                "rssMB": peak_memory_mb(),
            }
        )
    )


if __name__ == "__main__":
    main()
