"""Device and precision of this process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from .errors import TrainerError
from .options import Settings

Precision = Literal["f32", "bf16"]


@dataclass(frozen=True)
class Hardware:
    """Device and precision of a process."""

    device: torch.device
    precision: Precision
    quantised: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Element type of the base's weights."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @property
    def label(self) -> str:
        """The precision, as the contract's answers name it."""
        return f"4bit, {self.precision}" if self.quantised else self.precision

    def autocast(self) -> AbstractContextManager[object]:
        """Computes products in bfloat16 if the base is bfloat16; the LoRA factors stay in float32."""
        if self.precision == "f32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def hardware_of(settings: Settings, local_rank: int = 0) -> Hardware:
    """Chooses device and precision.

    Raises:
        TrainerError: if the device does not exist or does not support the settings.
    """
    device = _device(settings.device, local_rank)
    if settings.load_in_4bit:
        _require_4bit(device)
    precision: Precision
    if settings.dtype == "auto":
        precision = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "f32"
    else:
        precision = settings.dtype
    return Hardware(device, precision, settings.load_in_4bit)


def _device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainerError(f"--device {name}: {error}") from error
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        raise TrainerError(f"--device {name}: PyTorch found no CUDA device: use --device cpu")
    if device.index is None:
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
    if device.index >= torch.cuda.device_count():
        raise TrainerError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    torch.cuda.set_device(device)
    return device


def _require_4bit(device: torch.device) -> None:
    if device.type != "cuda":
        raise TrainerError(
            f"--load-in-4bit needs a CUDA device, but this process uses {device}: "
            "omit the flag or use --dtype bf16"
        )
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise TrainerError("--load-in-4bit needs bitsandbytes: pip install 'loam-trainer[quant]'") from error
