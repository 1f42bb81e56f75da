"""Command-line settings. Imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """Command-line settings that apply to all requests."""

    dtype: Literal["auto", "bf16", "f32"] = "auto"
    device: str = "auto"
    load_in_4bit: bool = False
    gradient_checkpointing: bool = False
    micro_batch: int | None = None
    attention: Literal["sdpa", "eager"] = "sdpa"
    checkpoint_seconds: float = 60.0
