"""What later answers changed, candle by candle."""

from collections.abc import AsyncGenerator
from typing import Final

from candle_core.dispatch import StorageHooks
from candle_core.statements import Statements, pairs
from candle_hookspecs import LoadRead, MissingHookError, Revision, Span, Symbol, to_datetime

CHUNK: Final = 10_000
"""Open times looked at in one transaction."""


def need_revisions(storage: StorageHooks, what: str) -> None:
    """Refuse what a database cannot tell that forgets what it replaces.

    Raises:
        MissingHookError: it does.
    """
    if not storage.capabilities.revisions:
        raise MissingHookError(
            f"{storage.backend!r} does not keep what a later answer replaced, so {what} cannot be told; read what "
            "stands now, or keep candles in a database that does: `candle plugins` lists those installed, "
            "`candle copy --to other.toml` moves there"
        )


async def read_revisions(storage: StorageHooks, symbol: Symbol, span: Span) -> AsyncGenerator[Revision, None]:
    """Every change of a candle, in the order of open time, then of the answers; `CHUNK` candles in memory at once.

    Raises:
        MissingHookError: the database does not keep them.
    """
    need_revisions(storage, "what it said before")
    while True:
        batch = await storage.load(LoadRead(symbol=symbol, span=span, columns=(), limit=CHUNK))
        if not len(batch):
            return
        answers = await storage.answers(LoadRead(symbol=symbol, span=Span(batch.first, batch.last + 1)))
        extra = sorted({name for answer in answers for name in answer.batch.extra})
        statements = Statements.of(answers, extra)
        for before, after in pairs(statements):
            if (found := _revision(statements, before, after)).changes:
                yield found
        if len(batch) < CHUNK or batch.last + 1 >= span.end:
            return
        span = Span(batch.last + 1, span.end)


def _revision(said: Statements, before: int, after: int) -> Revision:
    old, new = (_known(said.values[row].tolist()) for row in (before, after))
    return Revision(
        open_time=to_datetime(int(said.open_time[after])),
        changes={name: (a, b) for name, a, b in zip(said.names, old, new, strict=True) if a != b},
        answered_before=to_datetime(int(said.answered_at[before])) if said.answered_at[before] else None,
        answered_after=to_datetime(int(said.answered_at[after])) if said.answered_at[after] else None,
        source_before=said.sources[said.source[before]],
        source_after=said.sources[said.source[after]],
    )


def _known(values: list[float]) -> list[float | None]:
    return [None if value != value else value for value in values]
