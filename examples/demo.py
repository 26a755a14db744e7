"""What the candle data manager does, in about a minute and without the internet.

Starts an exchange on this machine, then types the commands that a user would type, and shows what they print. What is
collected lies in ./demo-data, which each run begins anew, or in a new folder that is given as an argument.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import candle_core
from candle_testkit.sandbox import Sandbox, SandboxConfig

CANDLE = Path(sys.executable).with_name("candle")
ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "demo-data"
FOLDER = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else OWN
KLINES = "/api/v3/klines"

MARKETS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
START, END = "2020-08-01", "2020-12-01"
COLLECT = ["collect", "BINANCE", "SPOT", *MARKETS, "1m", "--start", START, "--end", END]
LATENCY_MS = 120  # about as far as a real exchange is


def main() -> None:
    if FOLDER == OWN:
        shutil.rmtree(OWN, ignore_errors=True)
    if FOLDER.exists():
        sys.exit(f"{FOLDER} is there already; name a folder that is not")
    FOLDER.mkdir(parents=True)
    with Sandbox(SandboxConfig(latency_ms=LATENCY_MS)) as sandbox:
        say(f"An exchange with {len(sandbox.markets)} markets now runs on this machine, at {sandbox.url}.")
        (FOLDER / "candle.toml").write_text(
            f'[storage]\npath = "candles.sqlite3"\n\n[providers.binance]\nrest_url = "{sandbox.url}"\n'
        )
        say("A candle.toml that points to it lies in", place(FOLDER))

        title("What is installed, what is traded")
        candle("plugins")
        candle("markets", "BINANCE", "SPOT", "--quote", "USDT")

        title("Four months of three markets, stopped half way")
        stop_half_way(sandbox)
        say(f"The exchange was asked {asked(sandbox)} times before the stop.")

        title("The same command again goes on where it was")
        candle(*COLLECT)
        pages = Counter(tuple(sorted(one.params.items())) for one in sandbox.ledger.requests(KLINES))
        again = sum(times - 1 for times in pages.values())
        say(f"Asked {asked(sandbox)} times in all; {again} of them for answers that were on their way at the stop.")

        title("Once more: everything is known, nobody is asked")
        before = asked(sandbox)
        candle(*COLLECT)
        say(f"Asked {asked(sandbox) - before} times.")

        title("A look inside: the exchange was down for an hour that day")
        span = ["--start", "2020-11-30T05:57", "--end", "2020-11-30T07:03"]
        candle("load", "BINANCE", "SPOT", "SOL/USDT", "1m", *span)

        title("Nothing is lost: every minute of SOL/USDT is accounted for")
        slot_equation()
    what_next()


def stop_half_way(sandbox: Sandbox) -> None:
    """Run the collection and press Ctrl-C, so to speak, when half of its pages were asked for."""
    days = 122
    half = len(MARKETS) * days * 1440 // 1000 // 2
    process = start(*COLLECT)
    while process.poll() is None and asked(sandbox) < half:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    if (code := process.wait()) != 130:
        sys.exit(f"the demo stops here: interrupted, the command should end with exit code 130, not {code}")
    say("It ended with exit code 130.")


def slot_equation() -> None:
    with candle_core.blocking.open(FOLDER / "candle.toml") as candles:
        report = candles.slots("SOL/USDT", "1m", exchange="BINANCE", tradetype="SPOT", start=START, end=END)
    parts = {
        "filled": report.filled,
        "proven empty": report.proven_empty,
        "before listing": report.not_listed,
        "out of reach": report.out_of_reach,
        "missing": report.missing,
    }
    for name, slots in parts.items():
        say(f"  {slots:>9,}  {name}")
    say(f"  {'-' * 9}")
    total = sum(parts.values())
    say(f"  {total:>9,}  = {report.slots:,} minutes from {START} to {END}")
    assert total == report.slots


def what_next() -> None:
    database = FOLDER / "candles.sqlite3"
    title("What next")
    say(f"The database ({database.stat().st_size / 1e6:.0f} MB) is", place(database) + "; any SQLite tool reads it:")
    say(f'  sqlite3 {place(database)} "select * from v_candles limit 5"\n')
    say("The real Binance needs no configuration:")
    say(f"  {place(CANDLE)} collect BINANCE SPOT BTC/USDT 1h --count 5000")
    say(f"  {place(CANDLE)} load BINANCE SPOT BTC/USDT 1h --count 10")
    say(f"  {place(CANDLE)} --help\n")
    say("This exchange again, for your own trials:")
    say(f"  {place(CANDLE)} sandbox")


# ── typing and telling ───────────────────────────────────────────────────────────────────────────────────────────────


def candle(*words: str) -> None:
    """Run a command to its end; the demo ends if it fails."""
    if code := start(*words).wait():
        sys.exit(f"the demo stops here: the command ended with exit code {code}")


def start(*words: str) -> subprocess.Popen[bytes]:
    """Show a command as a user types it, and start it."""
    say("$ candle", *words)
    return subprocess.Popen([CANDLE, *words], cwd=FOLDER)


def asked(sandbox: Sandbox) -> int:
    """How many requests for candles the exchange has had."""
    return sandbox.ledger.count(KLINES)


def title(text: str) -> None:
    say(f"\n{text}\n{'─' * len(text)}")


def say(*words: object) -> None:
    print(*words, flush=True)


def place(path: Path) -> str:
    """A path as it is typed from here, if it lies below."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
