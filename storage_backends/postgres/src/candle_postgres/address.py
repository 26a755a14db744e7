"""Where the database is, without the password."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

_FORM: Final = "postgresql://user:password@host:5432/database"
_SCHEME: Final = re.compile(r"postgres(ql)?(\+\w+)?://")
_DEFAULTS: Final = {  # a server that vanished without a word is noticed within a minute
    "fallback_application_name": "candle-data-manager",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A database on a server.

    Attributes:
        parameters: all that libpq needs to connect, the password included; never shown.
    """

    host: str
    port: str
    database: str
    parameters: dict[str, Any] = field(repr=False)

    @property
    def place(self) -> str:
        """The address as messages name it."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Take a URL apart as libpq does, that of SQLAlchemy (``postgresql+psycopg://``) included.

        Raises:
            ValueError: it is none, or names no database. The message repeats no part of it, for any part may turn out
                to be the password.
        """
        scheme = _SCHEME.match(url)
        if scheme is None:
            raise ValueError(f"it must be of the form {_FORM}")
        try:
            given = conninfo_to_dict(f"postgresql://{url[scheme.end() :]}")
        except psycopg.Error:
            raise ValueError(f"it must be of the form {_FORM}; write % as %25") from None
        parts = {name: str(value) for name, value in given.items()}
        host, port, database = parts.get("host", "localhost"), parts.get("port", "5432"), parts.get("dbname", "")
        if "@" in host[1:] or "@" in database or not re.fullmatch(r"[\d,]*", port):
            raise ValueError("in user and password write @ as %40, / as %2F, : as %3A and % as %25")
        if not database:
            raise ValueError(f"it names no database; it must be of the form {_FORM}")
        return cls(host, port, database, _DEFAULTS | parts)
