"""Training loops of users' own behind the contract."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from conftest import LLAMA_MODULES, RequestMaker, TrainerProcess, factors_in, make_batches, make_llama
from loam_trainer.contract import TrainRequest, parse_request
from loam_trainer.own import Job
from support import engine_of, evaluate_with, evaluation
from test_process import check

Starter = Callable[..., TrainerProcess]
EXAMPLES = Path(__file__).parents[1] / "examples"


def make_tokenizer(folder: Path) -> None:
    """A tokenizer for the tiny model, since TRL requires one."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"t{index}": index for index in range(48)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="t0", eos_token="t1", pad_token="t2").save_pretrained(
        folder
    )


def test_documents_are_taken_apart(train_request: RequestMaker) -> None:
    message = train_request(steps=2)
    request = parse_request(message)
    assert isinstance(request, TrainRequest)
    documents = list(Job(request, None).documents())  # type: ignore[arg-type]
    batches = load_file(message["batches"])
    counted = sum(label != -100 for document in documents for label in document["labels"])
    assert counted == int(batches["target_weights"].sum())
    assert len(documents) > 8
    first = documents[0]
    length = len(first["input_ids"])
    row = [*batches["input_ids"][0, 0].tolist()]
    assert first["input_ids"][:-1] == row[: length - 1]
    assert first["labels"][0] == -100
    for place, label in enumerate(first["labels"][1:]):
        if label != -100:
            assert label == batches["target_ids"][0, 0, place]


@pytest.mark.parametrize("example", ["transformers_trainer", "sft_trainer"])
def test_an_example_trains(start: Starter, train_request: RequestMaker, tmp_path: Path, example: str) -> None:
    if example == "sft_trainer":
        pytest.importorskip("trl")
    base = make_llama(tmp_path / "base")
    make_tokenizer(base)
    trainer = start(command=[sys.executable, str(EXAMPLES / f"{example}.py")], CUDA_VISIBLE_DEVICES="")
    ready = trainer.answer("ready")
    check(ready)
    assert ready["name"] == example.replace("_", "-")
    assert ready["features"] == ["finish"]
    batches = make_batches(tmp_path / "b.safetensors", 20)
    message = train_request(base=base, steps=20, batches=batches, learningRate=0.02, clipNorm=1)
    trainer.send(message)
    progress = trainer.answer("progress", "failed")
    check(progress)
    assert progress["type"] == "progress", progress
    result = trainer.answer()
    check(result)
    assert (result["type"], result["steps"]) == ("result", 20)
    assert set(factors_in(message["output"])) == {
        f"base_model.model.{name}.lora_{factor}.weight" for name in LLAMA_MODULES for factor in "AB"
    }
    engine = engine_of()
    trained = evaluate_with(engine, evaluation(base, batches, adapter=message["output"]))
    assert trained < evaluate_with(engine, evaluation(base, batches)) - 0.01

    long = train_request(base=base, steps=4000, batches=make_batches(tmp_path / "l.safetensors", 200))
    trainer.send(long)
    trainer.answer("progress")
    trainer.send({"type": "finish", "id": long["id"]})
    result = trainer.answer()
    assert result["type"] == "result", result
    assert 0 < result["steps"] < 4000
    trainer.send(long | {"id": 700})
    trainer.answer("progress")
    trainer.send({"type": "cancel", "id": 700})
    assert trainer.answer() == {"type": "cancelled", "id": 700}
    trainer.send(train_request(base=tmp_path / "absent"))
    assert "there is no base model" in trainer.answer()["reason"]
    assert trainer.end() == 0


def test_the_config_says_plain_lora(train_request: RequestMaker) -> None:
    from support import train_with

    message = train_request(rsLora=True)
    train_with(engine_of(), message)
    config = json.loads((Path(message["output"]) / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert config["use_rslora"] is True
    assert all(factor.dtype == torch.float32 for factor in factors_in(message["output"]).values())
