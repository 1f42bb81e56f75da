"""The loss of the contract: Σ weight · cross-entropy / Σ weight."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import Rows, attention_mask, positions_of
from .errors import TrainerError
from .hardware import Hardware


def weighted_cross_entropy(model: Any, rows: Rows, hardware: Hardware) -> Tensor:
    """Σ weight · cross-entropy of some rows, nats, in float32; divide by the weights of the whole batch."""
    counted = rows.target_weights != 0
    with hardware.autocast():
        logits = model(input_ids=rows.input_ids, use_cache=False, **_isolation(model, rows)).logits
    scored = logits[counted].float()
    losses = F.cross_entropy(scored, rows.target_ids[counted], reduction="none")
    return (losses * rows.target_weights[counted]).sum()


def _isolation(model: Any, rows: Rows) -> dict[str, Tensor]:
    """Arguments that isolate packed documents."""
    if rows.segments is None:
        return {}
    positions = positions_of(rows.segments)
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if window is not None and window < rows.segments.shape[1]:
        # Layers with a window need a separate mask; transformers builds both masks from positions that restart.
        return {"position_ids": positions}
    return {
        "position_ids": positions,
        "attention_mask": attention_mask(rows.segments, config._attn_implementation),
    }


def check_tokens(model: Any, rows: Rows) -> None:
    """
    Raises:
        TrainerError: if a token is not in the model's vocabulary.
    """
    vocabulary = model.get_input_embeddings().num_embeddings
    for ids in (rows.input_ids, rows.target_ids[rows.target_weights != 0]):
        if ids.numel() > 0 and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
            raise TrainerError(
                f"the batches contain token {int(ids.max())}, but the base model has {vocabulary} tokens: "
                "the tokenizer belongs to another model"
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the machine."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
