"""Every exception that Timbrel raises on purpose.

    TimbrelError
    ├── InvalidArgument (ValueError)    a parameter breaks its rule
    ├── DataError (ValueError)          a data set cannot be used as a whole
    ├── AudioError (ValueError)         one recording cannot be used; has `finding`
    │   └── DecoderFailed               its decoder crashed, hung or ran out of memory
    ├── DecoderError (RuntimeError)     the decoder processes cannot be started
    ├── ModelError (ValueError)         a model cannot be read, or must not be written
    ├── DeviceError (OSError)           no sound can be recorded
    ├── FetchError (OSError)            a data set cannot be fetched completely
    ├── OutputError (OSError)           a result cannot be written
    └── MissingExtra (ImportError)      an optional dependency is not installed

Each message has one or two sentences: what is wrong, with which file or value, and what to do.
"""

from __future__ import annotations

import errno

from timbrel.findings import Finding

# Error numbers of a full disk and of a used-up quota.
FULL = (errno.ENOSPC, errno.EDQUOT)


class TimbrelError(Exception):
    """Base of all errors that Timbrel raises on purpose."""


class InvalidArgument(TimbrelError, ValueError):
    """A parameter breaks its rule; the message names parameter, rule and value."""


class DataError(TimbrelError, ValueError):
    """A data set cannot be used as a whole."""


class AudioError(TimbrelError, ValueError):
    """One recording cannot be used.

    Attributes:
        finding: what is wrong, as data.
        path: the recording, as the user named it.
        reason: what is wrong and what to do, without the path.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding
        self.path = finding.path
        self.reason = finding.reason


class DecoderFailed(AudioError):
    """The decoder crashed, hung or ran out of memory; it may succeed another time."""


class DecoderError(TimbrelError, RuntimeError):
    """The processes that decode recordings cannot be started."""

    @classmethod
    def of(cls, cause: str) -> DecoderError:
        """The error for a cause, with the command that shows more."""
        return cls(
            f"The processes that decode recordings cannot be started ({cause}). "
            "Run `python -m timbrel.worker` to see the error; reinstalling Timbrel may help."
        )


class ModelError(TimbrelError, ValueError):
    """A model cannot be read, or does not meet the requirements for being written."""


class DeviceError(TimbrelError, OSError):
    """No sound can be recorded: there is no sound card, or it does not work."""


class FetchError(TimbrelError, OSError):
    """A known data set cannot be fetched: no network, a missing file, or a wrong checksum."""


class OutputError(TimbrelError, OSError):
    """A result cannot be written."""

    @classmethod
    def of(cls, path: object, error: OSError) -> OutputError:
        """The error for a `path` that the system did not write, with its cause and a remedy."""
        if error.errno in FULL:
            return cls(
                f"Cannot write {path}: the disk is full. Free some space and run the command "
                "again; earlier files are unchanged."
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return cls(f"Cannot write {path}: no permission. Choose another folder with -o.")
        cause = (error.strerror or str(error)).rstrip(".")
        return cls(f"Cannot write {path}: {cause}; choose another place.")


class MissingExtra(TimbrelError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, extra: str, purpose: str) -> MissingExtra:
        """The error for a purpose, with the command that installs the extra."""
        return cls(f'{purpose} needs more packages: pip install "timbrel[{extra}]"')
