"""Requests of Loam's trainer contract, version 1 (docs/trainers.md), as values.

Fields added by a newer daemon are ignored. A missing field or a field of the wrong type is an error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from .errors import TrainerError

#: The version of the contract that this package implements.
CONTRACT_VERSION = 1


@dataclass(frozen=True)
class Weights:
    """The weights that a request starts from."""

    base: str
    merged: str | None
    changed: list[str]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training."""

    steps: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    dropout: float
    threads: int


@dataclass(frozen=True)
class TrainRequest(Weights):
    """Train one round's adapter."""

    id: int
    key: str
    round: int
    modules: list[str]
    rank: int
    alpha: float
    rs_lora: bool
    seed: int
    batches: str
    data: str
    training: TrainingSettings
    deadline: str
    output: str
    checkpoint: str


@dataclass(frozen=True)
class EvaluateRequest(Weights):
    """Measure the loss of the weights, with or without an adapter."""

    id: int
    adapter: str | None
    batches: str


@dataclass(frozen=True)
class FinishRequest:
    """Send the result so far."""

    id: int


@dataclass(frozen=True)
class CancelRequest:
    """Stop without a result."""

    id: int


Request: TypeAlias = TrainRequest | EvaluateRequest | FinishRequest | CancelRequest

_KINDS: dict[str, type] = {
    "train": TrainRequest,
    "evaluate": EvaluateRequest,
    "finish": FinishRequest,
    "cancel": CancelRequest,
}
_T = TypeVar("_T")


class UnreadableRequestError(TrainerError):
    """A request that does not follow the contract; `id` is its number, if it has one."""

    def __init__(self, message: str, request_id: int | None) -> None:
        super().__init__(message)
        self.id = request_id


def parse_request(message: object) -> Request:
    """Parses one request.

    Raises:
        UnreadableRequestError: if its type is unknown, or a field is missing or has the wrong type.
    """
    if not isinstance(message, Mapping):
        raise UnreadableRequestError("a request must be a JSON object", None)
    number = message.get("id")
    request_id = number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UnreadableRequestError(
            f"unknown request type {kind!r}: this trainer uses version {CONTRACT_VERSION} of the contract, "
            f"which has {', '.join(_KINDS)}",
            request_id,
        )
    try:
        if request_id is None:
            raise TrainerError("id must be a positive integer")
        request: Request = _read(_KINDS[kind], message, kind)
        return request
    except UnreadableRequestError:
        raise
    except TrainerError as error:
        raise UnreadableRequestError(f"{kind} request: {error}", request_id) from error


def _read(kind: type[_T], message: Mapping[str, Any], where: str) -> _T:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        key = _camel(field.name)
        if key not in message:
            raise TrainerError(f"{where} lacks {key}")
        values[field.name] = _value(message[key], hints[field.name], f"{where}.{key}")
    return kind(**values)


def _value(value: Any, hint: Any, where: str) -> Any:
    if hint is TrainingSettings:
        if not isinstance(value, Mapping):
            raise TrainerError(f"{where} must be an object")
        return _read(TrainingSettings, value, where)
    if get_origin(hint) is list:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise TrainerError(f"{where} must be a list of strings")
        return value
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return None
    if bool in kinds:
        fits = isinstance(value, bool)
    elif float in kinds:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif int in kinds:
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise TrainerError(f"{where} is {value!r:.80}, which has the wrong type")
    return float(value) if float in kinds else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
