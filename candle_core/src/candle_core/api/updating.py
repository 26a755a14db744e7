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

        The status of the exchange's other registered markets is brought up to date as well, so that those that no
        longer trade are known. An update may be stopped at any moment; the next one goes on from there.

        Args:
            archetype: what the exchange trades, ``CRYPTO`` or ``STOCK``.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            timeframes: each market is collected in all of them; None: those of ``[defaults] timeframes``, or ``1d``.
            base: only markets of this base.
            quote: only markets of this quote.
            status: only markets of this status; None: of any.
            count: only so many markets, the first ones by name.
            start: from this open time on; None: from each market's beginning.
            buffer_size: so many rows, of all symbols together, are gathered before they are written.
            progress_callback: called when a symbol starts, gets an answer, is done or has failed.

        Returns:
            What came of each symbol. One that failed stands there with its cause, and the others went on.

        Raises:
            BadInputError: the exchange has no such archetype, trade type or timeframe.
            PluginError: no such provider or storage.
            ProviderError: the exchange does not list its markets, and none are known.
            StorageError: the database did not take something; what was committed before stays.
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
        """Collect what is new of every registered symbol that matches, up to the last closed candle.

        A symbol of which nothing is stored or proven yet is collected from its market's beginning. A symbol whose next
        candle is not closed is not asked for, and one whose market no longer trades is asked for once a day. Exchanges
        are asked at the same time; at each of them, the symbols with the least work come first. An update may be
        stopped at any moment.

        Args:
            archetype: only symbols of this kind, e.g. ``CRYPTO``. Upper and lower case do not matter, here and below.
            exchange: only symbols of this exchange.
            tradetype: only symbols of this trade type.
            base: only symbols of this base.
            quote: only symbols of this quote.
            timeframe: only symbols of this timeframe.
            buffer_size: so many rows, of all symbols together, are gathered before they are written; None: 100,000.
            mend: ask also for what is missing since the first moment that is stored or proven.
            progress_callback: called when a symbol starts, gets an answer, is done or has failed.

        Returns:
            What came of each symbol. One that failed stands there with its cause, and the others went on. If an
            exchange failed as a whole, the other exchanges went on.

        Raises:
            BadInputError: an impossible buffer size.
            StorageError: the database cannot be read, or did not take something; what was committed before stays.
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
