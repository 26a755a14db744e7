"""What is imported is paid for by everybody; of ccxt's hundred exchanges only the one that is asked."""

import subprocess
import sys
import textwrap
from typing import Final


def exchanges_after(code: str) -> set[str]:
    """The exchanges whose modules a fresh interpreter has loaded after the code, and ``ccxt`` if its package ran."""
    program = textwrap.dedent(code) + textwrap.dedent("""
        import sys
        prefix = "ccxt.async_support."
        loaded = {name.removeprefix(prefix).partition(".")[0] for name in sys.modules if name.startswith(prefix)}
        print("loaded:", *loaded, *(["ccxt"] if "ccxt" in sys.modules else []))
    """)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split()[1:])


BUILD: Final = """
    import pathlib
    from candle_ccxt.provider import CcxtProvider
    from candle_testkit.context import make_context

    def build(name):
        return CcxtProvider(CcxtProvider.Settings(), make_context(pathlib.Path("/nowhere"), name))
"""


def test_importing_the_plugin_imports_no_ccxt() -> None:
    assert exchanges_after("import candle_ccxt.provider") == set()
    assert exchanges_after(BUILD + "    build('ccxt')") == set(), "nor does building it under its own name"


def test_one_exchange_loads_itself_alone() -> None:
    assert exchanges_after(BUILD + "    build('kraken')") == {"base", "kraken"}
    # What it is derived from comes with it.
    assert exchanges_after(BUILD + "    build('kraken'), build('binanceusdm')") == {
        "base", "kraken", "binance", "binanceusdm",
    }  # fmt: skip


def test_who_imports_ccxt_afterwards_has_all_of_it() -> None:
    after = (
        BUILD
        + """
    mine = type(build('kraken')._site.ccxt).__mro__
    import ccxt
    import ccxt.async_support
    assert ccxt.binance().id == "binance" and "kraken" in ccxt.exchanges
    assert ccxt.async_support.kraken in mine
    from ccxt.base.errors import BaseError
    assert issubclass(ccxt.BadSymbol, ccxt.BaseError) and ccxt.BaseError is BaseError
    build('okx')
    """
    )
    found = exchanges_after(after)
    assert "ccxt" in found
    assert len(found) > 100


def test_who_imported_ccxt_before_keeps_it() -> None:
    before = (
        "    import ccxt\n"
        + BUILD
        + """
    build('kraken')
    import sys
    assert sys.modules["ccxt"] is ccxt and ccxt.binance().id == "binance"
    """
    )
    assert "ccxt" in exchanges_after(before)
