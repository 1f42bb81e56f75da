"""Your own training loop behind the contract: TRL, transformers' Trainer, or anything that returns an adapter."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from .base import HeldBase
from .batches import BatchesFile
from .channel import Channel, Ended, HomeFiles, NewSession, contract_pipe
from .contract import CancelRequest, FinishRequest, TrainRequest, UnreadableRequestError
from .errors import TrainerError, reason_of
from .hardware import Hardware, hardware_of
from .lora import add_lora, remove_lora, save_lora
from .options import Settings
from .service import Identity

#: Label of a token that is not a target, in transformers.
_IGNORED = -100


@dataclass(frozen=True)
class Outcome:
    """Result of a training, to report more than the adapter."""

    #: The trained PEFT model, or the path of a PEFT folder.
    adapter: Any
    #: Optimizer steps; the last value passed to `Job.progress` if absent.
    steps: int | None = None
    tokens: int | None = None
    #: Documents trained on, if the function reads `request.data` itself.
    samples: int | None = None
    #: `{"epsilon", "delta", "unit", "mechanism"}`, if the training was private.
    privacy: dict[str, Any] | None = None


class Job:
    """One round's training, as passed to your function by `serve`."""

    def __init__(self, request: TrainRequest, host: _Host) -> None:
        self.request = request
        self.steps_done = 0
        self.is_cancelled = False
        self._host = host
        self._wants_result = False
        self._adapted: Any = None

    def model(self) -> Any:
        """The base with the changes of sealed rounds and a fresh LoRA, as a `PeftModel`."""
        self._host.base.load(self.request)
        self._adapted = add_lora(self._host.base.model, self.request)
        return self._adapted

    def documents(self) -> Iterator[dict[str, list[int]]]:
        """`input_ids` and `labels` of every document in the request's batches, in their order.

        Packed rows are split, so that no collator can let one document attend to another. A document that was split to
        fit the sequence length appears as one document per part.
        """
        with BatchesFile(self.request.batches) as batches:
            for step in range(min(batches.steps, self.request.training.steps)):
                rows = batches.step(step)
                for row in range(len(rows)):
                    segments = None if rows.segments is None else rows.segments[row].tolist()
                    inputs = rows.input_ids[row].tolist()
                    targets = rows.target_ids[row].tolist()
                    weights = rows.target_weights[row].tolist()
                    for start, end in _runs(segments, len(inputs)):
                        labels = [
                            target if weight else _IGNORED
                            for target, weight in zip(targets[start:end], weights[start:end], strict=True)
                        ]
                        while labels and labels[-1] == _IGNORED:
                            labels.pop()
                        if labels:
                            # A label is stored at its own token, one position after the token that predicts it.
                            ids = [*inputs[start : start + len(labels)], labels[-1]]
                            yield {"input_ids": ids, "labels": [_IGNORED, *labels]}

    def dataset(self) -> Any:
        """`documents` as a `datasets.Dataset`."""
        from datasets import Dataset

        return Dataset.from_list(list(self.documents()))

    def tokenizer(self) -> Any:
        """The base's tokenizer, for trainers that need one."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.request.base, local_files_only=True)

    def arguments(self) -> dict[str, Any]:
        """The peer's settings as arguments of `transformers.TrainingArguments` or `trl.SFTConfig`."""
        settings = self.request.training
        return {
            "output_dir": str(self._host.folder),
            "max_steps": settings.steps,
            "per_device_train_batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "lr_scheduler_type": "cosine",
            "warmup_steps": settings.warmup_steps,
            "weight_decay": settings.weight_decay,
            "max_grad_norm": settings.clip_norm,
            "seed": self.request.seed % 2**32,
            "bf16": self._host.hardware.precision == "bf16",
            "use_cpu": self._host.hardware.device.type == "cpu",
            "logging_steps": 1,
            "report_to": "none",
            "save_strategy": "no",
            "disable_tqdm": True,
        }

    def callback(self) -> TrainerCallback:
        """Reports the progress of a transformers `Trainer` to the daemon, and stops it on the daemon's request."""
        return _Callback(self)

    def progress(self, step: int, loss: float) -> None:
        """Reports to the daemon that `step` steps are done; `loss` is that of the last step, nats per target."""
        self.steps_done = step
        self._host.channel.send(
            {
                "type": "progress",
                "id": self.request.id,
                "step": step,
                "steps": max(step, self.request.training.steps),
                "loss": loss,
            }
        )

    @property
    def should_stop(self) -> bool:
        """Whether to stop now: the daemon requests the result so far, or cancels. Check this between steps."""
        self._host.look(self)
        return self.is_cancelled or (self._wants_result and self.steps_done > 0)

    def finish(self) -> None:
        """Records that the result of the steps so far is requested."""
        self._wants_result = True

    def clean(self) -> None:
        """Removes the LoRA from the base."""
        if self._adapted is not None:
            remove_lora(self._adapted)
            self._adapted = None


class _Callback(TrainerCallback):
    def __init__(self, job: Job) -> None:
        self._job = job

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._job.steps_done = state.global_step
        if self._job.should_stop:
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if logs is not None and "loss" in logs:
            self._job.progress(state.global_step, float(logs["loss"]))


class _Host:
    """State for the lifetime of the process."""

    def __init__(self, channel: Channel, hardware: Hardware, settings: Settings, identity: Identity) -> None:
        self.channel = channel
        self.hardware = hardware
        self.base = HeldBase(settings, hardware)
        self.identity = identity
        self.folder = Path(tempfile.mkdtemp(prefix="loam-trainer-"))
        self.has_ended = False

    def look(self, job: Job | None) -> None:
        """Handles events that arrived during a training."""
        for event in self.channel.waiting():
            self.handle(event, job)

    def handle(self, event: Any, job: Job | None) -> None:
        running = None if job is None or job.is_cancelled else job
        if isinstance(event, (Ended, NewSession)):
            self.has_ended = self.has_ended or isinstance(event, Ended)
            if running is not None:
                running.is_cancelled = True
            if isinstance(event, NewSession):
                self.channel.send(self.identity.ready())
        elif isinstance(event, CancelRequest):
            if running is not None and event.id == running.request.id:
                running.is_cancelled = True
                self.channel.send({"type": "cancelled", "id": event.id})
        elif isinstance(event, FinishRequest):
            if running is not None and event.id == running.request.id:
                running.finish()
        elif isinstance(event, TrainRequest):
            self.base.note(event)
            self._refuse(event.id, "another training is already running")
        elif isinstance(event, UnreadableRequestError):
            if event.id is not None:
                self._refuse(event.id, str(event))
        else:
            self._refuse(event.id, "this trainer does not support evaluation")

    def _refuse(self, request_id: int, reason: str) -> None:
        self.channel.send({"type": "failed", "id": request_id, "reason": reason})


def serve(
    train: Callable[[Job], Any],
    *,
    name: str = "own-trainer",
    version: str = "0",
    settings: Settings | None = None,
    attach: str | None = None,
) -> None:
    """Serves the contract with your function until the daemon ends.

    Args:
        train: trains `job.model()` (or anything) and returns the trained PEFT model, the path of a PEFT folder, or an
            `Outcome`. It is called in this thread, once per round.
        name: name of the trainer in the daemon's log.
        version: version of the trainer.
        settings: precision and device of `job.model()`.
        attach: home of a daemon that did not start this process.
    """
    channel: Channel = contract_pipe()
    if attach is not None:
        channel = HomeFiles(attach)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainerError("serve() supports only one process: use python -m loam_trainer with torchrun")
    chosen = settings or Settings()
    hardware = hardware_of(chosen)
    identity = Identity(name, version, str(hardware.device), hardware.label, ("finish",))
    host = _Host(channel, hardware, chosen, identity)
    try:
        channel.start()
        if attach is None:
            channel.send(identity.ready())
        while not host.has_ended:
            event = channel.next()
            if isinstance(event, TrainRequest):
                _serve_one(train, Job(event, host), host)
            else:
                host.handle(event, None)
    finally:
        shutil.rmtree(host.folder, ignore_errors=True)


def _serve_one(train: Callable[[Job], Any], job: Job, host: _Host) -> None:
    request = job.request
    try:
        if host.hardware.device.type == "cpu":
            torch.set_num_threads(request.training.threads)
        made = train(job)
        host.look(job)
        if job.is_cancelled:
            return
        outcome = made if isinstance(made, Outcome) else Outcome(made)
        host.channel.send(_result(job, host, outcome))
    except Exception as error:
        traceback.print_exc()
        if not job.is_cancelled:
            host.channel.send({"type": "failed", "id": request.id, "reason": reason_of(error)})
    finally:
        job.clean()


def _result(job: Job, host: _Host, outcome: Outcome) -> dict[str, Any]:
    steps = job.steps_done if outcome.steps is None else outcome.steps
    if steps < 1:
        raise TrainerError("the training function made no step, or did not report it (job.progress, job.callback)")
    folder = job.request.output
    if isinstance(outcome.adapter, (str, os.PathLike)):
        folder = str(Path(outcome.adapter).absolute())
    else:
        save_lora(outcome.adapter, folder)
    said = {"tokens": outcome.tokens, "samples": outcome.samples, "privacy": outcome.privacy}
    return {
        "type": "result",
        "id": job.request.id,
        "folder": folder,
        "steps": steps,
        "device": str(host.hardware.device),
        "precision": host.hardware.label,
        **{key: value for key, value in said.items() if value is not None},
    }


def _runs(segments: list[int] | None, length: int) -> Iterator[tuple[int, int]]:
    """Start and end of every document in a row; padding (0) is omitted."""
    if segments is None:
        yield 0, length
        return
    start = 0
    for index in range(1, length + 1):
        if index == length or segments[index] != segments[start]:
            if segments[start] != 0:
                yield start, index
            start = index
