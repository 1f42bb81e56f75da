"""A training that was interrupted ends with the same adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import RequestMaker, factors_in, largest_difference
from loam_trainer.contract import TrainRequest, parse_request
from support import engine_of, train_with


def interrupted(message: dict[str, object], steps: int) -> None:
    """Makes some steps in a process that then ends."""
    request = parse_request(message)
    assert isinstance(request, TrainRequest)
    engine = engine_of(checkpoint_seconds=0.0)
    engine.begin(request)
    for _ in range(steps):
        engine.step()


def test_a_resumed_training_gives_the_same_adapter(train_request: RequestMaker) -> None:
    whole, resumed = train_request(dropout=0.2), train_request(dropout=0.2)
    resumed["batches"] = whole["batches"]
    losses = train_with(engine_of(), whole)
    interrupted(resumed, 4)
    assert train_with(engine_of(), resumed) == losses[4:]
    assert largest_difference(factors_in(whole["output"]), factors_in(resumed["output"])) == 0
    assert list(Path(resumed["checkpoint"]).iterdir()) == []


def test_the_checkpoint_of_another_key_is_not_used(train_request: RequestMaker) -> None:
    interrupted(train_request(), 3)
    assert len(train_with(engine_of(), train_request())) == 6


@pytest.mark.parametrize("damage", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00garbage!", None])
def test_a_damaged_checkpoint_begins_again(train_request: RequestMaker, damage: bytes | None) -> None:
    message = train_request()
    interrupted(message, 3)
    (file,) = Path(message["checkpoint"]).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    assert len(train_with(engine_of(), message)) == 6


def test_a_checkpoint_that_cannot_be_written_costs_nothing_else(
    train_request: RequestMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    message = train_request(checkpoint=tmp_path / "file" / "checkpoint")
    assert len(train_with(engine_of(checkpoint_seconds=0.0), message)) == 6
    assert "no checkpoint was written" in capsys.readouterr().err
