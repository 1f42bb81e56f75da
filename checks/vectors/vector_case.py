"""What the reference models share: random weights and LoRA factors, one batch, loss and gradients in float64."""

import base64
import json
import sys

import numpy
import torch

BATCH, LENGTH = 2, 5


def floats(tensor):
    """Little-endian float32 in base64, with the shape."""
    data = numpy.ascontiguousarray(tensor.detach().numpy(), dtype="<f4").tobytes()
    return {"shape": list(tensor.shape), "float32": base64.b64encode(data).decode()}


def weighted_loss(log_probabilities, weights):
    return -(log_probabilities * weights).sum() / weights.sum()


def make_case(name, c, shapes, is_norm, features, forward, targets, generator):
    """One case.

    shapes: of every weight, in the layout of the checkpoint
    features: module's weight to (out, in)
    forward: (config, weights, lora factors, lora scale, ids, targets) to the targets' log-probabilities
    """

    def random(shape, deviation):
        # Rounded to float32 first, so that both sides start from the same numbers.
        return (torch.randn(shape, generator=generator) * deviation).double()

    w = {}
    for key, shape in shapes.items():
        w[key] = random(shape, 0.1 if len(shape) == 1 else 0.4).add(1.0 if is_norm(key) else 0.0).float().double()
    rank, alpha = 3, 5.0
    modules = sorted(k[: -len(".weight")] for k in w if k[: -len(".weight")].split(".")[-1] in targets)
    factors = {}
    for m in modules:
        out_features, in_features = features(w[m + ".weight"])
        factors[m] = (random((rank, in_features), 0.3), random((out_features, rank), 0.3))
    ids = torch.randint(c["vocab_size"], (BATCH, LENGTH), generator=generator)
    ids[0, 3] = ids[0, 0]  # a token that comes twice: its embedding's gradient is a sum
    wanted = torch.randint(c["vocab_size"], (BATCH, LENGTH), generator=generator)
    wanted[1, 0] = wanted[1, 2]
    weights = torch.tensor([[1, 1, 0, 1, 1], [1, 0.5, 1, 0, 1]], dtype=torch.float64)

    def run(trained, lora):
        for tensor in trained.values():
            tensor.requires_grad_(True)
        log_probabilities = forward(c, w, lora, alpha / rank, ids, wanted)
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


def write_cases(cases):
    with open(sys.argv[1], "w") as file:
        json.dump({"torch": torch.__version__, "cases": cases}, file, indent=1)
        file.write("\n")
