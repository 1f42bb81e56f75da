"""Communication between several processes that train one adapter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from .errors import TrainerError, reason_of

_T = TypeVar("_T")

#: Timeout: between rounds there is no communication for as long as a round lasts.
_IDLE = timedelta(days=30)


class Group:
    """The processes of one trainer, or a single process."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        """If `size` is greater than 1, `torch.distributed` must have been initialised."""
        self.rank = rank
        self.size = size
        self._device = device or torch.device("cpu")
        # Control messages use gloo, whichever backend the gradients use.
        self._control: Any = dist.new_group(backend="gloo", timeout=_IDLE) if size > 1 else None

    def together(self, work: Callable[[], _T]) -> _T:
        """Does this process's share of some work. If it fails in one process, it fails in all.

        Raises:
            TrainerError: with the first failure, even if it is in another process.
        """
        failure: BaseException | None = None
        done: Any = None
        try:
            done = work()
        except Exception as error:
            failure = error
        if self.size > 1:
            reasons: list[str | None] = [None] * self.size
            dist.all_gather_object(reasons, None if failure is None else reason_of(failure), self._control)
            for rank, reason in enumerate(reasons):
                if reason is not None:
                    raise TrainerError(f"worker {rank}: {reason}") from failure
        elif failure is not None:
            raise failure
        result: _T = done
        return result

    def say(self, value: Any) -> Any:
        """Returns the value of rank 0 in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replaces tensors of one type by their sums over the processes."""
        parts = list(tensors)
        if self.size == 1 or not parts:
            return
        flat = torch.cat([part.reshape(-1) for part in parts])
        dist.all_reduce(flat)
        for part, summed in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(summed.view_as(part))

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Replaces tensors by those of rank 0."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def sum_of(self, values: list[float]) -> list[float]:
        """Sums of numbers over the processes."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def leave(self) -> None:
        """Leaves the group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


def launched_size() -> int:
    """Number of processes started by torchrun; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if dist.is_torchelastic_launched() else 1


def join_group(device: torch.device, rank: int, size: int, address: str = "env://") -> Group:
    """Joins the other processes, over NCCL on GPUs and gloo otherwise."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=address, rank=rank, world_size=size)
    return Group(rank, size, device)
