"""What a user is told when the database cannot be had; and that the password is told to nobody."""

import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from pydantic import SecretStr, ValidationError

from candle_hookspecs import (
    CandleError,
    LoadRead,
    Registration,
    SaveReceipt,
    SaveWrite,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
    StorageSchemaError,
    StorageUnavailableError,
    SymbolQuery,
)
from candle_postgres import PostgresStorage
from candle_postgres.address import Address
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, span
from storage_backends.postgres.tests.server import Server, running

Opener = Callable[..., PostgresStorage]
At = Callable[[str], PostgresStorage]
SECRET = "tr0ub4dor&3"


def register(storage: PostgresStorage) -> object:
    return storage.candle_register([Registration(market=BTC, timeframes=("1m",))])


def look(storage: PostgresStorage) -> object:
    return storage.candle_symbols(SymbolQuery())


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[[str], PostgresStorage]]:
    """Open any address; closed in the end."""
    opened: list[PostgresStorage] = []

    def opener(url: str) -> PostgresStorage:
        opened.append(PostgresStorage(PostgresStorage.Settings(url=SecretStr(url)), make_context(tmp_path, "postgres")))
        return opened[-1]

    yield opener
    for storage in opened:
        storage.candle_close()


@pytest.fixture
def as_user(storage: PostgresStorage, url: str) -> Callable[[str], str]:
    """The URL for a user who may do what is granted."""

    def grant(rights: str) -> str:
        name = f"guest_{urlsplit(url).path[-8:]}"
        with psycopg.connect(url) as owner:
            owner.execute(f"DROP ROLE IF EXISTS {name}")
            owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'; {rights.format(name)}")
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{name}:{SECRET.replace('&', '%26')}@{host}"))

    return grant


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"netloc": "postgres@no-such-host.invalid", "query": ""}, "no-such-host.invalid.*there is no such host"),
        ({"netloc": "postgres@127.0.0.1:1", "query": ""}, r"127\.0\.0\.1:1/.*refused.*see whether the server runs"),
        ({"path": "/no_such_database"}, "there is no such database.*createdb"),
        ({"query": "host=%2Fno%2Fsuch%2Ffolder", "netloc": "postgres@"}, "no server listens on this socket"),
    ],
    ids=["host", "port", "database", "socket"],
)
def test_a_wrong_address(server: str, at: At, wrong: dict[str, str], told: str) -> None:
    storage = at(urlunsplit(urlsplit(server)._replace(**wrong)))
    for ask in (register, look):
        with pytest.raises(StorageUnavailableError, match=told) as caught:
            ask(storage)
        assert storage.place in str(caught.value)
        assert caught.value.__cause__ is not None
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:{}@host/database",
        "user:{}@host/database",
        "postgresql://user:{}@host",
        "postgresql://user:{}%zz@host/database",
        "postgresql://user:{}@more@host/database",
        "postgresql://user:{}/more@host/database",
        "postgresql://user:{}@host/database?frobnicate=1",
        "postgresql://host/database?password={}&frobnicate=1",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PostgresStorage.Settings(url=SecretStr(url.format(SECRET)))
    assert "postgresql://user:password@host:5432/database" in str(caught.value) or "%40" in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value)


def test_the_form_that_sqlalchemy_writes_is_understood() -> None:
    address = Address.parse(f"postgresql+psycopg://user:{SECRET}@db.example.com:6000/candles?sslmode=require")
    assert address.place == "postgresql://db.example.com:6000/candles"
    assert (address.parameters["password"], address.parameters["sslmode"]) == (SECRET, "require")


def test_a_wrong_password(at: At) -> None:
    with running() as server:
        with psycopg.connect(server.url) as owner:
            owner.execute(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
        rules = server.folder / "pg_hba.conf"
        rules.write_text("local all guest scram-sha-256\nlocal all all trust\n")
        server.stop()
        server.start()
        right, wrong, none = (
            server.url.replace("postgres@", user) for user in ("guest:tr0ub4dor%263@", "guest:oops@", "guest@")
        )
        assert look(at(right)) == []
        with pytest.raises(StorageUnavailableError, match=r"wrong user or password: correct the url"):
            look(at(wrong))
        with pytest.raises(StorageUnavailableError, match=r"the server wants a password"):
            look(at(none))


def test_the_password_is_nowhere(as_user: Callable[[str], str], at: At, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = as_user("")
    storage = at(url)
    texts = [repr(storage), repr(vars(storage)), storage.place, repr(storage._address), repr(storage._connections)]
    texts.append(repr(PostgresStorage.Settings(url=SecretStr(url))))
    for ask in (look, register, lambda one: one.candle_status()):
        with pytest.raises(StorageError) as caught:
            ask(storage)
        error: BaseException | None = caught.value
        while error is not None:
            texts += [str(error), repr(error)]
            error = error.__cause__ or error.__context__
    texts.append(caplog.text)
    for secret in (SECRET, SECRET.replace("&", "%26")):
        assert not [text for text in texts if secret in text]
    assert Address.parse(url).parameters["password"] == SECRET


def test_a_foreign_database(open_storage: Opener, url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE invoices (id int)")
    storage = open_storage()
    for ask in (register, look):
        with pytest.raises(StorageSchemaError, match=r"not a candle database.*invoices"):
            ask(storage)


def test_a_role_that_may_only_read(as_user: Callable[[str], str], storage: PostgresStorage, at: At) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3))),)))
    guest = at(as_user("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}"))
    assert guest.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(3))
    with pytest.raises(StorageReadOnlyError, match=r"permission denied for table \w+.*GRANT"):
        guest.candle_save(SaveWrite(answers=(answer(candles(range(4)), at=2),)))
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == 3


def test_a_role_that_may_write_but_makes_no_tables(
    as_user: Callable[[str], str], storage: PostgresStorage, at: At
) -> None:
    rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {0}"
    guest = at(as_user(f"{rights}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {{0}}"))
    register(guest)
    guest.candle_save(SaveWrite(answers=(answer(candles(range(3))),)))
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(3))


def test_a_role_that_may_not_read(as_user: Callable[[str], str], at: At) -> None:
    with pytest.raises(StorageUnavailableError, match=r"may not be read by this role.*GRANT"):
        look(at(as_user("")))


def test_a_server_that_only_reads(storage: PostgresStorage, url: str, at: At) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3))),)))
    options = "&options=-cdefault_transaction_read_only%3Don"
    standby = at(url + (options if "?" in url else options.replace("&", "?", 1)))
    assert standby.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(3))
    with pytest.raises(StorageReadOnlyError, match=r"read-only.*primary"):
        standby.candle_save(SaveWrite(answers=(answer(candles(range(4)), at=2),)))


def before_each_fact(url: str, body: str) -> None:
    """Let the server do something before the last step of a save."""
    with psycopg.connect(url) as anyone:
        anyone.execute("CREATE SEQUENCE tries")  # it counts on though a transaction is rolled back
        anyone.execute(f"CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$")
        anyone.execute("CREATE TRIGGER stop BEFORE INSERT ON coverage FOR EACH ROW EXECUTE FUNCTION stop()")


def test_a_full_disk_stores_nothing_of_the_write(storage: PostgresStorage, url: str) -> None:
    before_each_fact(url, "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';")
    with pytest.raises(StorageFullError, match=r"no room left .*could not extend file.*free space"):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(900)), proven=span(0, 900)),)))
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == 0


@pytest.mark.parametrize("collision", ["serialization_failure", "deadlock_detected"])
def test_a_save_that_another_was_in_the_way_of_is_done_again(
    storage: PostgresStorage, url: str, collision: str
) -> None:
    before_each_fact(
        url, f"IF nextval('tries') < 4 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '{collision}'; END IF;"
    )
    receipt = storage.candle_save(SaveWrite(answers=(answer(candles(range(900)), proven=span(0, 900)),)))
    assert receipt == SaveReceipt(inserted=900)
    with psycopg.connect(url) as anyone:
        assert anyone.execute("SELECT last_value FROM tries").fetchone() == (4,)
        anyone.execute("CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS "
                       f"$$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '{collision}'; END $$")  # fmt: skip
    with pytest.raises(StorageError, match="in the way; too many programs write the same symbols"):
        storage.candle_save(SaveWrite(answers=(answer(candles([1_000]), proven=span(1_000, 1_001)),)))
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == 900


def test_an_error_in_the_middle_leaves_nothing(storage: PostgresStorage, url: str) -> None:
    before_each_fact(url, "RAISE EXCEPTION 'the last step fails';")
    with pytest.raises(CandleError, match="the last step fails"):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(900)), proven=span(0, 900)),)))
    with psycopg.connect(url) as anyone:
        assert anyone.execute("SELECT count(*) FROM candles").fetchone() == (0,)
        anyone.execute("DROP TRIGGER stop ON coverage")
    assert storage.candle_save(SaveWrite(answers=(answer(candles(range(900))),))) == SaveReceipt(inserted=900)


def test_no_connection_left(at: At) -> None:
    with running() as server:
        limited(server, "max_connections = 4\nsuperuser_reserved_connections = 1\n")
        with psycopg.connect(server.url) as owner:
            owner.execute("CREATE ROLE guest LOGIN")
        url = server.url.replace("postgres@", "guest@")
        others = [psycopg.connect(url) for _ in range(3)]
        with pytest.raises(StorageUnavailableError, match=r"no connection left.*max_connections"):
            look(at(url))
        for other in others:
            other.close()


def limited(server: Server, settings: str) -> None:
    server.stop()
    with (server.folder / "postgresql.conf").open("a") as file:
        file.write(settings)
    server.start()
