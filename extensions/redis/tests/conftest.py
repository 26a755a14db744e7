import secrets
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from candle_testkit.redis import RedisServer, any_redis, running


@pytest.fixture(scope="session")
def url() -> Iterator[SecretStr]:
    """A Redis that stays."""
    with any_redis() as url:
        yield SecretStr(url)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that may be killed."""
    with running() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Keys of this test's own."""
    return f"candle-test-{secrets.token_hex(4)}:"
