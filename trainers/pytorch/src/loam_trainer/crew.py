"""Rank 0 tells the other processes which method of their engine to call next."""

from __future__ import annotations

from typing import Any, Protocol

from .engine import Engine
from .group import Group

_STOP = "stop"


class Crew(Protocol):
    """All engines of a trainer behind one interface."""

    def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method of every engine and returns the result of rank 0."""

    def close(self) -> None:
        """Lets the other processes end."""


class GroupCrew:
    """One process, or rank 0 of those started by torchrun."""

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
    """Runs in all processes except rank 0 until it stops. Failures here also fail at rank 0, which answers."""
    while True:
        method, arguments = group.say(None)
        if method == _STOP:
            group.leave()
            return
        try:
            getattr(engine, method)(*arguments)
        except Exception as error:
            print(f"worker {group.rank}: {error}", flush=True)
