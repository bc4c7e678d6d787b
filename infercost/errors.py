"""The one tree of errors: each knows its exit code and what the user can do next."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every infercost command (documented in docs/exit-codes.md)."""

    OK = 0
    ERROR = 1
    BAD_USAGE = 2
    PARTLY_REJECTED = 3
    NO_DATA = 4
    STORE_BUSY = 5
    CHECK_FAILED = 6
    COULD_NOT_TELL = 7


EXIT_CODE_MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "everything asked for was done",
    ExitCode.ERROR: "nothing or not all was done: a file, the store or a query failed",
    ExitCode.BAD_USAGE: "the command line, the configuration or a query parameter is wrong",
    ExitCode.PARTLY_REJECTED: "done, but some records or files could not be read",
    ExitCode.NO_DATA: "the window asked for holds no data",
    ExitCode.STORE_BUSY: "another infercost process is writing to the store, or checking it",
    ExitCode.CHECK_FAILED: "a check found something to act on",
    ExitCode.COULD_NOT_TELL: "a check could not tell: too little data, or none that is new",
}


class InfercostError(Exception):
    """Something the user can act on; `hint` says how, and `exit_code` is what the process returns."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(InfercostError):
    """A flag, an argument or a parameter that cannot be understood."""

    exit_code = ExitCode.BAD_USAGE


class ConfigError(InfercostError):
    """infercost.toml is missing something, or says something that is not allowed."""

    exit_code = ExitCode.BAD_USAGE


class SourceError(InfercostError):
    """A log file that cannot be opened, read or recognised as a whole."""


class FormatError(InfercostError):
    """A format folder whose declaration or SQL is not usable."""


class MappingError(FormatError):
    """A mapping file that is missing something, or says something that is not allowed."""

    exit_code = ExitCode.BAD_USAGE


class StoreError(InfercostError):
    """The store cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process holds the store's write lock."""

    exit_code = ExitCode.STORE_BUSY


class QueryError(InfercostError):
    """A query that DuckDB refuses, or that would write."""


class NoDataError(InfercostError):
    """A window without data; the hint names the newest data and the flag to use."""

    exit_code = ExitCode.NO_DATA


class InternalError(InfercostError):
    """A law that infercost itself has to keep does not hold; nothing that the user did."""
