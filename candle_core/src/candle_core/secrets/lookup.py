"""Where a secret is kept, and how it is had from there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from candle_hookspecs import ConfigError

FORMS: Final = '{ env = "NAME" }, { file = "path" } or { keyring = "service", user = "name" }'
"""What a user writes instead of a secret."""


class Confidential:
    """What may hold a key: it is not shown, and does not leave the process."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**********)"

    def __deepcopy__(self, _: object) -> "Confidential":
        """Itself: what holds a key is never changed, and copied by nobody."""
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} may hold a key and cannot be pickled; read candle.toml where it is needed"
        )


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret is kept. The secret itself is looked up at each `find`, and is not held here.

    Attributes:
        kind: ``env``, ``file`` or ``keyring``.
        name: of the variable; path of the file; service in the keyring.
        user: whose entry in the keyring; empty: that of the table it is for.
    """

    kind: str
    name: str
    user: str = ""

    @classmethod
    def read(cls, written: object) -> "SecretSource | None":
        """Read what stands in the TOML; None: it is nothing of the kind."""
        if not isinstance(written, Mapping):
            return None
        if (kind := next((kind for kind in ("env", "file") if written.keys() == {kind}), None)) is not None:
            return cls(kind, str(written[kind]))
        if "keyring" in written and written.keys() <= {"keyring", "user"}:
            return cls("keyring", str(written["keyring"]), str(written.get("user", "")))
        return None

    def find(self, base_dir: Path, user: str) -> str:
        """The secret.

        Args:
            base_dir: where a relative path starts.
            user: whose entry in the keyring, if none is said.

        Raises:
            ConfigError: it is not there, or empty, or the keyring cannot be used. The place in the file is the
                caller's to add.
        """
        if self.kind == "env":
            found = self._in_environment()
        elif self.kind == "file":
            found = self._in_file(base_dir)
        else:
            found = self._in_keyring(self.user or user)
        if not found:
            raise ConfigError(f"{self.label(user)} is empty")
        return found

    def label(self, user: str = "") -> str:
        """What messages call it."""
        if self.kind == "keyring":
            return f"the entry of {self.user or user!r} for {self.name!r} in the keyring"
        return f"the {'environment variable' if self.kind == 'env' else 'file'} {self.name!r}"

    def _in_environment(self) -> str:
        if self.name not in os.environ:
            raise ConfigError(f"{self.label()} is not set")
        return os.environ[self.name].strip()  # a file of variables written on Windows leaves "\r" behind each

    def _in_file(self, base_dir: Path) -> str:
        try:
            return (base_dir / Path(self.name).expanduser()).read_text(encoding="utf-8-sig").strip()
        except OSError as error:
            raise ConfigError(f"cannot read {self.label()}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.label()} is no text in UTF-8") from None
        except (RuntimeError, ValueError) as error:  # the home of a user that is none; a character that no path has
            raise ConfigError(f"cannot read {self.label()}: {error}") from None

    def _in_keyring(self, user: str) -> str:
        keyring = _keyring()
        try:
            found: str | None = keyring.get_password(self.name, user)
        except keyring.errors.NoKeyringError:
            raise ConfigError(
                "this system has no keyring that the library 'keyring' knows; `keyring --list-backends` shows what it"
                " looks for, and { env = … } and { file = … } need none"
            ) from None
        except Exception as error:
            raise ConfigError(f"cannot read {self.label(user)}: {type(error).__name__}: {error}") from error
        if found is None:
            raise ConfigError(f"there is no {self.label(user)[4:]}; `keyring set {self.name} {user}` writes it")
        return found


def _keyring() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ConfigError(
            "{ keyring = … } needs the library 'keyring', which is not installed: pip install 'candle-core[keyring]'"
        ) from None
    return keyring
