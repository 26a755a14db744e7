"""Planted keys are found nowhere: in no file, no log, no error, no output, whatever a plugin and its exchange do."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.end_to_end.leaky import EXCHANGES, signatures
from tests.end_to_end.processes import CANDLE

ROOT = Path(__file__).resolve().parents[2]

PLANTED = {
    "environment": "PLANTEDenv6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duE",
    "file": "PLANTEDfile/q+7Zk1c8QpV2m0r&x=3sT5uYwA9dGhJ4lK6nB==",
    "keyring": "PLANTED keyring p%40ss \"phrase\" 'ü'",
    "dsn": "postgresql://candle:PLANTEDp%40ss%2Fword@127.0.0.1:1/candles?sslmode=require",
    "password": "PLANTEDp@ss/word",
}
"""Where a key is kept → the key. A mark in each would be found even if half of it were left."""


def written() -> dict[bytes, str]:
    """Every way in which a key might stand somewhere → which it is."""
    ways: dict[bytes, str] = {b"PLANTED": "a part of one"}
    for name, key in PLANTED.items():
        raw = key.encode()
        for way in (
            raw, quote(key).encode(), quote(key, safe="").encode(), json.dumps(key)[1:-1].encode(),
            base64.b64encode(raw).rstrip(b"=")[:-1], base64.urlsafe_b64encode(raw).rstrip(b"=")[:-1],
        ):  # fmt: skip
            ways[way] = name
    header = base64.b64encode(f"{PLANTED['environment']}:{PLANTED['file']}".encode())
    in_hex, in_base64 = (one.encode() for one in signatures(PLANTED["file"]))
    ways |= {in_hex: "a signature", in_base64: "a signature", quote(in_base64, safe="").encode(): "a signature"}
    return ways | {header: "a header", header[:60]: "half a header"}


WRITTEN = written()


def found_in(raw: bytes) -> list[str]:
    return [f"{name}, as {way!r}" for way, name in WRITTEN.items() if way in raw]


class _Refusing(BaseHTTPRequestHandler):
    """Answers 401, and says what it was asked with."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        told = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = json.dumps({"msg": "Invalid API-key", "got": told, "headers": dict(self.headers)})
        if self.path.startswith("/quoted"):
            body = " ".join(quote(value, safe="") for value in told.values())
        self.send_response(401)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Standard error is the test's."""


@contextmanager
def refusing() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that answers 401, and the paths it was asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Refusing,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Scene:
    """A folder with accounts at exchanges that leak, and what was printed there."""

    folder: Path
    environment: dict[str, str]
    asked: list[str]

    def run(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        """A process in that folder."""
        return subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, check=False, timeout=120
        )

    def files(self) -> list[Path]:
        """Everything that was written, but for what was planted."""
        planted = {self.folder / "secret.txt", *(self.folder / "data").rglob("*")}
        return [file for file in sorted(self.folder.rglob("*")) if file.is_file() and file not in planted]


@pytest.fixture(params=[False, True], ids=["scrubbed", "unscrubbed"])
def unscrubbed(request: pytest.FixtureRequest) -> bool:
    """Whether scrubbing was taken out; then every key must be found, or the test would show nothing."""
    return bool(request.param)


@pytest.fixture
def scene(tmp_path: Path, unscrubbed: bool) -> Iterator[Scene]:
    """The folder: keys in the environment, in a file, in a keyring, and in the address of a database."""
    info = tmp_path / "site" / "candle_leaky-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: candle-leaky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[candle.providers]\nleaky = tests.end_to_end.leaky:LeakyProvider\n")
    (tmp_path / "secret.txt").write_text(PLANTED["file"] + "\n")
    with refusing() as (url, asked):
        tables = [
            f'[providers.{name}]\nplugin = "leaky"\nurl = "{url}"\ndsn = {{ env = "LEAKY_DSN" }}\n'
            f'[[accounts]]\nname = "of {name}"\nexchange = "{name}"\napi_key = {{ env = "LEAKY_KEY" }}\n'
            f'api_secret = {{ file = "secret.txt" }}\npassphrase = {{ keyring = "leaky", user = "me" }}\n'
            for name in EXCHANGES
        ]
        (tmp_path / "candle.toml").write_text('[cache]\nbackend = "file"\n' + "".join(tables))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CANDLE_")} | {
            "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}",
            "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "CANDLE_CACHE_DIR": str(tmp_path / "cache"),
            "LEAKY_KEY": PLANTED["environment"],
            "LEAKY_DSN": PLANTED["dsn"],
        }
        scene = Scene(tmp_path, environment | ({"LEAKY_UNSCRUBBED": "1"} if unscrubbed else {}), asked)
        store = "import keyring, sys; keyring.set_password('leaky', 'me', sys.argv[1])"
        assert scene.run(sys.executable, "-c", store, PLANTED["keyring"]).returncode == 0
        yield scene


def test_a_program_that_prints_and_logs_all_there_is(scene: Scene, unscrubbed: bool) -> None:
    done = scene.run(sys.executable, "-m", "tests.end_to_end.leaky")
    assert done.returncode == 1, done.stderr.decode()
    assert done.stderr.strip().splitlines()[-1].startswith(b"candle_hookspecs.errors.BrokenPluginError: ")
    assert b"AuthenticationError" in done.stdout
    assert {"all.log", "candles.sqlite3"} <= {file.name for file in scene.files()}
    assert {path.partition("?")[0] for path in scene.asked} == {"/refused", "/quoted", "/foreign"}
    assert PLANTED["environment"] in scene.asked[0], "the keys were really sent"
    outcomes = {"stdout": done.stdout, "stderr": done.stderr, "log": (scene.folder / "all.log").read_bytes()}
    if unscrubbed:
        assert all(found_in(raw) for raw in outcomes.values())
        names = "".join(found_in(b"".join(outcomes.values())))
        assert [name for name in (*PLANTED, "half a header", "a signature") if name not in names] == []
        return
    assert {name: found_in(raw) for name, raw in outcomes.items() if found_in(raw)} == {}
    assert {file: found for file in scene.files() if (found := found_in(file.read_bytes()))} == {}
    assert outcomes["log"].count(b"**********") > 30


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_command_line(scene: Scene, unscrubbed: bool, exchange: str) -> None:
    scene.environment |= {"CANDLE_DEBUG": "1", "CANDLE_TRACE": "1"}
    words = (exchange.upper(), "SPOT", "BTC/USDT", "1m", "--start", "2024-01-01", "--end", "2024-01-01T00:10")
    done = scene.run(*CANDLE, "collect", *words, "--json", "--verbose")
    printed = done.stdout + done.stderr
    assert (done.returncode == 0) == (exchange == "logging"), printed.decode()
    document = json.loads(done.stdout)
    assert exchange == "logging" or document["error"]["message"]
    if unscrubbed:
        assert found_in(done.stderr)
        assert exchange == "logging" or found_in(done.stdout)
        return
    assert found_in(printed) == []
    assert b"**********" in printed
    assert {file: found for file in scene.files() if (found := found_in(file.read_bytes()))} == {}


@pytest.mark.parametrize("unscrubbed", [False], indirect=True, ids=["scrubbed"])
def test_commands_that_look_at_the_configuration(scene: Scene) -> None:
    for line in ("accounts", "accounts --json", "plugins --check --json", "status --json", "markets LOGGING --verbose"):
        done = scene.run(*CANDLE, *line.split())
        assert done.stdout, done.stderr.decode()
        assert found_in(done.stdout + done.stderr) == [], line
