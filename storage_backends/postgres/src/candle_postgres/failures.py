"""Postgres's SQLSTATEs, and what libpq says when there are none, in the words of the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from candle_hookspecs import (
    StorageConstraintError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnavailableError,
)
from candle_postgres.address import Address

_CLOSING: Final = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})  # told to go, or not yet let in


class ServerGoneError(StorageUnavailableError):
    """The server does not answer, or has closed the connection. It may be back in a moment."""


class CollisionError(StorageError):
    """Another transaction was in the way; this one was rolled back and may be tried again."""


@contextmanager
def translated(address: Address, *, writing: bool) -> Iterator[None]:
    """Raise what Postgres reports inside as the contract's errors, the cause chained."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _storage_error(address, cause, writing=writing) from error


def _storage_error(address: Address, cause: BaseException | None, *, writing: bool) -> StorageError:
    name = address.place
    told = _words(cause)
    match getattr(cause, "sqlstate", None) or "":
        case "" if isinstance(cause, psycopg.OperationalError) or type(cause) is psycopg.DatabaseError:
            return _unreachable(address, told)
        case state if state in _CLOSING or state.startswith("08"):
            return ServerGoneError(f"{name!r} has closed the connection ({told}); see whether the server runs")
        case "40001" | "40P01":
            return CollisionError(f"{name!r}: {told}; too many programs write the same symbols, run again")
        case "25006":
            return StorageReadOnlyError(
                f"{name!r} is read-only ({told}); give the address of the primary server, or make it writable"
            )
        case "42501" if writing:
            return StorageReadOnlyError(f"{name!r} may not be written by this role ({told}); GRANT it the permission")
        case "42501":
            return StorageUnavailableError(f"{name!r} may not be read by this role ({told}); GRANT it the permission")
        case "53100":
            return StorageFullError(
                f"no room left to write {name!r} ({told}); nothing of this write was stored: free space and run again"
            )
        case "53300":
            return _full_house(address, told)
        case state if state.startswith("XX"):
            return StorageCorruptError(f"{name!r} is damaged ({told}); restore it from a copy")
        case state if state.startswith("23"):
            return StorageConstraintError(f"{name!r} refuses a row ({told}); nothing of this write was stored")
        case _:
            return StorageError(f"{name!r}: {told}")


_MISTAKES: Final = (
    ("password authentication failed", "wrong user or password: correct the url under [storage]"),
    ("no password supplied", "the server wants a password: postgresql://user:password@host:5432/database"),
    ("no pg_hba.conf entry", "the server lets this user in from elsewhere only: add a line to its pg_hba.conf"),
    ("role ", "there is no such user: correct the url under [storage], or create it: createuser NAME"),
    ("database ", "there is no such database: correct the url under [storage], or create it: createdb NAME"),
    ("failed to resolve host", "there is no such host: correct the url under [storage]"),
    ("No such file or directory", "no server listens on this socket: start it, or correct the url under [storage]"),
    ("invalid ", "correct the url under [storage]"),
)
"""What a server, or the way to it, says to a mistake, and what to do. To the rest one can but try again."""

_MISSING: Final = ("role ", "database ")  # these say more than one thing about a name


def _unreachable(address: Address, told: str) -> StorageUnavailableError:
    name = address.place
    for words, advice in _MISTAKES:
        if words in told and (words not in _MISSING or "does not exist" in told):
            kind = ServerGoneError if words == "No such file or directory" else StorageUnavailableError
            return kind(f"{name!r} cannot be reached ({told}): {advice}")
    if "too many" in told or "remaining connection slots" in told:
        return _full_house(address, told)
    return ServerGoneError(f"{name!r} cannot be reached ({told}); see whether the server runs and lets you in")


def _full_house(address: Address, told: str) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"{address.place!r} has no connection left ({told}); lower pool_size under [storage], or raise the "
        "server's max_connections"
    )


def _words(cause: BaseException | None) -> str:
    """What was said, in one line; of a row that was refused only which rule it broke, not its values."""
    if isinstance(cause, psycopg.Error) and cause.diag.message_primary:
        return cause.diag.message_primary
    return " ".join(str(cause).split())
