"""What can go wrong around a review, for the person who reads the job's log."""

from __future__ import annotations


class ReviewError(Exception):
    """A job cannot do what it is for; the text says what is wrong, where, and how to mend it."""


class SettingsError(ReviewError):
    """What CI hands over (variables, secrets, the event) is not what a job needs."""


class GitError(ReviewError):
    """The clone does not have what has to be read from it."""


class VcsError(ReviewError):
    """GitHub or GitLab refused a request, or could not be reached."""


class TransientVcsError(VcsError):
    """The same, where a second attempt may succeed; `wait` is how many seconds to wait before it, where it said so."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait
