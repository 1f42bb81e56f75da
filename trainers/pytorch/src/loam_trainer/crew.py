"""Rank 0 tells the other processes which method of their engine comes next."""

from __future__ import annotations

from typing import Any, Protocol

from .engine import Engine
from .group import Group

_STOP = "stop"


class Crew(Protocol):
    """All engines of a trainer, as one."""

    def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method of every engine; returns what rank 0's returns."""

    def close(self) -> None:
        """Lets the other processes end."""


class GroupCrew:
    """One process, or rank 0 of those that torchrun has started."""

    def __init__(self, engine: Engine, group: Group) -> None:
        self._engine = engine
        self._group = group

    def call(self, method: str, *arguments: Any) -> Any:
        self._group.say((method, arguments))
        return getattr(self._engine, method)(*arguments)

    def close(self) -> None:
        self._group.say((_STOP, ()))
        self._group.leave()


def follow(engine: Engine, group: Group) -> None:
    """What the processes but rank 0 do until it stops. What fails here fails at rank 0 too, which answers."""
    while True:
        method, arguments = group.say(None)
        if method == _STOP:
            group.leave()
            return
        try:
            getattr(engine, method)(*arguments)
        except Exception as error:
            print(f"worker {group.rank}: {error}", flush=True)
