"""What is said where a library is absent that only some need."""

import sys

import pytest

from candle_hookspecs import CandleBatch, CandleError, CandleFrame, MissingLibraryError


@pytest.mark.parametrize(("library", "extra"), [("pandas", "pandas"), ("polars", "polars"), ("pyarrow", "arrow")])
@pytest.mark.parametrize("candles", [CandleBatch.empty(), CandleFrame({"BTC/USDT": CandleBatch.empty()})], ids=type)
def test_handing_over_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, candles: CandleBatch | CandleFrame, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibraryError, match=rf"to_{extra} needs .*'{library}'.*candle-core\[{extra}\]") as caught:
        getattr(candles, f"to_{extra}")()
    assert isinstance(caught.value, ImportError), "as whoever knows Python would expect"
    assert isinstance(caught.value, CandleError)
