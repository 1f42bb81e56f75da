"""Requests as values, and the answers against the contract's schema."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import RequestMaker
from loam_trainer.contract import EvaluateRequest, TrainRequest, UnreadableRequestError, parse_request


def test_a_request_of_a_newer_daemon_is_read(train_request: RequestMaker) -> None:
    message = train_request() | {"colour": "blue"}
    message["training"]["momentum"] = 0.5
    request = parse_request(message)
    assert isinstance(request, TrainRequest)
    assert request.training.batch_size == 4
    assert request.alpha == 6.0
    assert isinstance(request.alpha, float)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("rank",), None, "rank"),
        (("rank",), "8", "train.rank is '8'"),
        (("rank",), 8.5, "train.rank is 8.5"),
        (("rsLora",), 1, "train.rsLora"),
        (("modules",), ["a", 1], "train.modules must be a list of strings"),
        (("training",), [], "train.training must be an object"),
        (("training", "steps"), True, "train.training.steps"),
        (("merged",), 3, "train.merged"),
    ],
)
def test_a_field_of_another_type_is_named(
    train_request: RequestMaker, path: tuple[str, ...], value: Any, words: str
) -> None:
    message = train_request()
    target = message
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(UnreadableRequestError, match=words.replace("[", r"\[")) as caught:
        parse_request(message)
    assert caught.value.id == message["id"]


def test_a_missing_field_is_named(train_request: RequestMaker) -> None:
    message = train_request()
    del message["training"]["clipNorm"]
    with pytest.raises(UnreadableRequestError, match=r"train.training lacks clipNorm"):
        parse_request(message)


@pytest.mark.parametrize("message", [[], 3, {}, {"type": "dance", "id": 4}, {"type": "cancel"}])
def test_what_is_not_a_request(message: object) -> None:
    with pytest.raises(UnreadableRequestError):
        parse_request(message)


def test_an_evaluation(llama: object) -> None:
    message = {"type": "evaluate", "id": 3, "base": "b", "merged": None, "changed": [], "adapter": None, "batches": "f"}
    assert parse_request(message) == EvaluateRequest("b", None, [], 3, None, "f")
