"""What the command line chooses. It loads nothing heavy, so that `--help` is there at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """What the command line chooses; it holds for all requests."""

    dtype: Literal["auto", "bf16", "f32"] = "auto"
    device: str = "auto"
    load_in_4bit: bool = False
    gradient_checkpointing: bool = False
    micro_batch: int | None = None
    attention: Literal["sdpa", "eager"] = "sdpa"
    checkpoint_seconds: float = 60.0
