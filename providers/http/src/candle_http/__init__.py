"""What providers that speak REST share: one session, an answer or a typed error, and the budget's gate."""

from candle_http.answers import Answer, Refusal
from candle_http.client import Client, used_in
from candle_http.refusals import error_for
from candle_http.rows import Rows, sound

__all__ = ["Answer", "Client", "Refusal", "Rows", "error_for", "sound", "used_in"]
