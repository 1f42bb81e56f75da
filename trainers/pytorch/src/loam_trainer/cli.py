"""The command `loam-trainer`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from . import __version__
from .channel import Channel, Ended, HomeFiles, contract_pipe
from .errors import TrainerError
from .options import Settings

NAME = "loam-trainer"

_EXAMPLES = """\
examples:
  loam peer --trainer 'loam-trainer --dtype bf16'
  loam peer --trainer 'torchrun --nproc-per-node 2 -m loam_trainer'
  loam peer --trainer 'loam-trainer --ray 4'
  loam peer --trainer attach      and, where the GPU is:  loam-trainer --attach ~/.loam

Reads requests from standard input and writes answers to standard output, one JSON object per line (docs/trainers.md).
Exit codes: 0 the daemon has ended, 1 error, 2 invalid flags.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Trains a Loam member's adapters with transformers and PEFT.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dtype",
        choices=["auto", "bf16", "f32"],
        default="auto",
        help="precision of the base; factors are float32 (default: auto, bf16 on a GPU that supports it)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--load-in-4bit", action="store_true", help="load the base in 4 bits with bitsandbytes (CUDA)")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="save memory by a second forward pass")
    parser.add_argument("--micro-batch", type=_positive, metavar="N", help="rows per pass (default: the whole batch)")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa", help="default: sdpa")
    parser.add_argument(
        "--checkpoint-seconds",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="time between checkpoints of a training (default: 60)",
    )
    parser.add_argument("--attach", metavar="HOME", help="find the daemon through its home instead of standard input")
    parser.add_argument("--ray", type=_positive, metavar="N", help="train with N workers of a Ray cluster")
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    settings = Settings(
        dtype=flags.dtype,
        device=flags.device,
        load_in_4bit=flags.load_in_4bit,
        gradient_checkpointing=flags.gradient_checkpointing,
        micro_batch=flags.micro_batch,
        attention=flags.attention,
        checkpoint_seconds=flags.checkpoint_seconds,
    )
    if flags.ray is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        parser.error("--ray and torchrun cannot be combined: run loam-trainer --ray directly")
    try:
        return _serve(settings, flags.attach, flags.ray)
    except TrainerError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(settings: Settings, home: str | None, ray_workers: int | None) -> int:
    # Comes before anything can print: from here on standard output is reserved for the contract.
    pipe = contract_pipe()
    channel: Channel = pipe if home is None else HomeFiles(home)
    # PyTorch takes seconds to load, so it is not loaded for --help and invalid flags.
    from .crew import Crew, GroupCrew, follow
    from .engine import Engine
    from .group import Group, join_group, launched_size
    from .hardware import hardware_of
    from .service import Identity, Service

    crew: Crew
    if ray_workers is not None:
        from .ray_crew import RayCrew

        crew = RayCrew(settings, ray_workers)
        device, precision, workers = crew.device, crew.precision, ray_workers
    else:
        rank, workers = int(os.environ.get("RANK", "0")), launched_size()
        hardware = hardware_of(settings, int(os.environ.get("LOCAL_RANK", "0")))
        group = Group() if workers == 1 else join_group(hardware.device, rank, workers)
        engine = Engine(settings, hardware, group)
        if group.rank > 0:
            follow(engine, group)
            return 0
        crew = GroupCrew(engine, group)
        device, precision = str(hardware.device), hardware.label
    device_text = device if workers == 1 else f"{workers} × {device.split(':')[0]}"
    identity = Identity(NAME, __version__, device_text, precision)
    # Sent by a scheduler that reclaims the machine: a running training saves a checkpoint.
    signal.signal(signal.SIGTERM, lambda *_: channel.events.put(Ended()))
    Service(channel, crew, identity).run(is_attached=home is not None)
    return 0
