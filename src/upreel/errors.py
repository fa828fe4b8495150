"""Every error that Upreel raises on purpose.

    UpreelError                 something a person can act on; one line, no traceback
    ├── UsageError              what was asked for cannot be (ValueError); exit status 2
    │   └── ConfigError         a recipe or another file of settings is wrong
    ├── MediaError              a file cannot be read as video (ValueError); exit status 1
    │   └── DamagedError        it can be read in part only
    ├── OutputError             the result cannot be written (OSError); exit status 1
    ├── DownloadError           a file cannot be fetched (OSError); exit status 1
    ├── WeightsError            a file of weights is not what it says (ValueError); exit status 1
    └── NumericError            a network returned values that are not finite (ArithmeticError)

A message says what was expected, what was found, and what to do, in one line.
"""

from __future__ import annotations


class UpreelError(Exception):
    """Base of all errors that a user can act on."""

    exit_status = 1


class UsageError(UpreelError, ValueError):
    """What was asked for cannot be done: an option, a combination of options, a name."""

    exit_status = 2


class ConfigError(UsageError):
    """A file of settings has an unknown key or an unusable value."""


class MediaError(UpreelError, ValueError):
    """A file cannot be read as video or image."""


class DamagedError(MediaError):
    """A file can be read in part only: it is truncated, or packets in it are corrupt."""


class OutputError(UpreelError, OSError):
    """The result cannot be written."""


class DownloadError(UpreelError, OSError):
    """A file cannot be fetched, or is not what was published."""


class WeightsError(UpreelError, ValueError):
    """A file of weights is missing, damaged, or made for another network."""


class NumericError(UpreelError, ArithmeticError):
    """A network returned values that are not finite."""


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "out of memory",
    "bad_alloc",
    "could not create a primitive",  # oneDNN, where it cannot have a buffer
    "can't start new thread",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of the ways in which Python, PyTorch and others lack memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
