"""The command as a daemon sees it: lines in, lines out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import LLAMA_MODULES, RequestMaker, TrainerProcess, factors_in, largest_difference, make_batches
from support import engine_of, evaluation, train_with

Starter = Callable[..., TrainerProcess]

SCHEMA = Path(__file__).parents[3] / "docs" / "trainer-contract.schema.json"


def check(answer: dict[str, Any]) -> None:
    """Validates against the schema in Loam's repository, if the tests run there."""
    if SCHEMA.is_file():
        schema = json.loads(SCHEMA.read_text())
        jsonschema.validate(answer, {"$ref": "#/$defs/answer", "$defs": schema["$defs"]})


def test_rounds_of_one_process(start: Starter, train_request: RequestMaker, llama: Path, tmp_path: Path) -> None:
    """Uses one process, since each takes seconds to load PyTorch, and sends it all kinds of requests."""
    trainer = start()
    ready = trainer.answer("ready")
    check(ready)
    assert ready["contract"] == 1
    assert ready["features"] == ["evaluate", "finish"]
    assert (ready["device"], ready["precision"]) == ("cpu", "f32")

    # Lines that are not requests, and malformed requests.
    trainer.send(b"garbage")
    trainer.send(b"")
    broken = train_request()
    del broken["rank"]
    trainer.send(broken)
    assert trainer.answer("failed") == {
        "type": "failed",
        "id": broken["id"],
        "reason": "train request: train lacks rank",
    }

    first = train_request()
    trainer.send(first)
    progress = [trainer.answer("progress") for _ in range(6)]
    for answer in progress:
        check(answer)
    assert [answer["step"] for answer in progress] == [1, 2, 3, 4, 5, 6]
    result = trainer.answer()
    check(result)
    assert result | {"type": "result", "id": first["id"], "steps": 6, "folder": first["output"]} == result
    again = first | {"output": str(tmp_path / "again")}
    losses = train_with(engine_of(), again)
    assert [answer["loss"] for answer in progress] == pytest.approx(losses, abs=1e-6)
    assert largest_difference(factors_in(first["output"]), factors_in(again["output"])) == 0
    assert set(factors_in(first["output"])) == {
        f"base_model.model.{name}.lora_{factor}.weight" for name in LLAMA_MODULES for factor in "AB"
    }
    config = json.loads((Path(first["output"]) / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"], config["use_dora"]) == (3, 6, False, False)

    # A non-finite loss, reported with its step.
    trainer.send(wild := train_request(learningRate=1e30, warmupSteps=0, clipNorm=1e30))
    failed = trainer.answer()
    check(failed)
    assert failed["id"] == wild["id"]
    assert "diverged at step" in failed["reason"]

    trainer.send(absent := train_request(base=tmp_path / "absent"))
    failed = trainer.answer()
    assert failed["id"] == absent["id"]
    assert "there is no base model" in failed["reason"]

    held = make_batches(tmp_path / "held.safetensors", 2)
    trainer.send(evaluation(llama, held, adapter=first["output"]))
    measured = trainer.answer()
    check(measured)
    assert measured["type"] == "evaluation"

    # In the middle of a long training: evaluate, a second training, finish.
    long = train_request(steps=4000, batches=make_batches(tmp_path / "long.safetensors", 4000))
    trainer.send(long)
    trainer.answer("progress")
    trainer.send(evaluation(llama, held, adapter=first["output"]))
    assert trainer.answer()["loss"] == pytest.approx(measured["loss"], abs=1e-6)
    trainer.send(second := train_request())
    refused = trainer.answer()
    assert (refused["type"], refused["id"]) == ("failed", second["id"])
    trainer.send({"type": "finish", "id": long["id"]})
    result = trainer.answer()
    check(result)
    assert result["type"] == "result"
    assert 0 < result["steps"] < 4000

    # Cancel; a cancellation that crosses the answer gets no answer.
    cancelled = long | {"id": 500, "key": "another"}
    trainer.send(cancelled)
    trainer.answer("progress")
    trainer.send({"type": "cancel", "id": 500})
    answer = trainer.answer()
    check(answer)
    assert answer == {"type": "cancelled", "id": 500}
    trainer.send({"type": "cancel", "id": 500})

    last = first | {"id": 501, "key": "last", "output": str(tmp_path / "last")}
    trainer.send(last)
    assert trainer.answer()["type"] == "result"
    assert largest_difference(factors_in(first["output"]), factors_in(last["output"])) == 0
    assert trainer.end() == 0


def test_a_killed_trainer_and_an_ended_daemon_resume(
    start: Starter, train_request: RequestMaker, tmp_path: Path
) -> None:
    batches = make_batches(tmp_path / "long.safetensors", 300)
    whole = train_request(steps=300, batches=batches, checkpoint=tmp_path / "other")
    train_with(engine_of(), whole)
    message = train_request(steps=300, batches=batches)
    killed = start("--checkpoint-seconds", "0")
    killed.send(message)
    while killed.answer("progress")["step"] < 3:
        pass
    killed.process.kill()
    killed.process.wait()
    # If no checkpoint was due, the end of standard input writes one.
    stopped = start("--checkpoint-seconds", "1000000")
    stopped.send(message)
    begun = stopped.answer("progress")["step"]
    assert begun > 3
    assert stopped.end() == 0
    resumed = start()
    resumed.send(message)
    assert resumed.answer("progress", "result").get("step", 300) > begun
    assert resumed.answer("result")["steps"] == 300
    assert largest_difference(factors_in(whole["output"]), factors_in(message["output"])) == 0


def test_files_of_a_home(start: Starter, train_request: RequestMaker, tmp_path: Path) -> None:
    home = tmp_path / "home"
    trainer = start("--attach", str(home))

    def begin(session: str) -> Path:
        folder = home / "trainer" / session
        for name in ("requests", "answers"):
            (folder / name).mkdir(parents=True)
        partial = home / "trainer" / "session.partial"
        partial.write_text(json.dumps({"contract": 1, "session": session}))
        partial.replace(home / "trainer" / "session.json")
        return folder

    def send(folder: Path, number: int, message: dict[str, Any]) -> None:
        partial = folder / "requests" / f".{number}"
        partial.write_text(json.dumps(message))
        partial.replace(folder / "requests" / f"{number:06d}.json")

    def answer(folder: Path, number: int) -> dict[str, Any]:
        path = folder / "answers" / f"{number:06d}.json"
        for _ in range(6000):
            if path.is_file():
                found: dict[str, Any] = json.loads(path.read_text())
                path.unlink()
                return found
            assert trainer.process.poll() is None, "".join(trainer.errors[-30:])
            pause(0.05)
        raise AssertionError(f"no {path}")

    first = begin("one")
    assert answer(first, 1)["type"] == "ready"
    message = train_request()
    send(first, 1, message)
    assert [answer(first, number)["type"] for number in range(2, 9)] == ["progress"] * 6 + ["result"]
    assert not list((first / "requests").iterdir())
    # A restarted daemon starts another session and repeats an earlier training request.
    long = train_request(steps=4000, batches=make_batches(tmp_path / "long.safetensors", 4000))
    send(first, 2, long)
    assert answer(first, 9)["type"] == "progress"
    second = begin("two")
    assert answer(second, 1)["type"] == "ready"
    send(second, 1, long)
    assert answer(second, 2)["step"] > 1
    trainer.process.terminate()
    assert trainer.process.wait(300) == 0
    assert (tmp_path / "checkpoint" / "loam-trainer.safetensors").is_file()


def test_a_home_of_another_contract_is_refused(start: Starter, tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "session.json").write_text(json.dumps({"contract": 2, "session": "s"}))
    trainer = start("--attach", str(tmp_path))
    trainer.process.wait(300)
    pause(0.1)
    assert "uses version 2 of the contract" in "".join(trainer.errors)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--help"], 0, "examples:"),
        (["--version"], 0, "loam-trainer "),
        (["--micro-batch", "0"], 2, "not a positive integer"),
        (["--dtype", "f16"], 2, "invalid choice"),
        (["--load-in-4bit", "--device", "cpu"], 1, "--load-in-4bit needs a CUDA device"),
        (["--device", "cuda:7"], 1, "--device cuda:7"),
        (["--device", "toaster"], 1, "--device toaster"),
    ],
)
def test_flags(flags: list[str], code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loam_trainer", *flags],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code != 0:
        assert done.stdout == ""


def pause(seconds: float) -> None:
    """Pauses between checks of a file."""
    import time

    time.sleep(seconds)
