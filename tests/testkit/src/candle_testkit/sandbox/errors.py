"""The sandbox's own error: a configuration or an order to it that cannot be carried out."""

from __future__ import annotations


class SandboxError(ValueError):
    """A setting of the sandbox is wrong; the message names it and says what to do."""
