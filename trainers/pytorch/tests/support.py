"""The engine without a process around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from loam_trainer.contract import EvaluateRequest, TrainRequest, parse_request
from loam_trainer.engine import Engine
from loam_trainer.hardware import hardware_of
from loam_trainer.options import Settings


def engine_of(**settings: Any) -> Engine:
    chosen = Settings(**{"device": "cpu", "dtype": "f32", **settings})
    return Engine(chosen, hardware_of(chosen))


def train_with(engine: Engine, message: dict[str, Any]) -> list[float]:
    """Trains to the end and writes the adapter; returns the losses."""
    request = parse_request(message)
    assert isinstance(request, TrainRequest)
    done = engine.begin(request)
    losses = [engine.step().loss for _ in range(done, request.training.steps)]
    engine.save()
    return losses


def evaluate_with(engine: Engine, request: TrainRequest | EvaluateRequest | dict[str, Any]) -> float:
    """Mean loss of an `evaluate` request."""
    parsed = parse_request(request) if isinstance(request, dict) else request
    assert isinstance(parsed, EvaluateRequest)
    steps = engine.begin_evaluation(parsed)
    sums = [engine.evaluate_step() for _ in range(steps)]
    engine.end_evaluation()
    return sum(one[0] for one in sums) / sum(one[1] for one in sums)


def evaluation(base: Path, batches: Path, **changes: Any) -> dict[str, Any]:
    return {
        "type": "evaluate",
        "id": 99,
        "base": str(base),
        "merged": None,
        "changed": [],
        "adapter": None,
        "batches": str(batches),
    } | changes


def random_weights(base: Any, modules: list[str], seed: int) -> dict[str, torch.Tensor]:
    """Random weights for some modules, [out, in]."""
    from transformers.pytorch_utils import Conv1D

    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name in modules:
        module = base.get_submodule(name)
        shape = tuple(module.weight.shape)
        shape = shape[::-1] if isinstance(module, Conv1D) else shape
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.3
    return weights
