"""Training as defined by the contract, compared with a plain PyTorch implementation of the definition."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from conftest import GPT2_MODULES, RequestMaker, factors_in, largest_difference, make_batches
from loam_trainer.schedule import learning_rate_at
from support import engine_of, train_with


def by_definition(message: dict[str, Any]) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses and factors of a request, without PEFT, AdamW or the package's own mathematics."""
    settings, rank = message["training"], message["rank"]
    scale = message["alpha"] / (math.sqrt(rank) if message["rsLora"] else rank)
    model = AutoModelForCausalLM.from_pretrained(message["base"], dtype=torch.float32).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(message["seed"])
    factors: dict[str, torch.Tensor] = {}
    for name in message["modules"]:
        module = model.get_submodule(name)
        is_turned = isinstance(module, Conv1D)
        inner, outer = module.weight.shape if is_turned else module.weight.shape[::-1]
        bound = 1 / math.sqrt(inner)
        a = ((torch.rand(rank, inner, generator=generator) * 2 - 1) * bound).requires_grad_()
        b = torch.zeros(outer, rank, requires_grad=True)
        factors[f"{name}.lora_A"], factors[f"{name}.lora_B"] = a, b
        module.register_forward_hook(lambda _m, x, y, a=a, b=b: y + (x[0] @ a.T @ b.T) * scale)
    batches = load_file(message["batches"])
    first = {name: torch.zeros_like(factor) for name, factor in factors.items()}
    second = {name: torch.zeros_like(factor) for name, factor in factors.items()}
    losses = []
    for step in range(settings["steps"]):
        total, weight = torch.zeros(()), batches["target_weights"][step].sum()
        for row in range(batches["input_ids"].shape[1]):
            ids, targets = batches["input_ids"][step, row].long(), batches["target_ids"][step, row].long()
            counted, segments = batches["target_weights"][step, row], batches["segments"][step, row]
            # Each document is processed separately, which is the definition of isolation.
            for segment in segments.unique():
                own = segments == segment
                logits = model(ids[own][None]).logits[0]
                total = total + (F.cross_entropy(logits, targets[own], reduction="none") * counted[own]).sum()
        loss = total / weight
        gradients = torch.autograd.grad(loss, list(factors.values()))
        norm = math.sqrt(sum(float((gradient.double() ** 2).sum()) for gradient in gradients))
        clipped = min(1.0, settings["clipNorm"] / norm)
        rate = learning_rate_at(settings["learningRate"], settings["warmupSteps"], step, settings["steps"])
        with torch.no_grad():
            for (name, factor), raw in zip(factors.items(), gradients, strict=True):
                gradient = raw * clipped
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.999 * second[name] + 0.001 * gradient**2
                mean, square = first[name] / (1 - 0.9 ** (step + 1)), second[name] / (1 - 0.999 ** (step + 1))
                factor.mul_(1 - rate * settings["weightDecay"]).sub_(rate * mean / (square.sqrt() + 1e-8))
        losses.append(float(loss))
    found = {f"base_model.model.{name}.weight": factor.detach() for name, factor in factors.items()}
    return losses, found


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("rs_lora", [False, True])
def test_llama_follows_the_definition(train_request: RequestMaker, attention: str, rs_lora: bool) -> None:
    message = train_request(rsLora=rs_lora)
    losses = train_with(engine_of(attention=attention), message)
    expected, factors = by_definition(message)
    assert losses == pytest.approx(expected, abs=1e-4)
    assert largest_difference(factors_in(message["output"]), factors) < 1e-3
    assert losses[-1] < losses[0]


def test_gpt2_follows_the_definition(train_request: RequestMaker, gpt2: Path) -> None:
    # Its configuration has its own dropout, which the contract disables.
    message = train_request(base=gpt2, modules=GPT2_MODULES)
    losses = train_with(engine_of(), message)
    expected, factors = by_definition(message)
    assert losses == pytest.approx(expected, abs=1e-4)
    assert largest_difference(factors_in(message["output"]), factors) < 1e-3


def test_the_schedule_is_loams() -> None:
    rates = [learning_rate_at(1.0, 2, step, 6) for step in range(6)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5 + 0.5 * math.cos(math.pi / 4), 0.5, 0.5 - math.sqrt(0.125)])


@pytest.mark.parametrize("rows", [1, 3])
def test_micro_batches_give_the_same_adapter(train_request: RequestMaker, rows: int) -> None:
    whole, parts = train_request(), train_request()
    parts["batches"] = whole["batches"]
    assert train_with(engine_of(), whole) == pytest.approx(train_with(engine_of(micro_batch=rows), parts), abs=1e-5)
    assert largest_difference(factors_in(whole["output"]), factors_in(parts["output"])) < 1e-4


def test_gradient_checkpointing_gives_the_same_adapter(train_request: RequestMaker) -> None:
    whole, less = train_request(), train_request()
    less["batches"] = whole["batches"]
    train_with(engine_of(), whole)
    train_with(engine_of(gradient_checkpointing=True), less)
    assert largest_difference(factors_in(whole["output"]), factors_in(less["output"])) < 1e-5


def test_factors_stay_float32_on_a_bf16_base(train_request: RequestMaker) -> None:
    exact, coarse = train_request(), train_request()
    coarse["batches"] = exact["batches"]
    engine = engine_of(dtype="bf16")
    losses = train_with(engine, coarse)
    assert engine._base.model.dtype == torch.bfloat16
    assert {factor.dtype for factor in factors_in(coarse["output"]).values()} == {torch.float32}
    assert losses == pytest.approx(train_with(engine_of(), exact), abs=0.1)
    assert losses[-1] < losses[0]


def test_equal_requests_give_equal_bits_and_another_seed_does_not(train_request: RequestMaker) -> None:
    engine = engine_of()
    first, second = train_request(dropout=0.2), train_request(dropout=0.2)
    other = train_request(dropout=0.2, seed=8)
    second["batches"] = other["batches"] = first["batches"]
    for message in (first, second, other):
        train_with(engine, message)
    assert largest_difference(factors_in(first["output"]), factors_in(second["output"])) == 0
    assert largest_difference(factors_in(first["output"]), factors_in(other["output"])) > 0.01


def test_dropout_changes_the_training(train_request: RequestMaker) -> None:
    without, dropped = train_request(), train_request(dropout=0.5)
    dropped["batches"] = without["batches"]
    train_with(engine_of(), without)
    train_with(engine_of(), dropped)
    assert largest_difference(factors_in(without["output"]), factors_in(dropped["output"])) > 0.001


def test_a_step_without_targets_changes_only_by_decay(train_request: RequestMaker, tmp_path: Path) -> None:
    batches = make_batches(tmp_path / "none.safetensors", steps=1)
    tensors = load_file(batches)
    tensors["target_weights"].zero_()
    from safetensors.torch import save_file

    save_file(tensors, batches)
    message = train_request(batches=batches, steps=1, warmupSteps=0, weightDecay=0)
    assert train_with(engine_of(), message) == [0.0]
    found = factors_in(message["output"])
    assert all(float(found[name].abs().max()) == 0 for name in found if "lora_B" in name)
