"""Updating: many symbols at a time, from the exchange into the database."""

from collections.abc import Sequence

from candle_core.api.base import Base
from candle_core.update import BUFFER_SIZE, ProgressCallback, UpdateWish, active_update, passive_update
from candle_hookspecs import MarketStatus, Moment, SymbolQuery, UpdateResult, to_ms


class Updating(Base):
    """Calls that keep many symbols fresh."""

    async def active_update(
        self,
        archetype: str,
        exchange: str,
        tradetype: str,
        *,
        timeframes: Sequence[str] | None = None,
        base: str | None = None,
        quote: str | None = None,
        status: MarketStatus | None = MarketStatus.TRADING,
        count: int | None = None,
        start: Moment | None = None,
        buffer_size: int = BUFFER_SIZE,
        progress_callback: ProgressCallback | None = None,
    ) -> UpdateResult:
        """List an exchange's markets, register them, and collect what is missing up to the last closed candle.

        What is known of other registered markets of the exchange is brought up to date as well: which of them trade no
        more. Ending it at any moment is safe, and the next run goes on from there.

        Args:
            archetype: what the exchange trades, ``CRYPTO`` or ``STOCK``.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            timeframes: each market in all of them; None: ``[defaults] timeframes``, else ``1d``.
            base: only markets of this base.
            quote: only markets of this quote.
            status: only markets of this status; None: of any.
            count: only so many markets, the first by name.
            start: from this open time on; None: from each market's beginning.
            buffer_size: rows that are gathered, of all symbols together, until they are written.
            progress_callback: called when a symbol starts, gets an answer, is done or has failed.

        Returns:
            What came of each symbol. One that failed stands there with its cause, and the others went on.

        Raises:
            BadInputError: the exchange has no such archetype, trade type or timeframe. PluginError: no such provider or
                storage. ProviderError: the exchange lists no markets, and none are known. StorageError: the database
                did not take something; what was committed before stays.
        """
        wish = UpdateWish(
            exchange=exchange.upper(),
            tradetype=tradetype.upper(),
            timeframes=tuple(dict.fromkeys(timeframes or self._kernel.config.defaults.timeframes)),
            base=base,
            quote=quote,
            status=status,
            count=count,
            start=None if start is None else to_ms(start),
        )
        return await active_update(self._kernel, archetype, wish, buffer_size=buffer_size, callback=progress_callback)

    async def passive_update(
        self,
        archetype: str | None = None,
        exchange: str | None = None,
        tradetype: str | None = None,
        base: str | None = None,
        quote: str | None = None,
        timeframe: str | None = None,
        buffer_size: int | None = None,
        *,
        mend: bool = True,
        progress_callback: ProgressCallback | None = None,
    ) -> UpdateResult:
        """Bring every registered symbol that matches from where it stands to the last closed candle.

        A symbol of which nothing is stored or proven yet is collected from its market's beginning. One whose next
        candle is not closed is not asked for; one whose market no longer trades, once a day. Exchanges are asked side
        by side, and in each the symbols with the least work first. Ending it at any moment is safe.

        Args:
            archetype: only those of it; all of these compare in any case.
            exchange: only those of this exchange.
            tradetype: only those of this trade type.
            base: only those of this base.
            quote: only those of this quote.
            timeframe: only those of this timeframe.
            buffer_size: rows that are gathered, of all symbols together, until they are written; None: 100,000.
            mend: also ask for what is missing since the first moment that is stored or proven.
            progress_callback: called when a symbol starts, gets an answer, is done or has failed.

        Returns:
            What came of each symbol. One that failed stands there with its cause, and the others went on; so did other
            exchanges where one failed as a whole.

        Raises:
            BadInputError: an impossible buffer size. StorageError: the database cannot be read, or did not take
                something; what was committed before stays.
        """
        query = SymbolQuery(
            archetype=archetype,
            exchange=exchange,
            tradetype=tradetype,
            base=base,
            quote=quote,
            timeframe=timeframe,
            statistics=True,
            coverage=True,
        )
        return await passive_update(self._kernel, query, mend=mend, buffer_size=buffer_size, callback=progress_callback)
