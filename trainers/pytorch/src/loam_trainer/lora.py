"""A round's LoRA on the base: created by PEFT, initialised from a seed, and written as a PEFT folder."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from .base import full_name
from .contract import TrainRequest
from .errors import TrainerError

#: PEFT's name of the trained adapter.
ADAPTER = "default"


def add_lora(model: Any, request: TrainRequest) -> Any:
    """Adds a LoRA to exactly the request's modules. B is zero; A is drawn on the CPU, equal on every device.

    Raises:
        TrainerError: if a module is missing or cannot be adapted.
    """
    modules = [full_name(model, name) for name in request.modules]
    kinds = {type(model.get_submodule(name)) for name in modules}
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=request.rank,
        lora_alpha=request.alpha,
        use_rslora=request.rs_lora,
        lora_dropout=request.training.dropout,
        target_modules=modules,
        bias="none",
        fan_in_fan_out=kinds == {Conv1D},
    )
    try:
        with warnings.catch_warnings():
            # PEFT corrects it by itself if linear layers of both kinds are adapted.
            warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")
            adapted = get_peft_model(model, config)
    except ValueError as error:
        raise TrainerError(f"PEFT cannot adapt these modules: {error}") from error
    pairs = lora_pairs(adapted)
    if set(pairs) != set(modules):
        remove_lora(adapted)
        raise TrainerError(
            f"PEFT adapted {len(pairs)} modules, but {len(modules)} were requested: "
            f"{', '.join(sorted(set(pairs) ^ set(modules))[:3])} differ"
        )
    generator = torch.Generator().manual_seed(request.seed)
    with torch.no_grad():
        for name in modules:
            factor_a, factor_b = pairs[name]
            drawn = torch.empty(factor_a.shape)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
            factor_a.copy_(drawn)
            factor_b.zero_()
    return adapted


def lora_pairs(adapted: Any) -> dict[str, tuple[nn.Parameter, nn.Parameter]]:
    """A [rank, in] and B [out, rank] of every adapted module, by the module's name in the base."""
    pairs: dict[str, tuple[nn.Parameter, nn.Parameter]] = {}
    for name, module in adapted.get_base_model().named_modules():
        factors = getattr(module, "lora_A", None)
        if factors is not None and ADAPTER in factors:
            pairs[name] = (factors[ADAPTER].weight, module.lora_B[ADAPTER].weight)
    return pairs


def factors_of(adapted: Any) -> dict[str, Tensor]:
    """The trained parameters by `MODULE.A` and `MODULE.B`, in the order of the model."""
    return {
        f"{module}.{letter}": factor
        for module, pair in lora_pairs(adapted).items()
        for letter, factor in zip("AB", pair, strict=True)
    }


def remove_lora(adapted: Any) -> None:
    """Removes a LoRA and leaves the base unchanged."""
    base = adapted.unload()
    if hasattr(base, "peft_config"):
        del base.peft_config


def save_lora(adapted: Any, folder: str) -> None:
    """Writes the adapter as a PEFT folder.

    Raises:
        TrainerError: if the disk is full or the folder cannot be written.
    """
    try:
        adapted.save_pretrained(folder, save_embedding_layers=False, selected_adapters=[ADAPTER])
    except Exception as error:
        raise TrainerError(f"cannot write the adapter to {folder}: {error}") from error


def load_adapter(model: Any, folder: str) -> Any:
    """Loads the adapter of a PEFT folder onto the plain base.

    Raises:
        TrainerError: if it cannot be read or does not match the base.
    """
    try:
        return PeftModel.from_pretrained(model, folder, local_files_only=True)
    except Exception as error:
        raise TrainerError(f"PEFT cannot load the adapter {folder}: {error}") from error
