"""Several workers give the adapter of one, with the same global batch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import RequestMaker, TrainerProcess, factors_in, largest_difference, make_batches
from support import engine_of, evaluate_with, evaluation, train_with

Starter = Callable[..., TrainerProcess]

TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    *("-m", "loam_trainer", "--device", "cpu"),
]


def agree_with_one_process(trainer: TrainerProcess, train_request: RequestMaker, llama: Path, tmp_path: Path) -> None:
    """Two rounds with an evaluation during the second, a failure, and one odd batch."""
    ready = trainer.answer("ready")
    assert ready["device"] == "2 × cpu"
    alone = train_request(learningRate=0.01)
    losses = train_with(engine_of(), alone)
    message = alone | {"output": str(tmp_path / "together"), "checkpoint": str(tmp_path / "kept")}
    trainer.send(message)
    found = [trainer.answer("progress", "failed") for _ in losses]
    assert [answer["loss"] for answer in found] == pytest.approx(losses, abs=1e-5)
    assert trainer.answer()["type"] == "result"
    assert largest_difference(factors_in(alone["output"]), factors_in(message["output"])) < 1e-5

    trainer.send(train_request(base=tmp_path / "absent"))
    failed = trainer.answer()
    assert failed["type"] == "failed"
    assert "there is no base model" in failed["reason"]

    held = make_batches(tmp_path / "held.safetensors", 2, rows=3)
    asked = evaluation(llama, held, adapter=alone["output"])
    trainer.send(asked)
    assert trainer.answer()["loss"] == pytest.approx(evaluate_with(engine_of(), asked), abs=1e-5)

    # Rows that cannot be split evenly, one without any target.
    odd = train_request(learningRate=0.01, batches=make_batches(tmp_path / "odd.safetensors", 6, rows=3))
    train_with(engine_of(), odd)
    shared = odd | {"output": str(tmp_path / "odd"), "checkpoint": str(tmp_path / "kept")}
    trainer.send(shared)
    assert trainer.answer()["type"] == "result"
    assert largest_difference(factors_in(odd["output"]), factors_in(shared["output"])) < 1e-5
    assert trainer.end() == 0


def test_two_processes_of_torchrun(start: Starter, train_request: RequestMaker, llama: Path, tmp_path: Path) -> None:
    agree_with_one_process(start(command=TORCHRUN), train_request, llama, tmp_path)


def test_two_workers_of_a_local_ray_cluster(
    start: Starter, train_request: RequestMaker, llama: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    agree_with_one_process(start("--ray", "2"), train_request, llama, tmp_path)
