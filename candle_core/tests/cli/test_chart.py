"""`candle chart`: what is drawn is what is stored, in characters, as an image, on a page, and as a document."""

import json
import os
import re
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from candle_core import blocking
from candle_core.cli.chart_page import image, page
from candle_core.cli.chart_words import price_ticks, short, time_ticks
from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, Candle, terminal

FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z
BTC = ("chart", "BINANCE", "SPOT", "BTC/USDT", "1m")
# 10 minutes that are stored, then 5 that nobody asked for.
EDGE = ("--start", "2024-02-01T23:50", "--end", "2024-02-02T00:05")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def edge(config: Path, candle: Candle, sandbox: Sandbox) -> None:
    """2024-02-01T23:50 up to midnight is stored, but for one minute that is forgotten, and one proven empty."""
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY + 1430 * 60_000, FEBRUARY + 1440 * 60_000)
    names = ("open_time", "open", "high", "low", "close", "volume")
    lines = [",".join(str(truth[name][row]) for name in names) for row in range(10) if row != 4]
    Path("my.csv").write_text("\n".join([",".join(names), *lines]))
    options = ("--exchange", "BINANCE", "--tradetype", "SPOT", "--symbol", "BTC/USDT", "--timeframe", "1m")
    assert candle("import", "my.csv", *options).code == 0


@pytest.mark.usefixtures("day")
def test_the_document_has_the_candles(candle: Candle, sandbox: Sandbox) -> None:
    document = candle(*BTC, "--start", "2024-02-01", "--end", "2024-02-02", "--bars", "24", "--json").document
    assert (document["symbol"], document["bar_length"]) == ("CRYPTO-BINANCE-SPOT-BTC-USDT-1m", "1h")
    assert document["time_range"] == ["2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"]
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + 86_400_000)
    for hour, bar in enumerate(document["bars"]):
        rows = slice(60 * hour, 60 * hour + 60)
        assert bar["open_time"] == f"2024-02-01T{hour:02}:00:00Z"
        assert (bar["open"], bar["close"]) == (truth["open"][rows][0], truth["close"][rows][-1])
        assert (bar["high"], bar["low"]) == (max(truth["high"][rows]), min(truth["low"][rows]))
        assert bar["volume"] == pytest.approx(sum(truth["volume"][rows]), rel=1e-12)
        assert (bar["candles"], bar["filled"], bar["missing"]) == (60, 60, 0)


@pytest.mark.usefixtures("edge")
def test_a_gap_is_seen_and_a_proven_emptiness_is_not_one(candle: Candle) -> None:
    outcome = candle(*BTC, *EDGE)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "BTC/USDT 1m  BINANCE SPOT"
    assert lines[1] == "2024-02-01T23:50:00Z to 2024-02-02T00:05:00Z, 15 slots"
    prices = lines[4:22]
    pitch = 3  # 15 bars in a terminal of 80
    shaded = [bar for bar in range(15) if all(line[bar * pitch] == "░" for line in prices)]
    assert shaded == [4, 10, 11, 12, 13, 14]
    assert not any("░" in line[bar * pitch] for line in prices for bar in range(15) if bar not in shaded)
    assert "─ 9 slots with a candle" in lines
    assert "░ 6 slots missing" in lines
    strip = lines[-5]
    assert strip[::pitch] == "────░─────░░░░░"


@pytest.mark.usefixtures("edge")
def test_the_highest_and_the_lowest_touch_the_edges(candle: Candle) -> None:
    bars = [bar for bar in candle(*BTC, *EDGE, "--json").document["bars"] if bar["candles"]]
    lines = candle(*BTC, *EDGE).out.splitlines()
    top, bottom = lines[4], lines[21]
    positions = {bar["open_time"]: int(bar["open_time"][14:16]) - 50 for bar in bars}
    highest, lowest = max(bars, key=lambda bar: bar["high"]), min(bars, key=lambda bar: bar["low"])
    assert top[3 * positions[highest["open_time"]]] in "╷╻│┃╽╿▄█"
    assert bottom[3 * positions[lowest["open_time"]]] in "╵╹│┃╽╿▀█"


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize("width", [60, 100, 200])
def test_it_fits_the_terminal_and_has_colours_only_there(width: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    words = [COMMAND, *BTC, "--start", "2024-02-01", "--end", "2024-02-02"]
    drawn = run_in_terminal(words, width, environment | {"TERM": "xterm"})
    plain = re.sub(r"\x1b\[[\d;]*m", "", drawn)
    assert "\x1b[32m" in drawn
    assert "\x1b[31m" in drawn
    assert width * 0.5 < max(map(len, plain.splitlines())) <= width
    without = run_in_terminal(words, width, environment | {"TERM": "xterm", "NO_COLOR": "1"})
    assert without == plain


def run_in_terminal(words: list[str], width: int, environment: dict[str, str]) -> str:
    with terminal(width) as (ours, theirs):
        process = subprocess.Popen(words, stdout=theirs, stdin=theirs, env=environment)
        os.close(theirs)
        text = b""
        while piece := _read(ours):
            text += piece
        assert process.wait(120) == 0
    return text.decode().replace("\r\n", "\n")


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 65_536)
    except OSError:  # how Linux says that the other end was closed
        return b""


# ── pages and images ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("edge")
def test_an_image(candle: Candle) -> None:
    outcome = candle(*BTC, *EDGE, "-o", "my.svg")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "drew 9 candles in 15 bars to my.svg\n")
    root = ElementTree.parse("my.svg").getroot()
    bars = {kind: drawn_bars(root, kind) for kind in ("rise", "fall")}
    document = candle(*BTC, *EDGE, "--json").document["bars"]
    for kind, wanted in (("rise", True), ("fall", False)):
        true = [bar for bar in document if bar["candles"] and (bar["close"] >= bar["open"]) is wanted]
        assert len(bars[kind]) == len(true)
    every = sorted(bars["rise"] + bars["fall"])
    steps = {round(later - earlier, 1) for (earlier, *_), (later, *_) in pairwise(every)}
    pitch = min(steps)
    assert steps == {pitch, 2 * pitch}, "one bar is left out in the middle"
    low, high = (side(bar[name] for bar in document if bar["candles"]) for side, name in ((min, "low"), (max, "high")))
    tops = {round(top) for _, top, _ in every}
    for bar in (bar for bar in document if bar["candles"]):
        assert round(470 - (bar["high"] - low) / (high - low) * (470 - 96)) in tops
    gaps = [float(rect.get("width", "")) for rect in root.iter(f"{SVG}rect") if rect.get("class") == "gap"]
    assert [round(gap / pitch) for gap in gaps] == [1, 5]


def drawn_bars(root: ElementTree.Element, kind: str) -> list[tuple[float, float, float]]:
    """Place, top and bottom of the wicks in the path of that kind."""
    (path,) = (path for path in root.iter(f"{SVG}path") if path.get("class") == kind)
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)M", path.get("d", ""))
    return [(float(x), float(top), float(bottom)) for x, top, bottom in found]


class Page(HTMLParser):
    """What a browser would load, and the text of the scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts = ""
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        self.loaded += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        self.scripts += data if self._in_script else ""


@pytest.mark.usefixtures("edge")
def test_a_page_that_needs_nothing_else(candle: Candle) -> None:
    document = candle(*BTC, *EDGE, "-o", "my.html", "--json").document
    assert (document["file"], len(document["bars"])) == ("my.html", 15)
    text = Path("my.html").read_text("utf-8")
    page = Page()
    page.feed(text)
    assert page.loaded == []
    assert set(re.findall(r"https?://[^\"' )]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    told = json.loads(re.search(r"BARS = (\[.*\]);", page.scripts)[1])  # type: ignore[index]
    assert len(told) == 15
    first = document["bars"][0]
    assert told[0].startswith(f"2024-02-01T23:50:00Z  open {first['open']:.12g}  high {first['high']:.12g}")
    assert told[4] == "2024-02-01T23:54:00Z  1 missing"


def test_names_cannot_break_the_page(config: Path, folder: Path) -> None:
    rows = "date,open,high,low,close,volume\n2024-02-01,1,1,1,1,0\n"
    (folder / "my.csv").write_text(rows)
    with blocking.open(config) as candles:
        name: dict[str, Any] = {"exchange": "BINANCE", "tradetype": "SPOT", "timeframe": "1d"}
        candles.import_candles("my.csv", "<B>&/USDT", offline=True, **name)
        chart = candles.chart("<B>&/USDT", **name, start="2024-02-01", end="2024-02-03")
    assert "<B>" not in page(chart)
    assert ElementTree.fromstring(image(chart)).get("aria-label") == "<B>&/USDT 1d  BINANCE SPOT"


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("day")
def test_nothing_stored_in_the_range(candle: Candle) -> None:
    outcome = candle(*BTC, "--start", "2024-02-10", "--end", "2024-02-10T00:10")
    assert outcome.code == 0
    assert "no candles are stored in this range" in outcome.out
    assert "░ 10 slots missing" in outcome.out
    assert candle(*BTC, "--start", "2024-02-10", "--end", "2024-02-10T00:10", "-o", "my.html").code == 0


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "my.png"], ["'my.png'", "*.html or *.svg"]),
        (["-o", "no/such/my.svg"], ["'no/such/my.svg'", "No such file"]),
        (["--start", "2024-02-10"], ["behind the newest stored candle"]),
        (["--start", "2024-02-02", "--end", "2024-02-01"], ["does not come after"]),
    ],
    ids=" ".join,
)
def test_contradictions(candle: Candle, options: list[str], words: list[str]) -> None:
    candle(*BTC, *options).failed_with(2, *words)


def test_an_unknown_symbol(candle: Candle, config: Path) -> None:
    candle(*BTC).failed_with(2, "'BTC/USDT'", "candle collect")


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (97.2, 103.1, [98, 100, 102]), (-1.1, 1.2, [-1, -0.5, 0, 0.5, 1])],
)
def test_price_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert price_ticks(low, high, 5) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (12_340, "12.3k"), (4.5678e6, "4.57M"), (1e9, "1B"), (2e13, "20T")]
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.usefixtures("day")
def test_times_stand_at_round_moments(config: Path) -> None:
    with blocking.open(config) as candles:
        name: dict[str, Any] = {"exchange": "BINANCE", "tradetype": "SPOT", "timeframe": "1m"}
        chart = candles.chart("BTC/USDT", **name, start="2024-02-01T21:17", end="2024-02-02T02:00", bars=300)
    assert time_ticks(chart, 6) == [
        (43, "2024-02-01"), (103, "23:00"), (163, "2024-02-02"), (223, "01:00"),
    ]  # fmt: skip


def test_far_times_stand_at_mondays_and_months(config: Path, folder: Path) -> None:
    (folder / "my.csv").write_text("date,open,high,low,close,volume\n2024-01-01,1,1,1,1,0\n")
    with blocking.open(config) as candles:
        name: dict[str, Any] = {"exchange": "BINANCE", "tradetype": "SPOT", "timeframe": "1d"}
        candles.import_candles("my.csv", "BTC/USDT", offline=True, **name)
        chart = candles.chart("BTC/USDT", **name, start="2024-01-01", end="2024-03-01")
    assert time_ticks(chart, 9) == [
        (7 * week, f"2024-0{1 + week // 5}-{1 + 7 * week - 31 * (week // 5):02}") for week in range(1, 9)
    ]
    assert time_ticks(chart, 3) == [(31, "2024-02-01")]
