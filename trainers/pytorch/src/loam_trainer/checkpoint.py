"""A training's state on disk, so that it resumes after a restart of the daemon or the trainer."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

_FILE = "loam-trainer.safetensors"
_FORMAT = "1"


@dataclass(frozen=True)
class State:
    """Factors and moments by name, and the progress of the training."""

    step: int
    tokens: int
    tensors: dict[str, Tensor]


def write_checkpoint(folder: str, key: str, state: State) -> None:
    """Replaces the folder's checkpoint. If the disk is full, only the checkpoint is lost, not the training."""
    path = Path(folder) / _FILE
    partial = path.with_suffix(f".{os.getpid()}.partial")
    metadata = {
        "format": _FORMAT,
        "key": key,
        "progress": json.dumps({"step": state.step, "tokens": state.tokens}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata=metadata)
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()
        print(f"warning: no checkpoint was written to {folder}: {error}", file=sys.stderr, flush=True)


def read_checkpoint(folder: str, key: str) -> State | None:
    """The checkpoint with this key; None if there is none, or it is damaged or belongs to another training."""
    path = Path(folder) / _FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT or metadata.get("key") != key:
                return None
            progress = json.loads(metadata["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return State(int(progress["step"]), int(progress["tokens"]), tensors)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        print(
            f"warning: the checkpoint {path} cannot be read, so the training starts over: {error}",
            file=sys.stderr,
        )
        return None


def remove_checkpoint(folder: str) -> None:
    """Removes the checkpoint of a training that has ended."""
    with suppress(OSError):
        (Path(folder) / _FILE).unlink()
