"""What has become of a run."""

from enum import StrEnum


class Status(StrEnum):
    """The state of an attempt, or of a planned run that has none yet (`queued`)."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    """The writer is gone and left no result: the attempt may be resumed."""
    FAILED = "failed"
    CORRUPT = "corrupt"
    """A file of the attempt cannot be read."""
