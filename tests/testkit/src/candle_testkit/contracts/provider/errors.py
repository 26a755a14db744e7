"""What goes wrong at an exchange, and the error that a provider makes of it."""

from dataclasses import replace
from typing import Any, Final

import pytest

from candle_hookspecs import (
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    Page,
    ProviderError,
    RateLimitedError,
    TransientError,
)
from candle_testkit.contracts.stage import Stage

FAULTS: Final = [
    # what the exchange does, the error it must become, an error that it must not become
    pytest.param("status", {"status": 500}, TransientError, MalformedAnswerError, id="500"),
    pytest.param("html", {"status": 503}, TransientError, MalformedAnswerError, id="503-html"),
    pytest.param("html", {"status": 403}, ProviderError, (TransientError, RateLimitedError), id="403-html"),
    pytest.param("html", {"status": 200}, MalformedAnswerError, (), id="200-html"),
    pytest.param("reset", {}, TransientError, MalformedAnswerError, id="reset"),
    pytest.param("truncated", {}, TransientError, (), id="truncated"),
    pytest.param("wrong_shape", {"shape": "object"}, MalformedAnswerError, (), id="object"),
    pytest.param("wrong_shape", {"shape": "short_row"}, MalformedAnswerError, (), id="short-row"),
    pytest.param("wrong_shape", {"shape": "null_price"}, MalformedAnswerError, (), id="null-price"),
    pytest.param("nan", {}, MalformedAnswerError, (), id="nan"),
    pytest.param("reordered", {}, MalformedAnswerError, (), id="reordered"),
    pytest.param("other_range", {}, MalformedAnswerError, (), id="other-range"),
]


class ErrorChecks:
    """Faults, limits and unknown names."""

    @pytest.mark.parametrize(("kind", "options", "error", "unlike"), FAULTS)
    def test_fault_becomes_its_error(
        self, stage: Stage, kind: str, options: dict[str, Any], error: type[ProviderError], unlike: Any
    ) -> None:
        """Every way in which an exchange fails becomes its error of the tree, after one request."""
        caught = _error_of(stage, error, kind, **options)
        assert not isinstance(caught, unlike)

    @pytest.mark.parametrize(("kind", "wait"), [("rate_limited", 7), ("banned", 120)])
    def test_limit_is_told_with_its_wait(self, stage: Stage, kind: str, wait: int) -> None:
        """429 and 418 come with the exchange's own wait; a ban is told from a slowdown."""
        caught = _error_of(stage, RateLimitedError, kind, retry_after=wait)
        assert isinstance(caught, RateLimitedError)
        banned = kind == "banned" and stage.scene.tells_bans
        assert (caught.retry_after, caught.banned) == (stage.scene.waits.get(kind, wait), banned)

    def test_unknown_names_are_told(self, stage: Stage) -> None:
        """A timeframe that the exchange does not have is a bad request, a market that it does not have is gone."""
        request = stage.request(stage.scene.day)
        with pytest.raises(BadRequestError):
            stage.call("candle_fetch", replace(request, timeframe="7m"))
        symbol = request.market.ccxt_symbol.replace(request.market.base, "GONE")
        gone = replace(request.market, native_id=stage.scene.absent, ccxt_symbol=symbol, base="GONE")
        with pytest.raises(MarketGoneError):
            stage.call("candle_fetch", replace(request, markets=(gone,)))


def _error_of(stage: Stage, error: type[ProviderError], kind: str, **options: Any) -> ProviderError:
    """The error that a fault became; it must have cost one request, and the next one must be answered."""
    request = stage.request(stage.scene.day, limit=50)
    tries = 2 if kind == "reset" and stage.scene.reconnects else 1
    stage.sandbox.faults.script(kind, times=tries, **options)
    stage.sandbox.ledger.clear()
    with pytest.raises(error) as caught:
        stage.call("candle_fetch", request)
    assert stage.sandbox.ledger.count() == tries, "a provider tries once; retries belong to the kernel"
    assert isinstance(stage.fetch(request), Page)
    return caught.value
