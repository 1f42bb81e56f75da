"""A member's trainer for Loam: transformers and PEFT behind Loam's trainer contract.

`loam-trainer` is the command. `serve` runs your own training loop behind the contract.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .own import Job, Outcome, serve

try:
    __version__ = version("loam-trainer")
except PackageNotFoundError:
    __version__ = "0.0.0"

__all__ = ["Job", "Outcome", "__version__", "serve"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to load, so it is not loaded for `loam-trainer --help`.
    if name in ("Job", "Outcome", "serve"):
        from . import own

        return getattr(own, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
