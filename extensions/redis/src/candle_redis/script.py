"""Lua that Redis runs as one step."""

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError


class Script:
    """A program that Redis keeps, once it was sent; after a restart it is sent again."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Redis names a script by this digest; it is no secret.
        self._name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, connection: Any, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Run it on one connection; what it returns.

        Raises:
            redis.exceptions.RedisError: it failed, or there is no answer.
        """
        rest = (len(keys), *keys, *arguments)
        try:
            return _ask(connection, "EVALSHA", self._name, *rest)
        except NoScriptError:
            return _ask(connection, "EVAL", self._text, *rest)


def _ask(connection: Any, *command: str | int) -> Any:
    connection.send_command(*command)
    return connection.read_response()
