"""The two channels between a daemon and its trainer: JSON lines, or files in the home."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO

from .contract import CONTRACT_VERSION, Request, UnreadableRequestError, parse_request
from .errors import TrainerError, reason_of

#: Maximum length of a request line; those of a daemon are a few kilobytes.
_LINE_MAX = 64 * 1024 * 1024

#: Number of polls without a session after which the session is over; a shared file system may lag.
_MISSES_MAX = 5


class Ended:
    """Queued when no further requests will arrive."""


class NewSession:
    """Queued when the home's session is over, or another daemon process has started one."""


Event = Request | UnreadableRequestError | Ended | NewSession


class Channel(ABC):
    """Receives requests from the daemon in a thread, and sends answers to it."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read_all, daemon=True, name="requests")

    def start(self) -> None:
        """Starts reading."""
        self._thread.start()

    def next(self) -> Event:
        """Waits for the next event."""
        return self.events.get()

    def waiting(self) -> list[Event]:
        """Events that have already arrived."""
        events: list[Event] = []
        while True:
            try:
                events.append(self.events.get_nowait())
            except queue.Empty:
                return events

    @abstractmethod
    def send(self, answer: dict[str, Any]) -> None:
        """Sends one answer."""

    @abstractmethod
    def _read(self) -> None:
        """Puts events into the queue until there are no more."""

    def _read_all(self) -> None:
        try:
            self._read()
        except Exception as error:
            print(f"error: cannot read further requests: {reason_of(error)}", file=sys.stderr, flush=True)
        self.events.put(Ended())

    def _put(self, text: bytes) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            print(f"warning: not a request: {text[:200]!r}", file=sys.stderr, flush=True)
            return
        try:
            self.events.put(parse_request(message))
        except UnreadableRequestError as error:
            self.events.put(error)


class Pipe(Channel):
    """Standard input and output of a process that the daemon has started."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        super().__init__()
        self._reads = reads
        self._writes = writes

    def send(self, answer: dict[str, Any]) -> None:
        try:
            self._writes.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
            self._writes.flush()
        except BrokenPipeError:
            # The daemon is gone, which the end of standard input also signals.
            self.events.put(Ended())

    def _read(self) -> None:
        while line := self._reads.readline(_LINE_MAX):
            if line.strip():
                self._put(line)


def contract_pipe() -> Pipe:
    """Reserves standard output for the contract; all other output goes to standard error."""
    sys.stdout.flush()
    writes = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    reads = os.fdopen(os.dup(0), "rb")
    # Libraries that prompt for input must not read a request as the answer.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Pipe(reads, writes)


class HomeFiles(Channel):
    """Files in the home of a daemon that did not start this process (`--attach`)."""

    def __init__(self, home: str, poll_seconds: float = 0.2) -> None:
        super().__init__()
        self._root = Path(home) / "trainer"
        self._poll = poll_seconds
        self._session: str | None = None
        #: The session that has received a `ready`.
        self._answering: str | None = None
        self._sent = 0
        self._lock = threading.Lock()

    def send(self, answer: dict[str, Any]) -> None:
        with self._lock:
            if answer["type"] == "ready":
                self._answering = self._session
                self._sent = 0 if self._session is None else self._last_sent(self._session)
            # Answers to requests of an earlier session are not for this session's daemon.
            if self._session is None or self._answering != self._session:
                return
            folder = self._root / self._session / "answers"
            self._sent += 1
            name = f"{self._sent:06d}.json"
            partial = folder / f".{name}.partial"
            try:
                partial.write_text(json.dumps(answer, allow_nan=False))
                partial.replace(folder / name)
                (folder / ".last").write_text(str(self._sent))
            except OSError as error:
                print(f"warning: cannot answer in {folder}: {error}", file=sys.stderr, flush=True)

    def _read(self) -> None:
        print(f"waiting for a session in {self._root}", file=sys.stderr, flush=True)
        misses = 0
        while True:
            session = self._current_session()
            misses = misses + 1 if session is None else 0
            is_over = self._session is not None and misses >= _MISSES_MAX
            if is_over or (session is not None and session != self._session):
                with self._lock:
                    self._session = session
                self.events.put(NewSession())
            if session is None or not self._read_requests(session):
                time.sleep(self._poll)

    def _current_session(self) -> str | None:
        try:
            found = json.loads((self._root / "session.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("session"), str):
            return None
        if found.get("contract") != CONTRACT_VERSION:
            raise TrainerError(
                f"the daemon of {self._root.parent} uses version {found.get('contract')} of the contract, "
                f"but this trainer uses version {CONTRACT_VERSION}: install a matching version"
            )
        session: str = found["session"]
        return session if Path(session).name == session else None

    def _last_sent(self, session: str) -> int:
        folder = self._root / session / "answers"
        try:
            last = int((folder / ".last").read_text())
        except (OSError, ValueError):
            last = 0
        there = [int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit()]
        return max([last, *there])

    def _read_requests(self, session: str) -> bool:
        found = sorted((self._root / session / "requests").glob("[0-9]*.json"))
        for path in found:
            try:
                text = path.read_bytes()
                path.unlink()
            except OSError:
                continue
            self._put(text)
        return bool(found)
