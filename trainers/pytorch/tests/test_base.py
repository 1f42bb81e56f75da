"""The base stays loaded, and only changed merged modules are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from conftest import GPT2_MODULES, LLAMA_MODULES, RequestMaker, factors_in, largest_difference, make_batches
from loam_trainer.errors import TrainerError
from support import engine_of, evaluate_with, evaluation, random_weights, train_with


def merged_file(base: Path, modules: list[str], seed: int, path: Path) -> tuple[Path, Any]:
    """A file of merged modules, and the resulting model."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    weights = random_weights(model, modules, seed)
    save_file(weights, path)
    for name in modules:
        module = model.get_submodule(name)
        weight = weights[f"{name}.weight"]
        module.weight.data = weight.T.contiguous() if isinstance(module, Conv1D) else weight
    return path, model


def same_weights(left: Any, right: Any) -> bool:
    theirs = dict(right.named_parameters())
    return all(bool(torch.equal(value, theirs[name])) for name, value in left.named_parameters())


@pytest.mark.parametrize("modules", [GPT2_MODULES, ["transformer.h.0.attn.c_proj"]])
def test_merged_modules_of_gpt2_lie_as_out_in(gpt2: Path, tmp_path: Path, modules: list[str]) -> None:
    path, model = merged_file(gpt2, modules, 1, tmp_path / "merged.safetensors")
    engine = engine_of()
    batches = make_batches(tmp_path / "b.safetensors", 1)
    evaluate_with(engine, evaluation(gpt2, batches, merged=str(path), changed=modules))
    assert same_weights(engine._base.model, model)


def test_only_changed_modules_are_read(llama: Path, tmp_path: Path) -> None:
    batches = make_batches(tmp_path / "b.safetensors", 1)
    first, model = merged_file(llama, LLAMA_MODULES, 1, tmp_path / "first.safetensors")
    engine = engine_of()
    # A new process reads all modules, whichever are marked as changed.
    evaluate_with(engine, evaluation(llama, batches, merged=str(first), changed=LLAMA_MODULES[:1]))
    assert same_weights(engine._base.model, model)
    second, other = merged_file(llama, LLAMA_MODULES, 2, tmp_path / "second.safetensors")
    changed = LLAMA_MODULES[2:]
    evaluate_with(engine, evaluation(llama, batches, merged=str(second), changed=changed))
    for name in LLAMA_MODULES:
        expected = (other if name in changed else model).get_submodule(name).weight
        assert torch.equal(engine._base.model.get_submodule(name).weight, expected)


def test_a_consortium_without_rounds_has_the_base_again(llama: Path, tmp_path: Path) -> None:
    batches = make_batches(tmp_path / "b.safetensors", 1)
    path, _ = merged_file(llama, LLAMA_MODULES, 1, tmp_path / "merged.safetensors")
    engine = engine_of()
    plain = evaluate_with(engine, evaluation(llama, batches))
    changed = evaluate_with(engine, evaluation(llama, batches, merged=str(path), changed=LLAMA_MODULES))
    assert abs(changed - plain) > 0.01
    assert evaluate_with(engine, evaluation(llama, batches)) == plain


def test_a_training_starts_from_the_merged_modules(llama: Path, train_request: RequestMaker, tmp_path: Path) -> None:
    path, model = merged_file(llama, LLAMA_MODULES, 1, tmp_path / "merged.safetensors")
    model.save_pretrained(tmp_path / "whole")
    over, whole = train_request(merged=path, changed=LLAMA_MODULES), train_request(base=tmp_path / "whole")
    whole["batches"] = over["batches"]
    assert train_with(engine_of(), over) == train_with(engine_of(), whole)


def test_the_base_is_as_it_was_after_a_training(llama: Path, train_request: RequestMaker) -> None:
    engine = engine_of()
    first, second = train_request(), train_request()
    second["batches"] = first["batches"]
    assert train_with(engine, first) == train_with(engine, second)
    assert same_weights(engine._base.model, AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32))
    assert largest_difference(factors_in(first["output"]), factors_in(second["output"])) == 0


def test_what_does_not_fit_is_one_error_and_the_next_request_is_served(
    llama: Path, gpt2: Path, train_request: RequestMaker, tmp_path: Path
) -> None:
    engine = engine_of()
    odd = tmp_path / "odd.safetensors"
    save_file({f"{LLAMA_MODULES[0]}.weight": torch.zeros(3, 3)}, odd)
    endless = tmp_path / "endless.safetensors"
    save_file({f"{LLAMA_MODULES[0]}.weight": torch.full((16, 16), float("nan"))}, endless)
    not_safetensors = tmp_path / "text.safetensors"
    not_safetensors.write_text("no tensors")
    for changes, words in (
        ({"base": tmp_path / "nowhere"}, "there is no base model"),
        ({"modules": ["model.layers.9.self_attn.q_proj"]}, "no module model.layers.9"),
        ({"modules": ["model.norm"]}, "PEFT cannot adapt"),
        ({"merged": odd, "changed": LLAMA_MODULES[:1]}, "has shape"),
        ({"merged": endless, "changed": LLAMA_MODULES[:1]}, "not finite"),
        ({"batches": not_safetensors}, "cannot read the batches"),
        ({"batches": make_batches(tmp_path / "short.safetensors", 2)}, "the batches have 2 steps"),
    ):
        with pytest.raises(TrainerError, match=words):
            train_with(engine, train_request(**changes))
    fresh, used = train_request(), train_request()
    used["batches"] = fresh["batches"]
    assert train_with(engine, used) == train_with(engine_of(), fresh)


def test_tokens_outside_the_vocabulary_are_refused(train_request: RequestMaker, tmp_path: Path) -> None:
    batches = make_batches(tmp_path / "b.safetensors", 1)
    from safetensors.torch import load_file

    tensors = load_file(batches)
    tensors["input_ids"][0, 0, 0] = 48
    save_file(tensors, batches)
    with pytest.raises(TrainerError, match="the base model has 48"):
        train_with(engine_of(), train_request(batches=batches, steps=1))
