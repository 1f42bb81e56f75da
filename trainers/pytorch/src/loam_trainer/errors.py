"""Errors that become one answer."""

#: Longest reason that the contract allows.
REASON_MAX = 2_000


class TrainerError(Exception):
    """A request cannot be served; the message says why and what to do. The trainer goes on."""


def reason_of(error: BaseException) -> str:
    """The text of an error as a `failed` answer may hold it: one that was not expected has its type before it."""
    text = str(error) if isinstance(error, TrainerError) else f"{type(error).__name__}: {error}"
    text = text.strip() or type(error).__name__
    return text if len(text) <= REASON_MAX else text[: REASON_MAX - 1] + "…"
