"""The documentation as something that runs: the fenced blocks of a page, typed in order by a reader in a fresh folder.

- ``console``: lines that begin with ``$ `` are run by a shell; the lines below each are what it prints. A line
  ``^C`` among them is Ctrl-C, pressed when as many lines have come as stand above it.
- ``python``: run in one namespace per page, ``await`` allowed at the top.
- ``toml``: becomes ./candle.toml.

Other blocks are text.
"""

import ast
import asyncio
import difflib
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from candle_testkit.sandbox import Sandbox, SandboxConfig

ROOT: Final = Path(__file__).resolve().parents[2]
ADDRESS: Final = "http://127.0.0.1:8765"
"""Where the pages say that the sandbox is; it is really wherever there is a free port."""

_BLOCK: Final = re.compile(r"^```(console|python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VOLATILE: Final = re.compile(  # how long something took, and when an update ran
    r'(?<=_seconds": )[\d.]+| +\d+\.\d+ s\b|^[\d-]+T[\d:]+Z(?=  [A-Z]+  \d+ done)', re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block, and where in the page its text stands."""

    kind: str
    text: str
    start: int
    end: int
    line: int
    """On which line of the page the text begins."""


def blocks(page: str) -> list[Block]:
    """The blocks of a page that mean something here."""
    return [
        Block(found[1], found[2], found.start(2), found.end(2), 1 + page.count("\n", 0, found.start(2)))
        for found in _BLOCK.finditer(page)
    ]


@dataclass
class Reader:
    """Somebody who types what a page says, and notes what really comes of it."""

    page: str
    """What a traceback calls the page."""

    folder: Path
    places: dict[str, str]
    """What the page calls an address or a port → where it really is."""

    stack: ExitStack
    environment: dict[str, str] = field(default_factory=dict)
    """What stands in the environment of commands, besides."""

    code: int = 0
    names: dict[str, Any] = field(default_factory=dict)

    def do(self, block: Block) -> str:
        """Carry a block out; its text as it should read."""
        if block.kind == "toml":
            (self.folder / "candle.toml").write_text(self.here(block.text))
        elif block.kind == "python":
            self.run(self.here(block.text), block.line)
        else:
            typed = [part.partition("\n") for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE) if part]
            return "".join(f"{line}\n{self.there(self.type(line[2:], said))}" for line, _, said in typed)
        return block.text

    def type(self, line: str, said: str = "") -> str:
        """What a shell prints, both streams together; `said` is what the page says that it does."""
        if line.startswith("candle sandbox"):
            return self.serve(line)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        settings = {name: value for name, value in os.environ.items() if not name.startswith("CANDLE_")}
        process = subprocess.Popen(
            ["bash", "-c", f"(exit {self.code}); {self.here(line)}"],
            cwd=self.folder,
            env=settings | {"PATH": path, "CANDLE_CACHE_DIR": os.environ["CANDLE_CACHE_DIR"]} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        patience = threading.Timer(240, os.killpg, (process.pid, signal.SIGKILL))
        patience.start()
        printed = ""
        before, interrupted, _ = said.partition("^C\n")
        if interrupted:
            printed = "".join(process.stdout.readline() for _ in before.splitlines()) + interrupted
            os.killpg(process.pid, signal.SIGINT)
        printed += process.communicate()[0]
        patience.cancel()
        self.code = process.returncode
        return printed

    def serve(self, line: str) -> str:
        """Start an exchange that goes on in the background, as in a second terminal."""
        words = re.sub(r"--port \d+", "--port 0", line.removeprefix("candle ")).split()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("candle"), *words], stdout=subprocess.PIPE, text=True
        )
        self.stack.callback(process.communicate)
        self.stack.callback(process.send_signal, signal.SIGINT)
        assert process.stdout is not None
        printed = ""
        while "chart_url" not in printed:
            printed += process.stdout.readline()
            assert process.poll() is None, printed
        found = re.search(r"http://[\d.]+:\d+", printed)
        assert found
        self.places[ADDRESS] = found[0]
        return printed

    def run(self, source: str, line: int) -> None:
        """Run Python, in the folder of the page; `line` is the first one's number there, which tracebacks go by."""
        source = "\n" * (line - 1) + source
        code = compile(source, self.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with _inside(self.folder):
            try:
                outcome = eval(code, self.names)
                if inspect.iscoroutine(outcome):
                    asyncio.run(outcome)
            except AssertionError as error:
                error.add_note(explained(error, source, self.page))
                raise

    def here(self, text: str) -> str:
        """The page's addresses replaced by the real ones."""
        for said, real in self.places.items():
            text = text.replace(said, real)
        return text

    def there(self, text: str) -> str:
        """The other way round."""
        for said, real in self.places.items():
            text = text.replace(real, said)
        return text


def explained(error: AssertionError, source: str, page: str) -> str:
    """Which `assert` of a page failed, and what the names in it stood for, as pytest tells of a test."""
    frame, line = [step for step in traceback.walk_tb(error.__traceback__) if step[0].f_code.co_filename == page][-1]
    told = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno)):
            continue
        told.append(f"{page}:{node.lineno}: {ast.unparse(node)}")
        parts = (part for part in ast.walk(node.test) if isinstance(part, ast.Name | ast.Attribute))
        for name in dict.fromkeys(map(ast.unparse, parts)):
            with suppress(NameError, AttributeError):  # a name that a comprehension binds for itself
                value = eval(name, frame.f_globals, frame.f_locals)
                if not callable(value):
                    told.append(f"  {name} = {repr(value)[:500]}")
    return "\n".join(told)


def read(
    text: str,
    folder: Path,
    page: str = "<page>",
    *,
    places: Mapping[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """The text of a page as it should read: every command really run, its real output in place of what stands there.

    The reader begins in an empty folder whose candle.toml points to a sandbox. `page` is the name that an example which
    fails is told with, `places` where other servers that it names really are, `environment` what commands find in
    theirs.
    """
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(SandboxConfig(clock="2025-01-01T00:00:30", speed=0)))
        reader = Reader(page, folder, {ADDRESS: sandbox.url, **(places or {})}, stack, environment or {})
        (folder / "candle.toml").write_text(f'[providers.binance]\nrest_url = "{sandbox.url}"\n')
        read_so_far, at = "", 0
        for block in blocks(text):
            read_so_far += text[at : block.start] + reader.do(block)
            at = block.end
        return read_so_far + text[at:]


def differences(page: str, really: str) -> list[str]:
    """Where a page says something else than what really happens, as a unified diff; durations do not count."""
    said, is_so = (_VOLATILE.sub(" _", text).splitlines() for text in (page, really))
    return list(difflib.unified_diff(said, is_so, "the page", "what really happens", lineterm="", n=1))


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
