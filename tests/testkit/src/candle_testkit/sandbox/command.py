"""``candle sandbox``: run the sandbox exchange in the foreground."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import click

from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.config import OKX, SandboxConfig
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.faults import Faults
from candle_testkit.sandbox.server import Sandbox


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on 127.0.0.1; 0 takes a free one. [default: 0]")
@click.option("--markets", type=click.IntRange(1, 10_000), help="How many Binance markets. [default: 20]")
@click.option("--stocks", type=click.IntRange(0, 10_000), help="How many stocks. [default: 20]")
@click.option("--seed", type=int, help="Another seed is another history. [default: 1]")
@click.option("--clock", help="The exchange's clock starts here (ISO 8601, UTC). [default: now]")
@click.option("--speed", type=click.FloatRange(0), help="Sandbox seconds per real second; 0 stands still. [default: 1]")
@click.option("--latency", type=click.IntRange(0), help="Milliseconds every answer takes longer. [default: 0]")
@click.option("--no-limits", is_flag=True, help="Count what is asked but never refuse.")
@click.option("--faults", help="Shares of candle answers struck, such as 'reset=0.05,truncated=0.02'.")
@click.option(
    "--config", "path", envvar="CANDLE_SANDBOX_CONFIG", type=click.Path(path_type=Path), help="Sandbox TOML file."
)
@click.option("--json", "as_json", is_flag=True, help='Print one line {"url": …} and nothing else.')
def sandbox(path: Path | None, as_json: bool, **given: Any) -> None:
    """Run a sandbox exchange on loopback until interrupted.

    It speaks the wires of Binance spot, Upbit, Kraken, OKX and Yahoo; plugins and scripts can be tested on it without
    touching the real ones.
    """
    try:
        config = _config(path, given)
        asyncio.run(_run(Sandbox(config), as_json))
    except SandboxError as error:
        raise click.UsageError(str(error)) from error


def _config(path: Path | None, given: dict[str, Any]) -> SandboxConfig:
    """The file, if any, overruled by what was typed."""
    config = SandboxConfig.load(path) if path else SandboxConfig()
    typed = {name: given[name] for name in ("port", "markets", "stocks", "seed", "speed") if given[name] is not None}
    if given["clock"] is not None:
        typed["clock"] = to_ms(given["clock"])
    if given["latency"] is not None:
        typed["latency_ms"] = given["latency"]
    if given["no_limits"]:
        typed["limits"] = dataclasses.replace(config.limits, weight=None, group=None, yahoo=None)
    if given["faults"] is not None:
        typed["faults"] = Faults(rates=_rates(given["faults"]), script=config.faults.script, seed=config.faults.seed)
    return dataclasses.replace(config, **typed)


def _rates(text: str) -> dict[str, float]:
    rates: dict[str, float] = {}
    for part in text.split(","):
        kind, _, share = part.strip().partition("=")
        try:
            rates[kind] = float(share)
        except ValueError as error:
            raise SandboxError(f"--faults {part.strip()!r}: write KIND=SHARE, such as 'reset=0.05'") from error
    return rates


async def _run(exchange: Sandbox, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def ready(url: str) -> None:
        if as_json:
            click.echo(json.dumps({"url": url}))
        else:
            counts = Counter(market.config.exchange for market in exchange.markets.values())
            names = {name: name if name == OKX else name.title() for name in sorted(counts)}
            named = ", ".join(f"{counts[name]} {title}" for name, title in names.items())
            click.echo(f"{named} markets at {url}; Ctrl-C ends.\n")
            click.echo("To use it, put this in candle.toml, and the same under [providers.upbit]:\n")
            click.echo(f'[providers.binance]\nrest_url = "{url}"')
            if len(exchange.stocks):
                click.echo(f"\nYahoo is there as well, with {len(exchange.stocks)} stocks:\n")
                click.echo(f'[providers.nasdaq]\nchart_url = "{url}"')

    await exchange.serve(ready, stop)
