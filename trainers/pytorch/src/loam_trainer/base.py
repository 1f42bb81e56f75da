"""The base model, which stays loaded between requests, and the modules that sealed rounds have changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from .contract import Weights
from .errors import TrainerError
from .hardware import Hardware
from .options import Settings

_WEIGHT = ".weight"


class HeldBase:
    """A base model on its device. `model` is the plain model; a LoRA may be injected into it temporarily."""

    def __init__(self, settings: Settings, hardware: Hardware) -> None:
        self._settings = settings
        self._hardware = hardware
        self._folder: str | None = None
        self._model: Any = None
        #: Whether weights of a merged file have replaced some of the base's.
        self._is_merged = False
        #: Modules whose held weights may differ from those of the last request; None means all modules in its file.
        self._stale: set[str] | None = None
        # A daemon's log is not a terminal.
        logging.disable_progress_bar()

    @property
    def model(self) -> Any:
        """The model, once a request has loaded it."""
        return self._model

    def note(self, request: Weights) -> None:
        """Remembers the modules that a request marks as changed, since later requests do not repeat them."""
        if self._stale is not None:
            self._stale |= set(request.changed)

    def load(self, request: Weights) -> None:
        """Loads the weights that the request starts from; reads only what differs from the held weights.

        Raises:
            TrainerError: if the base or the merged modules are missing or do not match.
        """
        self.note(request)
        if not self._fits(request):
            self._open(request.base)
        if request.merged is None:
            return
        names = self._stale
        # If this fails midway, the next request reads all of them.
        self._stale = None
        self._is_merged = True
        self.replace(request.merged, names)
        self._stale = set()

    def _fits(self, request: Weights) -> bool:
        is_same = self._model is not None and self._folder == request.base
        return is_same and (request.merged is not None or not self._is_merged)

    def swap(self, request: Weights) -> dict[str, nn.Parameter]:
        """Temporarily replaces weights with those of the request.

        Returns:
            The replaced weights, to be passed to `restore`.

        Raises:
            TrainerError: if the request starts from a different base than the running training.
        """
        self.note(request)
        if not self._fits(request):
            raise TrainerError("a training is running on another base: retry after it has ended")
        if request.merged is None:
            return {}
        names = self._stale if self._stale is not None else set(_names(request.merged))
        before = {name: self._linear(name).weight for name in names}
        for name, weight in before.items():
            if not self._hardware.quantised:
                self._linear(name).weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
        try:
            self.replace(request.merged, names)
        except BaseException:
            self.restore(before)
            raise
        return before

    def restore(self, before: dict[str, nn.Parameter]) -> None:
        """Reverts `swap`; its modules are read again for the next request."""
        for name, weight in before.items():
            self._linear(name).weight = weight

    def replace(self, path: str, modules: Iterable[str] | None) -> None:
        """Replaces the weights of `modules` (all modules in the file if None) by those in `path`.

        Raises:
            TrainerError: if the file cannot be read, lacks a module, or a module has the wrong shape.
        """
        names = _names(path)
        wanted = sorted(names if modules is None else modules)
        missing = [name for name in wanted if name not in names]
        if missing:
            raise TrainerError(f"the merged modules {path} lack {', '.join(missing[:3])}")
        with safe_open(path, framework="pt") as file:
            for name in wanted:
                linear = self._linear(name)
                weight = file.get_tensor(name + _WEIGHT)
                if isinstance(linear, Conv1D):
                    # Merged modules are [out, in] in every family.
                    weight = weight.T
                expected = _shape(linear)
                if tuple(weight.shape) != expected:
                    raise TrainerError(
                        f"the merged module {name} has shape {list(weight.shape)}, the base's has {list(expected)}"
                    )
                if not bool(torch.isfinite(weight).all()):
                    raise TrainerError(f"the merged module {name} has numbers that are not finite")
                self._store(linear, weight)

    def _store(self, linear: Any, weight: Tensor) -> None:
        if self._hardware.quantised and type(linear).__name__ == "Linear4bit":
            _requantise(linear, weight, self._hardware)
            return
        embedding = self._model.get_input_embeddings()
        if embedding is not None and embedding.weight is linear.weight:
            # Only the head was changed, so it must not change the tied embedding.
            linear.weight = nn.Parameter(linear.weight.detach().clone(), requires_grad=False)
        _put(linear, weight)

    def _linear(self, name: str) -> Any:
        """The plain layer with this name, without the LoRA around it."""
        layer = find_module(self._model, name)
        return layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer

    def _open(self, folder: str) -> None:
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise TrainerError(
                f"there is no base model in {folder}: make the daemon's folders available on this machine"
            )
        self._model = None
        self._folder = None
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            _without_dropout(config)
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=self._hardware.dtype,
                attn_implementation=self._settings.attention,
                local_files_only=True,
                **self._quantisation(),
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise TrainerError(f"transformers cannot load the base model {folder}: {error}") from error
        if not self._hardware.quantised:
            model.to(self._hardware.device)
        model.requires_grad_(False)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if self._settings.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self._model = model
        self._folder = folder
        self._is_merged = False
        self._stale = None

    def _quantisation(self) -> dict[str, Any]:
        if not self._hardware.quantised:
            return {}
        from transformers import BitsAndBytesConfig

        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=self._hardware.dtype,
        )
        return {"quantization_config": config, "device_map": {"": self._hardware.device}}


def find_module(model: Any, name: str) -> Any:
    """The module with this name. A base's files may omit the prefix of the model's body, or add one.

    Raises:
        TrainerError: if it does not exist.
    """
    return model.get_submodule(full_name(model, name))


def full_name(model: Any, name: str) -> str:
    """The name in transformers of a module in the base's files.

    Raises:
        TrainerError: if it does not exist.
    """
    prefix = f"{model.base_model_prefix}."
    for candidate in (name, prefix + name, name.removeprefix(prefix)):
        try:
            model.get_submodule(candidate)
        except AttributeError:
            continue
        return candidate
    raise TrainerError(f"the base model has no module {name}")


def _names(path: str) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return [name.removesuffix(_WEIGHT) for name in file.keys()]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainerError(f"cannot read the merged modules {path}: {error}") from error


def _shape(linear: Any) -> tuple[int, ...]:
    if type(linear).__name__ == "Linear4bit":
        return (linear.out_features, linear.in_features)
    return tuple(linear.weight.shape)


def _put(linear: Any, weight: Tensor) -> None:
    with torch.no_grad():
        linear.weight.data.copy_(weight)


def _requantise(linear: Any, weight: Tensor, hardware: Hardware) -> None:
    from bitsandbytes.nn import Params4bit

    old = linear.weight
    linear.weight = Params4bit(
        weight.to(hardware.dtype).contiguous(),
        requires_grad=False,
        quant_type=old.quant_type,
        compress_statistics=old.compress_statistics,
    ).to(hardware.device)


def _without_dropout(config: Any) -> None:
    """Disables the base's own dropout, which some families have by default. Only the LoRA's input has dropout."""
    for name, value in vars(config.get_text_config()).items():
        if name.endswith(("dropout", "pdrop")) and isinstance(value, float):
            setattr(config.get_text_config(), name, 0.0)
