"""One process's share of the work. Every process of a trainer calls the same methods in the same order."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .base import HeldBase
from .batches import BatchesFile, Rows
from .checkpoint import State, read_checkpoint, remove_checkpoint, write_checkpoint
from .contract import EvaluateRequest, TrainRequest
from .errors import TrainerError
from .group import Group
from .hardware import Hardware
from .lora import add_lora, factors_of, load_adapter, remove_lora, save_lora
from .loss import check_tokens, is_out_of_memory, weighted_cross_entropy
from .options import Settings
from .schedule import learning_rate_at

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class StepReport:
    """Results of a step; `loss` is the loss before the update, over the whole batch."""

    step: int
    loss: float
    tokens: int


@dataclass
class _Training:
    request: TrainRequest
    adapted: Any
    batches: BatchesFile
    factors: dict[str, nn.Parameter]
    optimizer: torch.optim.AdamW
    step: int
    tokens: int
    saved_at: float


@dataclass
class _Evaluation:
    model: Any
    batches: BatchesFile
    restore: Callable[[], None]
    step: int = 0


class Engine:
    """Holds the base model, trains adapters on it and measures losses."""

    def __init__(self, settings: Settings, hardware: Hardware, group: Group | None = None) -> None:
        self._settings = settings
        self._hardware = hardware
        self._group = group or Group()
        self._base = HeldBase(settings, hardware)
        self._training: _Training | None = None
        self._evaluation: _Evaluation | None = None

    # Training

    def begin(self, request: TrainRequest) -> int:
        """Prepares a training, from its checkpoint if there is one.

        Returns:
            Number of steps that are already done.
        """
        try:
            training = self._group.together(lambda: self._prepare(request))
        except BaseException:
            # If it failed only in another process, remove the LoRA in this one.
            self.drop()
            raise
        progress = self._group.say((training.step, training.tokens))
        training.step, training.tokens = progress
        self._group.spread(self._state_tensors(training).values())
        for state in training.optimizer.state.values():
            state["step"].fill_(training.step)
        return training.step

    def _prepare(self, request: TrainRequest) -> _Training:
        if self._training is not None:
            self._end_training()
        settings = request.training
        if self._hardware.device.type == "cpu":
            torch.set_num_threads(max(1, settings.threads // self._group.size))
        batches = BatchesFile(request.batches)
        try:
            if batches.steps < settings.steps:
                raise TrainerError(f"the batches have {batches.steps} steps, but the training has {settings.steps}")
            with self._naming_memory("while the model was loaded"):
                self._base.load(request)
            adapted = add_lora(self._base.model, request)
        except BaseException:
            batches.close()
            raise
        factors: dict[str, Any] = factors_of(adapted)
        optimizer = torch.optim.AdamW(
            factors.values(),
            lr=settings.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=settings.weight_decay,
        )
        for factor in factors.values():
            optimizer.state[factor] = {
                "step": torch.zeros(()),
                **{name: torch.zeros_like(factor, requires_grad=False) for name in _MOMENTS},
            }
        training = _Training(request, adapted, batches, factors, optimizer, 0, 0, time.monotonic())
        self._training = training
        if self._group.rank == 0:
            self._resume(training)
        return training

    def _resume(self, training: _Training) -> None:
        request = training.request
        saved = read_checkpoint(request.checkpoint, request.key)
        if saved is None:
            return
        held = self._state_tensors(training)
        shapes = {name: tensor.shape for name, tensor in held.items()}
        fits = {name: tensor.shape for name, tensor in saved.tensors.items()} == shapes
        if not fits or not 0 <= saved.step <= request.training.steps:
            print("warning: the checkpoint does not match the request, so the training starts over", file=sys.stderr)
            return
        with torch.no_grad():
            for name, tensor in held.items():
                tensor.copy_(saved.tensors[name])
        training.step, training.tokens = saved.step, saved.tokens

    def _state_tensors(self, training: _Training) -> dict[str, Tensor]:
        state = training.optimizer.state
        tensors: dict[str, Tensor] = {}
        for name, factor in training.factors.items():
            tensors[name] = factor.detach()
            for moment in _MOMENTS:
                tensors[f"{name}.{moment}"] = state[factor][moment]
        return tensors

    def step(self) -> StepReport:
        """Applies one update from one batch; every process computes some of its rows."""
        training = self._running()
        settings = training.request.training
        number = training.step + 1
        local, tokens = self._group.together(lambda: self._backward(training, number))
        gradients = [factor.grad for factor in training.factors.values() if factor.grad is not None]
        self._group.add_up(gradients)
        loss = self._group.sum_of([local])[0]
        norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients]
        norm = float(torch.linalg.vector_norm(torch.stack(norms)))
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise TrainerError(
                f"training diverged at step {number}: loss {loss}, gradient norm {norm}; lower the learning rate"
            )
        if norm > settings.clip_norm:
            for gradient in gradients:
                gradient.mul_(settings.clip_norm / norm)
        for part in training.optimizer.param_groups:
            part["lr"] = learning_rate_at(settings.learning_rate, settings.warmup_steps, training.step, settings.steps)
        training.optimizer.step()
        training.step = number
        training.tokens += tokens
        self._save_when_due(training)
        return StepReport(number, loss, tokens)

    def _backward(self, training: _Training, number: int) -> tuple[float, int]:
        """Gradients of this process's rows, divided by the weight of the whole batch."""
        request = training.request
        batch = training.batches.step(training.step)
        check_tokens(self._base.model, batch)
        weight = float(batch.target_weights.double().sum())
        rows = batch.share(self._group.rank, self._group.size)
        training.adapted.train()
        # Dropout depends on seed and step, so a resumed training drops the same elements.
        torch.manual_seed(_mixed(request.seed, training.step, self._group.rank))
        for factor in training.factors.values():
            factor.grad = torch.zeros_like(factor)
        total = 0.0
        divisor = weight if weight > 0 else 1.0
        size = f"{self._rows_at_once(rows)} rows of {batch.input_ids.shape[1]} tokens per pass"
        with self._naming_memory(f"at step {number} with {size}"):
            for piece in rows.pieces(self._settings.micro_batch):
                loss = weighted_cross_entropy(training.adapted, piece.to(self._hardware.device), self._hardware)
                if loss.requires_grad:
                    (loss / divisor).backward()
                total += float(loss.detach())
        return total / divisor, int((batch.target_weights != 0).sum())

    def save(self) -> StepReport:
        """Writes the adapter as a PEFT folder and ends the training."""
        training = self._running()

        def write() -> None:
            if self._group.rank == 0:
                save_lora(training.adapted, training.request.output)

        self._group.together(write)
        if self._group.rank == 0:
            remove_checkpoint(training.request.checkpoint)
        report = StepReport(training.step, 0.0, training.tokens)
        self._end_training()
        return report

    def keep(self) -> None:
        """Writes a checkpoint now."""
        if self._training is not None:
            self._write_checkpoint(self._training)

    def drop(self) -> None:
        """Ends the training without a result."""
        if self._training is not None:
            self._end_training()

    def _running(self) -> _Training:
        if self._training is None:
            raise TrainerError("no training is running")
        return self._training

    def _end_training(self) -> None:
        training = self._running()
        self._training = None
        training.batches.close()
        remove_lora(training.adapted)
        _empty_cache(self._hardware)

    def _save_when_due(self, training: _Training) -> None:
        if time.monotonic() - training.saved_at >= self._settings.checkpoint_seconds:
            self._write_checkpoint(training)

    def _write_checkpoint(self, training: _Training) -> None:
        training.saved_at = time.monotonic()
        if self._group.rank == 0 and training.step > 0:
            state = State(training.step, training.tokens, self._state_tensors(training))
            write_checkpoint(training.request.checkpoint, training.request.key, state)

    # Evaluation

    def begin_evaluation(self, request: EvaluateRequest) -> int:
        """Sets up the weights and adapter of an evaluation. A running training is paused unchanged.

        Returns:
            Number of batches to score. `end_evaluation` must follow in any case, even after an error.
        """
        return self._group.together(lambda: self._prepare_evaluation(request)).batches.steps

    def _prepare_evaluation(self, request: EvaluateRequest) -> _Evaluation:
        batches = BatchesFile(request.batches)
        try:
            if self._training is None:
                with self._naming_memory("while the model was loaded"):
                    self._base.load(request)
                model, restore = self._over_base(request)
            else:
                model, restore = self._beside_training(self._training, request)
        except BaseException:
            batches.close()
            raise
        model.eval()
        self._evaluation = _Evaluation(model, batches, restore)
        return self._evaluation

    def _over_base(self, request: EvaluateRequest) -> tuple[Any, Callable[[], None]]:
        if request.adapter is None:
            return self._base.model, lambda: None
        adapted = load_adapter(self._base.model, request.adapter)
        return adapted, lambda: remove_lora(adapted)

    def _beside_training(self, training: _Training, request: EvaluateRequest) -> tuple[Any, Callable[[], None]]:
        adapted = training.adapted
        if request.adapter is not None:
            try:
                adapted.load_adapter(request.adapter, adapter_name="measured")
            except Exception as error:
                if "measured" in adapted.peft_config:
                    adapted.delete_adapter("measured")
                adapted.set_adapter("default")
                raise TrainerError(f"PEFT cannot load the adapter {request.adapter}: {error}") from error
            adapted.set_adapter("measured")
        else:
            adapted.base_model.disable_adapter_layers()

        def undo() -> None:
            if request.adapter is not None:
                adapted.delete_adapter("measured")
            else:
                adapted.base_model.enable_adapter_layers()
            adapted.set_adapter("default")

        try:
            before = self._base.swap(request)
        except BaseException:
            undo()
            raise

        def restore() -> None:
            self._base.restore(before)
            undo()

        return adapted, restore

    def evaluate_step(self) -> tuple[float, float, int]:
        """Scores the next batch.

        Returns:
            Σ weight · cross-entropy, Σ weight, and the number of targets with a weight.
        """
        evaluation = self._evaluation
        if evaluation is None:
            raise TrainerError("no evaluation is running")
        batch = evaluation.batches.step(evaluation.step)
        evaluation.step += 1

        def score() -> float:
            check_tokens(self._base.model, batch)
            rows = batch.share(self._group.rank, self._group.size)
            total = 0.0
            where = f"in an evaluation with {self._rows_at_once(rows)} rows per pass"
            with torch.no_grad(), self._naming_memory(where):
                for piece in rows.pieces(self._settings.micro_batch):
                    on_device = piece.to(self._hardware.device)
                    total += float(weighted_cross_entropy(evaluation.model, on_device, self._hardware))
            return total

        loss = self._group.sum_of([self._group.together(score)])[0]
        return loss, float(batch.target_weights.double().sum()), int((batch.target_weights != 0).sum())

    def end_evaluation(self) -> None:
        """Removes what an evaluation has set up."""
        evaluation, self._evaluation = self._evaluation, None
        if evaluation is not None:
            evaluation.batches.close()
            evaluation.restore()

    def pass_over(self, request: TrainRequest | EvaluateRequest) -> None:
        """Records a request that is not served, since later requests do not repeat its changed modules."""
        self._base.note(request)

    # Memory

    def _rows_at_once(self, rows: Rows) -> int:
        return min(len(rows), self._settings.micro_batch or len(rows))

    def _naming_memory(self, where: str) -> _NamingMemory:
        return _NamingMemory(where, self._hardware)


class _NamingMemory:
    """Converts running out of memory into one error that says what to reduce."""

    def __init__(self, where: str, hardware: Hardware) -> None:
        self._where = where
        self._hardware = hardware

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not is_out_of_memory(error):
            return
        _empty_cache(self._hardware)
        raise TrainerError(
            f"out of memory {self._where} on {self._hardware.device}: start the trainer with a smaller "
            "--micro-batch, --gradient-checkpointing, --dtype bf16 or --load-in-4bit, "
            "or lower the peer's batch size or sequence length"
        ) from error


def _empty_cache(hardware: Hardware) -> None:
    if hardware.device.type == "cuda":
        torch.cuda.empty_cache()


def _mixed(seed: int, step: int, rank: int) -> int:
    """A seed for one step of one process (with the constants of SplitMix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) & (2**64 - 1)
    return mixed >> 1
