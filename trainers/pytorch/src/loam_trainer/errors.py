"""Errors that are reported as one answer."""

#: Maximum length of a reason in the contract.
REASON_MAX = 2_000


class TrainerError(Exception):
    """A request cannot be served; the message says why and what to do. The trainer continues."""


def reason_of(error: BaseException) -> str:
    """The text of an error for a `failed` answer, prefixed with the type if the error was unexpected."""
    text = str(error) if isinstance(error, TrainerError) else f"{type(error).__name__}: {error}"
    text = text.strip() or type(error).__name__
    return text if len(text) <= REASON_MAX else text[: REASON_MAX - 1] + "…"
