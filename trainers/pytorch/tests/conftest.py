"""Tiny random models and batches, and a trainer process to communicate with."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)

VOCABULARY = 48
#: Timeout for processes on a busy machine, some of which load Ray or TRL.
PATIENCE = 300.0

LLAMA_MODULES = [f"model.layers.{layer}.self_attn.{name}_proj" for layer in range(2) for name in "qv"] + [
    "model.layers.1.mlp.down_proj"
]
GPT2_MODULES = ["transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_proj", "transformer.h.1.mlp.c_fc"]


def make_llama(folder: Path, seed: int = 1) -> Path:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def make_gpt2(folder: Path) -> Path:
    torch.manual_seed(2)
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def make_batches(
    path: Path, steps: int = 6, rows: int = 4, length: int = 12, seed: int = 3, packed: bool = True
) -> Path:
    generator = torch.Generator().manual_seed(seed)
    size = (steps, rows, length)
    tokens = torch.randint(0, VOCABULARY, (steps, rows, length + 1), generator=generator, dtype=torch.int32)
    weights = (torch.rand(size, generator=generator) < 0.8).float()
    tensors = {
        "input_ids": tokens[..., :-1].contiguous(),
        "target_ids": tokens[..., 1:].contiguous(),
        "target_weights": weights,
    }
    if packed:
        border = torch.randint(2, length - 3, (steps, rows, 1), generator=generator)
        index = torch.arange(length).expand(size)
        segments = torch.where(index < border, 1, 2).to(torch.int32)
        segments[..., -1] = 0
        weights[segments == 0] = 0
        weights[(segments != segments.roll(-1, dims=-1))] = 0
        tensors["segments"] = segments
    save_file(tensors, path)
    return path


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gpt2(tmp_path_factory.mktemp("gpt2"))


RequestMaker = Callable[..., dict[str, Any]]


@pytest.fixture
def train_request(tmp_path: Path, llama: Path) -> RequestMaker:
    """Creates a `train` request for the tiny Llama; keywords replace its fields, or those of `training`."""
    made = iter(range(1, 1000))

    def make(**changes: Any) -> dict[str, Any]:
        number = next(made)
        steps = changes.pop("steps", 6)
        batches = changes.pop("batches", None) or make_batches(tmp_path / f"batches-{number}.safetensors", steps)
        training = {
            "steps": steps,
            "batchSize": 4,
            "sequenceLength": 12,
            "learningRate": 0.05,
            "warmupSteps": 2,
            "weightDecay": 0.1,
            "clipNorm": 0.5,
            "dropout": 0,
            "threads": 1,
        }
        training |= {key: changes.pop(key) for key in list(changes) if key in training}
        request = {
            "type": "train",
            "id": number,
            "key": f"key-{number}",
            "round": 1,
            "base": str(llama),
            "merged": None,
            "changed": [],
            "modules": LLAMA_MODULES,
            "rank": 3,
            "alpha": 6,
            "rsLora": False,
            "seed": 7,
            "batches": str(batches),
            "data": str(tmp_path / "data.jsonl"),
            "training": training,
            "deadline": "2100-01-01T00:00:00.000Z",
            "output": str(tmp_path / f"output-{number}"),
            "checkpoint": str(tmp_path / "checkpoint"),
        }
        unknown = set(changes) - set(request)
        assert not unknown, unknown
        return request | {key: str(value) if isinstance(value, Path) else value for key, value in changes.items()}

    return make


class TrainerProcess:
    """A trainer started by this test, as a daemon would start it."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        )
        self.errors: list[str] = []
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        for target in (self._read_answers, self._read_errors):
            threading.Thread(target=target, daemon=True).start()

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # Anything that is not an answer fails the test: standard output is reserved for the contract.
            self._answers.put(json.loads(line))
        self._answers.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def send(self, request: dict[str, Any] | bytes) -> None:
        assert self.process.stdin is not None
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def answer(self, *types: str) -> dict[str, Any]:
        """The next answer other than progress, or the next of one of these types."""
        while True:
            answer = self._answers.get(timeout=PATIENCE)
            assert answer is not None, "the trainer ended: " + "".join(self.errors[-30:])
            if answer["type"] in types or (not types and answer["type"] != "progress"):
                return answer

    def end(self) -> int:
        """Closes standard input and waits."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@pytest.fixture
def start() -> Iterator[Callable[..., TrainerProcess]]:
    """Starts trainers; those still running at the end are killed."""
    started: list[TrainerProcess] = []

    def run(*flags: str, command: list[str] | None = None, **environment: str) -> TrainerProcess:
        line = command or [sys.executable, "-m", "loam_trainer", "--device", "cpu", *flags]
        started.append(TrainerProcess(line, environment))
        return started[-1]

    yield run
    for trainer in started:
        if trainer.process.poll() is None:
            trainer.process.kill()
            trainer.process.wait()


def factors_in(folder: str | Path) -> dict[str, torch.Tensor]:
    """The factors of a PEFT folder."""
    from safetensors.torch import load_file

    return load_file(Path(folder) / "adapter_model.safetensors")


def largest_difference(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)
