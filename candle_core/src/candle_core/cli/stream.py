"""``candle stream``: candles in time order, line by line, while they are being collected."""

import functools
import sys
import time
from contextlib import aclosing

import click

from candle_core.cli.common import Session, Target, check_range, command, need_range, range_options
from candle_core.cli.export import ndjson
from candle_core.cli.pipe import write_out
from candle_core.cli.progress import progress_bars
from candle_core.cli.running import run_async
from candle_hookspecs import StreamingConfig


@functools.partial(command, as_json="Candles are JSON lines anyway; with this an error is one too, the last.")
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL TIMEFRAME")
@range_options("The newest N candles, or the first N from --start on.")
@click.option(
    "--chunk", type=click.IntRange(min=1), default=1_000, show_default=True, metavar="N", help="Candles at a time."
)
def stream(
    session: Session, words: tuple[str, ...], start: str | None, end: str | None, count: int | None, chunk: int
) -> int:
    """Print candles as NDJSON, in time order, while what is missing of them is being fetched and kept.

    A line is printed as soon as everything before it is proven. Whoever reads slowly slows the fetching; whoever
    stops reading ends it, and what was committed stays.

    \b
    Examples:
      candle stream BINANCE SPOT BTC/USDT 1m --start 2024-01-01 --end 2025-01-01 | gzip > btc.ndjson.gz
      candle stream BINANCE SPOT BTC/USDT 1h --count 1000 --chunk 100 | jq .close
    """
    target = Target.of(words)
    assert target.symbol
    check_range(start, end)
    need_range(start, count)
    if not run_async(_stream(session, target, (start, end, count), chunk)):
        session.note("candle: there are no candles in this range")
    return 0


async def _stream(
    session: Session, target: Target, wanted: tuple[str | None, str | None, int | None], chunk: int
) -> int:
    import candle_core

    start, end, count = wanted
    rows, began = 0, time.monotonic()
    # Where the candles themselves run over the terminal, a bar would be in their way.
    with progress_bars(shown=not sys.stdout.isatty()) as new_bar:
        async with candle_core.open(session.config) as candles:
            chunks = candles.stream_candles(
                target.symbol,
                target.timeframe,
                exchange=target.exchange,
                tradetype=target.tradetype,
                start=start,
                end=end,
                count=count,
                config=StreamingConfig(chunk_yield_size=chunk),
            )
            with new_bar(target.symbol) as move:
                async with aclosing(chunks):
                    async for batch, meta in chunks:
                        await write_out(ndjson(batch))
                        rows += len(batch)
                        if move is not None:
                            done = meta.total_progress
                            move(done, rows, (time.monotonic() - began) * (1 - done) / done)
    return rows
