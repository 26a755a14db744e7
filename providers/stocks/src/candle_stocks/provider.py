"""Stocks: markets, candles as they were traded, splits and dividends, tickers, sessions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, Literal

from pydantic import AnyHttpUrl, Field, PositiveFloat

from candle_hookspecs import (
    CONTRACT_VERSION,
    Anchor,
    CandleBatch,
    ConfigError,
    FetchRequest,
    Kind,
    Limit,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketInfo,
    MarketQuery,
    MarketStatus,
    Page,
    PluginContext,
    ProviderCapabilities,
    Session,
    Span,
    UnknownMarketError,
    WarmupScope,
    Window,
    hookimpl,
)
from candle_hookspecs import Settings as PluginSettings
from candle_stocks import history, markets
from candle_stocks.calendars import Calendar, Correction
from candle_stocks.exchanges import KNOWN, Exchange, native_ids
from candle_stocks.intervals import DAY, INTERVALS, LONGEST, ROWS
from candle_stocks.naver import pages as naver
from candle_stocks.naver.pages import NaverSource
from candle_stocks.naver.source import MOST, Naver
from candle_stocks.yahoo import source as yahoo
from candle_stocks.yahoo.chart import Meta, body_of, meta_of, parse
from candle_stocks.yahoo.listing import listing
from candle_stocks.yahoo.quotes import MOST as MOST_QUOTES
from candle_stocks.yahoo.quotes import QuoteSource
from candle_stocks.yahoo.session import COSTS, Yahoo
from candle_stocks.yahoo.source import YahooSource

_TICKER: Final = re.compile(r"[A-Z0-9][A-Z0-9.^=-]{0,19}", re.IGNORECASE)


class StocksProvider:
    """The stocks of one exchange, from Yahoo, without a key.

    It stands under the name of the exchange. Prices, volumes and dividends are those of their day: Yahoo's are in
    today's shares, and would change with every split.
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.nasdaq]``.

        Attributes:
            chart_url: where to ask instead of Yahoo's hosts.
            source: who tells the candles: ``yahoo``, or ``naver`` for days of Korean stocks (needs
                ``candle-stocks[krx]``). Tickers are Yahoo's.
            naver_url: where to ask instead of Naver's host.
            timeout: seconds until an unanswered request is given up.
            calendar: the exchange's name in `exchange_calendars`, e.g. ``XTKS``.
            region: Yahoo's code of its country, e.g. ``jp``, for the listing.
            codes: Yahoo's code of each of its boards → what tickers end with there, e.g. ``{ JPX = ".T" }``.
            corrections: days on which the calendar is wrong.
        """

        chart_url: AnyHttpUrl | None = None
        source: Literal["yahoo", "naver"] = "yahoo"
        naver_url: AnyHttpUrl | None = None
        timeout: PositiveFloat = 30.0
        calendar: str | None = None
        region: str | None = None
        codes: Mapping[str, str] | None = Field(default=None, min_length=1)
        corrections: tuple[Correction, ...] = ()

    capabilities = ProviderCapabilities(
        contract=CONTRACT_VERSION,
        archetype="STOCK",
        tradetypes=(markets.TRADETYPE,),
        timeframes=tuple(INTERVALS),
        # Yahoo publishes neither order books nor single trades.
        kinds=frozenset({Kind.CANDLES, Kind.TICKERS}),
        page_limit=ROWS,
        batch={Kind.TICKERS: MOST_QUOTES},
        anchors=(Anchor.START,),
        # Yahoo tells nothing of its limits, and refuses everything for a while when they are passed. Two thousand an
        # hour from one address have long been served; the second limit keeps bursts out.
        limits=(
            Limit("requests", 2_000, 3_600, Window.SLIDING, pool="yahoo"),
            Limit("burst", 20, 5, Window.SLIDING, pool="yahoo"),
        ),
        costs={Kind.CANDLES: COSTS, Kind.TICKERS: COSTS},
        # Quotes of some exchanges are 20 minutes late. Days are corrected in the evening, and told as final from
        # midnight on; an emptiness is believed a day later.
        settle=20 * 60_000,
        doubt=DAY,
        concurrency=4,
        sources={yahoo.NAME: 0},
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        self._yahoo = Yahoo(_text(settings.chart_url), settings.timeout, context)
        self._charts = YahooSource(self._yahoo)
        if settings.source == naver.NAME:
            if self._exchange.calendar != "XKRX":
                raise ConfigError(f"[providers.{context.name}] source = 'naver' is for Korean stocks alone")
            self.capabilities = replace(
                self.capabilities, timeframes=("1d",), anchors=(Anchor.END,), page_limit=MOST, sources={naver.NAME: 0}
            )

    @cached_property
    def _exchange(self) -> Exchange:
        """What is asked for. Not when it is built: the plugin's own name, ``stocks``, stands for none.

        Raises:
            ConfigError: nothing is known of it.
        """
        return _exchange(self.settings, self.context.name)

    @cached_property
    def _calendar(self) -> Calendar:
        settings, context = self.settings, self.context
        return Calendar(self._exchange.calendar, context.cache_dir, settings.corrections, logger=context.logger)

    @cached_property
    def _candles(self) -> YahooSource | NaverSource:
        settings = self.settings
        if settings.source != naver.NAME:
            return self._charts
        source = Naver(_text(settings.naver_url), settings.timeout, self.context)
        return NaverSource(source, self._charts, self._calendar)

    @cached_property
    def _quotes(self) -> QuoteSource:
        """Not when it is built: it needs the calendar."""
        return QuoteSource(self._yahoo, self._calendar, self.context.logger)

    # ── candles, tickers ────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_split(self, request: FetchRequest) -> list[FetchRequest] | None:
        """One request for all candles, answered up to now; minutes week by week. Tickers are left to the kernel."""
        if request.kind is not Kind.CANDLES:
            return None
        span, longest = request.span, LONGEST.get(request.timeframe or "")
        request = replace(request, limit=self.capabilities.page_limit, costs=self.capabilities.cost(Kind.CANDLES))
        if span is None or longest is None:
            return [request]
        starts = range(span.start, span.end, longest)
        return [replace(request, span=Span(start, min(start + longest, span.end))) for start in starts]

    @hookimpl
    def candle_fetch(self, request: FetchRequest) -> Page:
        """Candles in prices of their day, and what is told of splits and dividends; or tickers.

        A ticker tells of the last session so far, its volume included, in the shares of now. Whoever tells the candles,
        tickers are Yahoo's.

        Raises:
            BadRequestError: neither tickers nor candles of a span counted from the right end.
            ProviderError: any other of its children; `MarketGoneError` for a ticker that is no more, or was renamed.
        """
        if request.kind is Kind.TICKERS:
            return self._quotes.page(request)
        return self._candles.page(request)

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Candles from the body of a chart of any interval, or from what was parsed of it, by the splits that it tells.

        Raises:
            MalformedAnswerError: it is no chart.
        """
        chart = parse(body_of(raw))
        return history.candles(chart, chart.splits)

    # ── markets, sessions, the clock ────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_markets(self, query: MarketQuery) -> list[Market]:
        """The stocks and funds that trade now; one by its name takes a single request, or one for each board.

        Raises:
            UnknownMarketError: the ticker trades elsewhere. ProviderError: any of its children.
        """
        if query.tradetype not in (None, markets.TRADETYPE) or query.status not in (None, MarketStatus.TRADING):
            return []
        if query.name is None:
            return listing(self._yahoo, self._exchange, self.context.name)
        if not _TICKER.fullmatch(query.name):
            return []
        elsewhere: list[Meta] = []
        for native_id in native_ids(query.name, self._exchange.codes):
            try:
                answer = self._charts.chart(native_id, {"range": "1d", "interval": "1d"})
            except MarketGoneError:
                continue
            meta = meta_of(answer.body)
            if meta.exchange_name in self._exchange.codes:
                return [self._market(meta)]
            elsewhere.append(meta)
        if elsewhere:
            raise UnknownMarketError(
                f"{query.name!r} is not traded at {self.context.name.upper()}: Yahoo has it at "
                f"{elsewhere[0].exchange_name!r}; ask that exchange, or name the code under "
                f"[providers.{self.context.name}] codes"
            )
        return []

    def _market(self, meta: Meta) -> Market:
        if not meta.currency:
            raise MalformedAnswerError(f"Yahoo tells no currency of {meta.symbol!r}")
        return markets.market(
            self.context.name.upper(),
            meta.symbol,
            self._exchange.codes[meta.exchange_name],
            quote=meta.currency,
            code=meta.exchange_name,
            kind=meta.instrument_type,
            listed=None if meta.first_trade_date is None else meta.first_trade_date * 1000,
            title=meta.long_name or meta.short_name or "",
        )

    @hookimpl
    def candle_calendar(self, span: Span) -> Sequence[Session]:
        """The exchange's sessions, half days and late openings included.

        Raises:
            ConfigError: there is no calendar of that name.
        """
        return self._calendar.sessions(span)

    @hookimpl
    def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Open the session and read Yahoo's clock; the markets if asked.

        Raises:
            ProviderError: any of its children.
        """
        server_time = self._yahoo.greet()
        local_time = self.context.clock.now()
        wanted = scope.markets and markets.TRADETYPE in (scope.tradetypes or self.capabilities.tradetypes)
        found = self.candle_markets(MarketQuery()) if wanted else []
        return MarketInfo(server_time=server_time, local_time=local_time, markets=tuple(found))

    @hookimpl
    def candle_close(self) -> None:
        """Close the session; a later request opens another."""
        self._yahoo.close()


def _text(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url)


def _exchange(settings: StocksProvider.Settings, name: str) -> Exchange:
    """What is known under the name, with what the settings say instead.

    Raises:
        ConfigError: nothing is known under it, and the settings leave something out.
    """
    given = {key: value for key in ("calendar", "region", "codes") if (value := getattr(settings, key)) is not None}
    known = KNOWN.get(name)
    if known is not None:
        return replace(known, **given)
    if lacking := sorted({"calendar", "region", "codes"} - set(given)):
        raise ConfigError(
            f"nothing is known of an exchange {name!r}: set {', '.join(lacking)} under [providers.{name}], as in "
            f'calendar = "XTKS", region = "jp", codes = {{ JPX = ".T" }}; known are {", ".join(KNOWN)}'
        )
    return Exchange(**given)
