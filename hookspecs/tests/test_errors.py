"""One tree, exit codes, and the way back from another process."""

import pickle

import pytest

from candle_hookspecs import CandleError, RateLimitedError, errors

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, CandleError)]
BAD_INPUT, PARTLY_FAILED, UNREACHABLE = 2, 1, 3
EXIT_CODES = {
    "CandleError": PARTLY_FAILED,
    "BadInputError": BAD_INPUT,
    "ConfigError": BAD_INPUT,
    "UnknownMarketError": BAD_INPUT,
    "UnknownTimeframeError": BAD_INPUT,
    "BadSpanError": BAD_INPUT,
    "MemoryLimitError": BAD_INPUT,
    "MissingLibraryError": BAD_INPUT,
    "PluginError": BAD_INPUT,
    "MissingPluginError": BAD_INPUT,
    "DuplicatePluginError": BAD_INPUT,
    "BrokenPluginError": BAD_INPUT,
    "MissingHookError": BAD_INPUT,
    "ProviderError": PARTLY_FAILED,
    "TransientError": UNREACHABLE,
    "MalformedAnswerError": PARTLY_FAILED,
    "RateLimitedError": UNREACHABLE,
    "MarketGoneError": PARTLY_FAILED,
    "BadRequestError": PARTLY_FAILED,
    "AuthenticationError": PARTLY_FAILED,
    "CacheUnavailableError": UNREACHABLE,
    "StoreBusyError": PARTLY_FAILED,
    "StorageError": PARTLY_FAILED,
    "StorageUnavailableError": UNREACHABLE,
    "StorageReadOnlyError": PARTLY_FAILED,
    "StorageFullError": PARTLY_FAILED,
    "StorageConstraintError": PARTLY_FAILED,
    "StorageCorruptError": PARTLY_FAILED,
    "StorageSchemaError": PARTLY_FAILED,
    "UnknownSymbolError": BAD_INPUT,
}


def test_exit_codes() -> None:
    assert {kind.__name__: kind.exit_code for kind in TREE} == EXIT_CODES


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_survives_the_way_back_from_another_process(kind: type[CandleError]) -> None:
    error = kind("no 'BTC/USDT' here")
    error.add_note("while collecting")
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is kind
    assert (str(arrived), arrived.exit_code) == ("no 'BTC/USDT' here", kind.exit_code)
    assert arrived.__notes__ == ["while collecting"]


def test_the_wait_survives_too() -> None:
    arrived = pickle.loads(pickle.dumps(RateLimitedError("slow down", retry_after=7.5, banned=True)))
    assert (str(arrived), arrived.retry_after, arrived.banned) == ("slow down", 7.5, True)
    assert RateLimitedError("slow down").retry_after is None


def test_only_what_may_go_away_is_transient() -> None:
    transient = {kind.__name__ for kind in TREE if issubclass(kind, errors.TransientError)}
    assert transient == {"TransientError", "MalformedAnswerError"}


def test_bad_input_is_a_value_error() -> None:
    assert issubclass(errors.UnknownSymbolError, ValueError)
    assert issubclass(errors.UnknownSymbolError, errors.StorageError)
