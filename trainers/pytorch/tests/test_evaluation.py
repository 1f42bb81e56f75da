"""Held-out losses, alone and during a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from conftest import LLAMA_MODULES, RequestMaker, factors_in, largest_difference, make_batches
from loam_trainer.contract import TrainRequest, parse_request
from support import engine_of, evaluate_with, evaluation, train_with
from test_base import merged_file


def test_losses_of_weights_and_adapters(llama: Path, train_request: RequestMaker, tmp_path: Path) -> None:
    batches = make_batches(tmp_path / "b.safetensors", 2, packed=False)
    message = train_request(steps=12, warmupSteps=0)
    engine = engine_of()
    train_with(engine, message)
    read = load_file(batches)
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(read["input_ids"].flatten(0, 1).long()).logits
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), read["target_ids"].flatten().long(), reduction="none"
    )
    expected = float((losses * read["target_weights"].flatten()).sum() / read["target_weights"].sum())
    assert evaluate_with(engine, evaluation(llama, batches)) == pytest.approx(expected, abs=1e-5)
    # On its training data, the adapter is better than the base.
    own = Path(message["batches"])
    adapted = evaluate_with(engine, evaluation(llama, own, adapter=message["output"]))
    assert adapted < evaluate_with(engine, evaluation(llama, own)) - 0.01


def test_an_evaluation_in_a_training_leaves_it_as_it_was(
    llama: Path, train_request: RequestMaker, tmp_path: Path
) -> None:
    batches = make_batches(tmp_path / "held.safetensors", 2, seed=11)
    first, _ = merged_file(llama, LLAMA_MODULES, 1, tmp_path / "first.safetensors")
    second, _ = merged_file(llama, LLAMA_MODULES[:2], 2, tmp_path / "second.safetensors")
    earlier = train_request()
    train_with(engine_of(), earlier)
    alone = train_request(merged=first, changed=LLAMA_MODULES)
    train_with(engine_of(), alone)

    engine = engine_of()
    disturbed = train_request(merged=first, changed=LLAMA_MODULES)
    disturbed["batches"] = alone["batches"]
    request = parse_request(disturbed)
    assert isinstance(request, TrainRequest)
    asked = [
        evaluation(llama, batches, merged=str(first)),
        evaluation(llama, batches, merged=str(first), adapter=earlier["output"]),
        evaluation(llama, batches, merged=str(second), changed=LLAMA_MODULES[:2]),
    ]
    engine.begin(request)
    found = []
    for step in range(request.training.steps):
        engine.step()
        if step < len(asked):
            found.append(evaluate_with(engine, asked[step]))
    engine.save()
    assert largest_difference(factors_in(alone["output"]), factors_in(disturbed["output"])) == 0
    # Each equals the result of a separate engine, and the third request's change still applies to later requests.
    for loss, message in zip(found[:2], asked[:2], strict=True):
        assert loss == pytest.approx(evaluate_with(engine_of(), message | {"changed": LLAMA_MODULES}), abs=1e-6)
    again = evaluate_with(engine, asked[2] | {"changed": []})
    assert again == pytest.approx(found[2], abs=1e-6)
    assert len({round(loss, 4) for loss in found}) == 3
