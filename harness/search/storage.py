"""Optuna's storages, where others see the study: SQLite, a journal, or PostgreSQL."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import AblateError, ConfigError
from harness.search.view import quiet

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "journal:"
POSTGRES = ("postgresql://", "postgresql+psycopg://")
PATIENCE_S = 30
SYNCED = ("PRAGMA journal_mode=DELETE", "PRAGMA synchronous=FULL")
"""A rollback journal and a full sync: what is committed survives a loss of power."""
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


def check_storage(written: str) -> None:
    """Refuse what is no storage.

    Raises:
        ConfigError: with the path below `storage`.
    """
    if written == "sqlite" or written.startswith(POSTGRES):
        return
    if written.startswith(JOURNAL):
        if not Path(written.removeprefix(JOURNAL)).is_absolute():
            raise ConfigError.at((), f"needs an absolute path after {JOURNAL}, but got {written!r}")
        return
    known = "sqlite, journal:/absolute/path or postgresql://USER@HOST/DATABASE"
    raise ConfigError.at((), f"must be {known}, but got {redacted(written)!r}")


def redacted(written: str) -> str:
    """Return an address without its password."""
    return _PASSWORD.sub(r"\1@", written)


def open_storage(written: str, folder: Path) -> "BaseStorage":
    """Connect to a storage; SQLite is a file in the study's folder.

    Raises:
        AblateError: it cannot be reached, or a package is missing.
    """
    with quiet():
        try:
            return _open(written, folder)
        except ImportError:
            missing = "a PostgreSQL study needs the package psycopg: pip install 'ablate[postgres]'"
            raise AblateError(missing) from None
        except Exception as error:
            raise AblateError(unreachable(written, error)) from None


def unreachable(written: str, error: BaseException) -> str:
    """Say that a storage cannot be used, in one line and without its password."""
    told = str(error.__cause__ or error).strip().splitlines()
    why = redacted(told[0]) if told else type(error).__name__
    return f"the study's database {redacted(written)} cannot be used: {why}"


def _open(written: str, folder: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    if written.startswith(JOURNAL):
        path = written.removeprefix(JOURNAL)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    if written == "sqlite":
        path = str(folder.resolve() / "study.db")
        return _synced(RDBStorage(f"sqlite:///{path}", {"connect_args": {"timeout": PATIENCE_S}}))
    limits = f"-c statement_timeout={1000 * PATIENCE_S}"
    settings: dict[str, Any] = {
        "connect_args": {"connect_timeout": 5, "options": limits},
        "pool_pre_ping": True,
    }
    address = written.replace("postgresql://", "postgresql+psycopg://", 1)
    return RDBStorage(address, settings)


def _synced(storage: Any) -> "BaseStorage":
    from sqlalchemy import event

    def set_up(connection: Any, _: object) -> None:
        for pragma in SYNCED:
            connection.execute(pragma)

    event.listen(storage.engine, "connect", set_up)
    storage.engine.dispose()  # connections made so far are not set up
    return storage
