"""One run of the same LoRA step in PyTorch, in a process of its own: torch_process.py FOLDER THREADS WARM_UP STEPS

Frozen base weights, batched heads, the library's fused functions where it has them, gradients of the LoRA factors only,
clipping by the global norm, Adam. Prints one line of JSON.
"""

import json
import math
import os
import re
import sys
import time

import numpy
import torch
from torch.nn import functional


def peak_memory_mb():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


def load(folder):
    with open(os.path.join(folder, "problem.json")) as file:
        problem = json.load(file)
    data = numpy.fromfile(os.path.join(folder, "tensors.bin"), dtype="<f4")
    tensors = {}
    for entry in problem["tensors"]:
        start = entry["offset"] // 4
        count = math.prod(entry["shape"])
        tensors[entry["name"]] = torch.from_numpy(data[start : start + count]).view(entry["shape"])
    return problem, tensors


def rms_norm(x, weight, epsilon):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon))


def rotary_tables(length, size, theta):
    frequency = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency[None, :]
    angle = torch.cat([angle, angle], -1)
    return angle.cos().float(), angle.sin().float()


def rotate(x, cos, sin):
    """x [batch, heads, length, size], as Hugging Face's Llama does it."""
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * cos + turned * sin


class Model:
    def __init__(self, problem, tensors):
        self.c = problem["config"]
        self.w = tensors
        self.scale = problem["alpha"] / problem["rank"]
        self.lora = {p["module"]: (tensors[p["A"]], tensors[p["B"]]) for p in problem["lora"]}
        self.trained = [t for pair in self.lora.values() for t in pair]
        for tensor in self.trained:
            tensor.requires_grad_(True)
        length = problem["sequenceLength"]
        self.cos, self.sin = rotary_tables(length, self.c["headSize"], self.c["ropeTheta"])
        self.mask = torch.full((length, length), -math.inf).triu(1)

    def linear(self, x, module):
        y = functional.linear(x, self.w[module + ".weight"])
        if module in self.lora:
            a, b = self.lora[module]
            y = y + functional.linear(functional.linear(x, a), b) * self.scale
        return y

    def heads(self, x, count):
        batch, length = x.shape[:2]
        return x.view(batch, length, count, self.c["headSize"]).transpose(1, 2)

    def attention(self, x, name):
        c = self.c
        batch, length, _ = x.shape
        q = rotate(self.heads(self.linear(x, name + ".q_proj"), c["heads"]), self.cos, self.sin)
        k = rotate(self.heads(self.linear(x, name + ".k_proj"), c["keyValueHeads"]), self.cos, self.sin)
        v = self.heads(self.linear(x, name + ".v_proj"), c["keyValueHeads"])
        group = c["heads"] // c["keyValueHeads"]
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(c["headSize"]) + self.mask
        y = torch.matmul(scores.softmax(-1), v)
        return self.linear(y.transpose(1, 2).reshape(batch, length, -1), name + ".o_proj")

    def loss(self, ids, targets):
        c, w = self.c, self.w
        x = functional.embedding(ids, w["model.embed_tokens.weight"])
        for i in range(c["layers"]):
            p = f"model.layers.{i}"
            x = x + self.attention(rms_norm(x, w[p + ".input_layernorm.weight"], c["normEpsilon"]), p + ".self_attn")
            n = rms_norm(x, w[p + ".post_attention_layernorm.weight"], c["normEpsilon"])
            gate = functional.silu(self.linear(n, p + ".mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(n, p + ".mlp.up_proj"), p + ".mlp.down_proj")
        x = rms_norm(x, w["model.norm.weight"], c["normEpsilon"])
        head = w["model.embed_tokens.weight" if c["tiedHead"] else "lm_head.weight"]
        logits = functional.linear(x.view(-1, x.shape[-1]), head)
        return functional.cross_entropy(logits, targets.view(-1))


def main():
    folder, threads, warm_up, measured = sys.argv[1], *map(int, sys.argv[2:5])
    torch.set_num_threads(threads)
    problem, tensors = load(folder)
    model = Model(problem, tensors)
    shape = (problem["batchSize"], problem["sequenceLength"])
    ids = torch.tensor(problem["inputIds"]).view(shape)
    targets = torch.tensor(problem["targetIds"]).view(shape)
    optimizer = torch.optim.Adam(model.trained, lr=problem["learningRate"])
    losses, step_ms = [], []
    for step in range(warm_up + measured):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.trained, problem["clipNorm"])
        optimizer.step()
        losses.append(loss.item())
        if step >= warm_up:
            step_ms.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"losses": losses, "stepMs": step_ms, "rssMB": peak_memory_mb()}))


if __name__ == "__main__":
    main()
