"""What a plugin can do, stated as a value so that the kernel need not ask by trying."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from candle_hookspecs.limits import Costs, Limit
from candle_hookspecs.requests import Anchor, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCapabilities:
    """What an exchange can answer, and within which limits.

    Attributes:
        contract: the `CONTRACT_VERSION` the plugin was written for.
        tradetypes: e.g. ``("SPOT",)``.
        timeframes: ccxt's notation, all that the exchange serves natively.
        kinds: what it has of the four kinds of market data.
        page_limit: most candles in one answer.
        batch: kind → most markets that one call may name. One where nothing is said, and always one for candles and
            trades.
        rows: kind → most rows of one answer besides candles: trades, levels on each side of an order book.
        anchors: the ends from which a request can count, the better one first.
        limits: everything that may be spent; a name in `costs` must be one of these.
        costs: kind → cost of one request, for the default `candle_split`. Where it depends on what is asked, that of
            the cheapest one; `candle_split` of the provider then states what each call costs.
        settle: milliseconds after a candle's close until the exchange surely serves it in its final form.
        doubt: milliseconds after a candle's close during which an emptiness that was only asserted is asked again next
            time.
        grid: timeframe → UTC ms of any one open time, where the grid does not start as the kernel assumes (multiples
            of the timeframe since 1970-01-01, weeks on Monday, months and years on their first day; all UTC).
        concurrency: most requests under way at once that still pay.
        sources: source name → rank; of two answers given at the same moment the higher rank wins.
        extra_columns: further float64 columns its candles may carry.
    """

    contract: int
    archetype: str = "CRYPTO"
    tradetypes: tuple[str, ...]
    timeframes: tuple[str, ...]
    kinds: frozenset[Kind] = frozenset({Kind.CANDLES})
    page_limit: int
    batch: Mapping[Kind, int] = field(default_factory=dict)
    rows: Mapping[Kind, int] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = (Anchor.START,)
    limits: tuple[Limit, ...] = ()
    costs: Mapping[Kind, Costs] = field(default_factory=dict)
    settle: int = 2_000
    doubt: int = 600_000
    grid: Mapping[str, int] = field(default_factory=dict)
    concurrency: int = 8
    sources: Mapping[str, int] = field(default_factory=lambda: {"rest": 0})
    extra_columns: tuple[str, ...] = ()

    def cost(self, kind: Kind) -> Costs:
        """What one request of this kind costs."""
        return self.costs.get(kind, {})

    def most_markets(self, kind: Kind) -> int:
        """Most markets that one call of this kind may name; at least 1."""
        return self.batch.get(kind, 1)

    def most_rows(self, kind: Kind) -> int:
        """Most candles, trades, or levels on each side of a book in one answer; 0 where the provider does not say."""
        return self.page_limit if kind is Kind.CANDLES else self.rows.get(kind, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCapabilities:
    """What a database can do.

    Attributes:
        contract: the `CONTRACT_VERSION` the plugin was written for.
        durable: what was acknowledged is there after the process is killed.
        shared: several processes may write at once.
        extra_columns: `CandleBatch.extra` is kept.
        executes: `candle_execute` is there.
        revisions: what a later answer replaced is kept: `candle_answers` and `LoadRead.as_of` are there.
        actions: `Answer.actions` are kept, and `candle_actions` is there.
        writers: most `candle_save` and `candle_execute` under way at once that still pay.
    """

    contract: int
    durable: bool = True
    shared: bool = False
    extra_columns: bool = False
    executes: bool = False
    revisions: bool = False
    actions: bool = False
    writers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionCapabilities:
    """What an extension adds. `contract`: the `CONTRACT_VERSION` it was written for."""

    contract: int
