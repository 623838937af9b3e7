"""Errors of libraries, the cloud and the machine, in words that a user can act on."""

from __future__ import annotations

import errno

from google.auth.exceptions import GoogleAuthError

from python_jobs.infra.errors import ConnectionFailed, ShelfcastError

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write or read there",
    errno.EPERM: "this user may not do that",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EISDIR: "that is a folder, not a file",
    errno.ENAMETOOLONG: "that name is too long",
    errno.EMFILE: "too many files are open",
}

_REMEDIES = {
    errno.ENOSPC: "Free some space, and start again: a run goes on with its --run-id.",
    errno.EDQUOT: "Free some space, and start again: a run goes on with its --run-id.",
    errno.EROFS: "Mount it to be written, or name another place.",
}


UNUSABLE_KEYS = (GoogleAuthError, OSError, ValueError, AttributeError, KeyError, TypeError)
"""What Google's clients raise of a key file that is missing, or not what they expect."""


def in_words(error: BaseException) -> ShelfcastError | None:
    """Say what a foreign error means.

    Args:
        error: of a library, the operating system or the cloud.

    Returns:
        The error to show; None where nobody foresaw it.
    """
    if isinstance(error, ShelfcastError):
        return error
    return _of_the_machine(error) or _of_the_cloud(error)


def _of_the_machine(error: BaseException) -> ShelfcastError | None:
    if isinstance(error, MemoryError):
        return ShelfcastError(
            "there is not enough memory. Give the job more, or let it do less at a time: fewer "
            "processes (--jobs), more tasks, fewer series or origins."
        )
    if type(error).__name__ in ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker"):
        return ShelfcastError(
            "a worker process was killed, most often because memory ran out. Give the job more "
            "memory or fewer processes (--jobs), and start again: a run goes on with its --run-id."
        )
    if isinstance(error, OSError) and error.errno in _DISK:
        return ShelfcastError(f"{error.filename}: {disk(error)}" if error.filename else disk(error))
    return None


def disk(error: OSError) -> str:
    """Say what is wrong with a disk or a path."""
    what = _DISK.get(error.errno or 0, error.strerror or type(error).__name__)
    return f"{what}. {_REMEDIES.get(error.errno or 0, '')}".rstrip()


def _of_the_cloud(error: BaseException) -> ShelfcastError | None:
    from google.api_core.exceptions import GoogleAPICallError, RetryError

    if isinstance(error, GoogleAuthError):
        return ConnectionFailed(
            f"Google refuses the credentials ({first_line(error)}). Run `gcloud auth "
            "application-default login`, or set SHELFCAST_KEYFILE to a service account's key."
        )
    if isinstance(error, RetryError):
        return ConnectionFailed(f"Google Cloud did not answer in time: {first_line(error)}.")
    if isinstance(error, GoogleAPICallError):
        return of_api_call(error)
    return None


def of_api_call(error: Exception, who: str = "Google Cloud") -> ShelfcastError:
    """Say what a refused call means, by its status.

    Args:
        error: a GoogleAPICallError.
        who: which service refused.
    """
    code, text = getattr(error, "code", None), first_line(error)
    if code in (401, 403) and not is_rate_limit(error):
        return ConnectionFailed(
            f"{who} refuses: {text}. The account that runs this lacks a right, or its credentials "
            "have expired; deploy/principals.md lists the rights of each account."
        )
    if is_rate_limit(error) or code == 429:
        return ShelfcastError(
            f"{who} refuses: {text}. A quota is used up, and waiting did not help. Start again "
            "later: a run goes on with its --run-id."
        )
    if code is not None and int(code) >= 500:
        return ConnectionFailed(f"{who} does not answer well ({text}). Start again later.")
    return ShelfcastError(f"{who} refuses: {text}")


RATE_LIMITS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded"})
"""Reasons that BigQuery gives where too much was asked in too short a time."""


def is_rate_limit(error: Exception) -> bool:
    """Whether BigQuery refuses because too much was asked in too short a time."""
    reasons = {one.get("reason") for one in getattr(error, "errors", None) or [] if one}
    return bool(reasons & RATE_LIMITS) or "rateLimitExceeded" in str(error)


def first_line(error: BaseException) -> str:
    """The first line of an error's own message, else its kind."""
    text = str(getattr(error, "message", None) or error).strip().split("\n", maxsplit=1)[0]
    return text.rstrip(".") or type(error).__name__


def unforeseen(error: BaseException) -> str:
    """One line for an error that nobody foresaw."""
    return f"unforeseen {type(error).__name__}: {first_line(error)}"
