"""The contract's loop: requests in, answers out, one training at a time."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass
from typing import Any

from .channel import Channel, Ended, Event, NewSession
from .contract import (
    CONTRACT_VERSION,
    CancelRequest,
    EvaluateRequest,
    FinishRequest,
    TrainRequest,
    UnreadableRequestError,
)
from .crew import Crew
from .engine import StepReport
from .errors import TrainerError, reason_of


@dataclass(frozen=True)
class Identity:
    """What the trainer reports about itself."""

    name: str
    version: str
    device: str
    precision: str
    features: tuple[str, ...] = ("evaluate", "finish")

    def ready(self) -> dict[str, Any]:
        """The first answer."""
        return {
            "type": "ready",
            "contract": CONTRACT_VERSION,
            "name": self.name,
            "version": self.version,
            "device": self.device,
            "precision": self.precision,
            "features": list(self.features),
        }


class _Stopped(Exception):  # noqa: N818
    """Ends the training without a result."""


class Service:
    """Serves requests until there are no more."""

    def __init__(self, channel: Channel, crew: Crew, identity: Identity) -> None:
        self._channel = channel
        self._crew = crew
        self._identity = identity
        self._waiting: deque[Event] = deque()
        self._has_ended = False

    def run(self, is_attached: bool = False) -> None:
        """Returns when the daemon has ended."""
        self._channel.start()
        if not is_attached:
            self._channel.send(self._identity.ready())
        while not self._has_ended:
            event = self._waiting.popleft() if self._waiting else self._channel.next()
            if isinstance(event, TrainRequest):
                self._train(event)
            else:
                self._handle(event)
        self._crew.close()

    def _train(self, request: TrainRequest) -> None:
        try:
            self._loop(request)
        except _Stopped:
            self._crew.call("drop")
        except Exception as error:
            self._fail(request.id, error)
            self._crew.call("drop")

    def _loop(self, request: TrainRequest) -> None:
        steps = request.training.steps
        done: int = self._crew.call("begin", request)
        if done > 0:
            _note(f"training {request.id} resumes after step {done} of {steps}")
        wants_result = False
        while True:
            wants_result = self._between_steps(request) or wants_result
            if done >= steps or (wants_result and done > 0):
                break
            began = time.monotonic()
            report: StepReport = self._crew.call("step")
            done = report.step
            self._channel.send(
                {
                    "type": "progress",
                    "id": request.id,
                    "step": done,
                    "steps": steps,
                    "loss": report.loss,
                    "tokensPerSecond": report.tokens / max(time.monotonic() - began, 1e-6),
                }
            )
        saved: StepReport = self._crew.call("save")
        self._channel.send(
            {
                "type": "result",
                "id": request.id,
                "folder": request.output,
                "steps": saved.step,
                "tokens": saved.tokens,
                "device": self._identity.device,
                "precision": self._identity.precision,
            }
        )

    def _between_steps(self, training: TrainRequest) -> bool:
        """Handles events that arrived; returns whether the result of the steps so far is requested."""
        wants_result = False
        self._pull()
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, CancelRequest) and event.id == training.id:
                self._channel.send({"type": "cancelled", "id": training.id})
                raise _Stopped
            if isinstance(event, (Ended, NewSession)):
                self._crew.call("keep")
                self._handle(event)
                raise _Stopped
            if isinstance(event, FinishRequest) and event.id == training.id:
                wants_result = True
            elif isinstance(event, TrainRequest):
                self._crew.call("pass_over", event)
                self._fail(event.id, TrainerError(f"training {training.id} is already running"))
            else:
                self._handle(event, training)
        return wants_result

    def _handle(self, event: Event, training: TrainRequest | None = None) -> None:
        """Handles any event except a training request."""
        if isinstance(event, Ended):
            self._has_ended = True
        elif isinstance(event, NewSession):
            self._channel.send(self._identity.ready())
        elif isinstance(event, UnreadableRequestError):
            if event.id is None:
                _note(f"warning: {event}")
            else:
                self._fail(event.id, event)
        elif isinstance(event, EvaluateRequest):
            self._evaluate(event, training)
        elif isinstance(event, (CancelRequest, FinishRequest)):
            # The cancellation crossed the last answer to that request.
            _note(f"no request with number {event.id} is running")

    def _evaluate(self, request: EvaluateRequest, training: TrainRequest | None) -> None:
        try:
            sums = self._scores(request, training)
        except Exception as error:
            self._fail(request.id, error)
            return
        if sums is None:
            return
        loss, weight, tokens = sums
        if tokens == 0 or weight == 0 or not math.isfinite(loss):
            reason = f"the loss is {loss}" if tokens else "the batches have no target with a weight"
            self._fail(request.id, TrainerError(reason))
            return
        answer = {"type": "evaluation", "id": request.id, "loss": loss / weight, "tokens": tokens}
        self._channel.send(answer)

    def _scores(self, request: EvaluateRequest, training: TrainRequest | None) -> tuple[float, float, int] | None:
        """Sums over the batches; None if it was stopped."""
        loss, weight, tokens = 0.0, 0.0, 0
        try:
            steps: int = self._crew.call("begin_evaluation", request)
            for _ in range(steps):
                if self._stops(request, training):
                    return None
                more: tuple[float, float, int] = self._crew.call("evaluate_step")
                loss, weight, tokens = loss + more[0], weight + more[1], tokens + more[2]
        finally:
            self._crew.call("end_evaluation")
        return loss, weight, tokens

    def _stops(self, request: EvaluateRequest, training: TrainRequest | None) -> bool:
        """Whether an event has arrived that must not wait for the evaluation."""
        self._pull()
        for event in self._waiting:
            if isinstance(event, (Ended, NewSession)):
                return True
            if isinstance(event, CancelRequest) and event.id == request.id:
                self._waiting.remove(event)
                self._channel.send({"type": "cancelled", "id": request.id})
                return True
            if isinstance(event, CancelRequest) and training is not None and event.id == training.id:
                # The training has ten seconds to end; the evaluation restarts after that.
                self._waiting.append(request)
                return True
        return False

    def _pull(self) -> None:
        self._waiting.extend(self._channel.waiting())

    def _fail(self, request_id: int, error: BaseException) -> None:
        _note(f"error: {reason_of(error)}")
        if not isinstance(error, TrainerError):
            traceback.print_exception(error)
        self._channel.send({"type": "failed", "id": request_id, "reason": reason_of(error)})


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
