"""Shared by every test run.

The folder `candle_core/` bears the name of the package inside it. Under `--import-mode=importlib` pytest would import
the folder, as a namespace, when it meets the tests in it; once the package itself is imported it does not.
"""

import candle_core as _candle_core  # noqa: F401
