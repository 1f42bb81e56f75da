"""The batches file of a request, and the masks and positions of packed rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import TrainerError

_NEEDED = ("input_ids", "target_ids", "target_weights")


@dataclass(frozen=True)
class Rows:
    """Some rows of one batch, each tensor [rows, sequence]."""

    input_ids: Tensor
    target_ids: Tensor
    target_weights: Tensor
    segments: Tensor | None

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def part(self, start: int, end: int) -> Rows:
        """The rows from `start` up to `end`."""
        return Rows(
            self.input_ids[start:end],
            self.target_ids[start:end],
            self.target_weights[start:end],
            None if self.segments is None else self.segments[start:end],
        )

    def share(self, rank: int, workers: int) -> Rows:
        """The rows of worker `rank`: contiguous shares whose sizes differ by at most one row."""
        count = len(self)
        return self.part(rank * count // workers, (rank + 1) * count // workers)

    def pieces(self, rows: int | None) -> Iterator[Rows]:
        """Micro-batches of at most `rows` rows."""
        size = len(self) if rows is None else rows
        for start in range(0, len(self), max(1, size)):
            yield self.part(start, min(start + size, len(self)))

    def to(self, device: torch.device) -> Rows:
        """The same rows on a device."""
        return Rows(
            self.input_ids.to(device),
            self.target_ids.to(device),
            self.target_weights.to(device),
            None if self.segments is None else self.segments.to(device),
        )


class BatchesFile:
    """A safetensors file of batches, read one step at a time."""

    def __init__(self, path: str) -> None:
        """
        Raises:
            TrainerError: if the file cannot be read, or its tensors do not match the contract.
        """
        try:
            self._file = safe_open(path, framework="pt").__enter__()
        except (OSError, SafetensorError) as error:
            raise TrainerError(f"cannot read the batches {path}: {error}") from error
        names = set(self._file.keys())
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise TrainerError(f"the batches {path} lack {', '.join(missing)}")
        self._has_segments = "segments" in names
        shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in self._names()}
        shape = shapes["input_ids"]
        if len(shape) != 3 or 0 in shape or len(set(shapes.values())) != 1:
            raise TrainerError(f"the batches {path} must have one shape [steps, batch, sequence], got {shapes}")
        self.steps, self.rows, self.sequence = shape

    def step(self, index: int) -> Rows:
        """The batch of step `index` (from 0)."""
        read = {name: self._file.get_slice(name)[index] for name in self._names()}
        return Rows(
            read["input_ids"].long(),
            read["target_ids"].long(),
            read["target_weights"].float(),
            read["segments"].long() if self._has_segments else None,
        )

    def _names(self) -> tuple[str, ...]:
        return (*_NEEDED, "segments") if self._has_segments else _NEEDED

    def close(self) -> None:
        """Closes the file."""
        self._file.__exit__(None, None, None)

    def __enter__(self) -> BatchesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def positions_of(segments: Tensor) -> Tensor:
    """Positions [rows, sequence] that restart in every document."""
    index = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    begins = torch.ones_like(segments, dtype=torch.bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    return index - torch.where(begins, index, torch.zeros_like(index)).cummax(dim=1).values


def visible(segments: Tensor) -> Tensor:
    """Whether token i of a row attends to token j, [rows, 1, sequence, sequence]: its own document up to itself.

    Padding attends only to itself, since a softmax over nothing is undefined.
    """
    length = segments.shape[1]
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    seen = same & causal & (segments != 0)[:, :, None]
    return (seen | torch.eye(length, dtype=torch.bool, device=segments.device))[:, None]


def attention_mask(segments: Tensor, implementation: str) -> Tensor:
    """`visible` in the form that a transformers attention implementation expects."""
    seen = visible(segments)
    if implementation == "sdpa":
        return seen
    # The lowest bfloat16 number is finite in every wider type too.
    lowest = torch.finfo(torch.bfloat16).min
    return torch.zeros(seen.shape, device=segments.device).masked_fill(~seen, lowest)
