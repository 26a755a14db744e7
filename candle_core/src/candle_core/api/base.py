"""What every call needs."""

from candle_core.kernel import Kernel
from candle_core.symbols import Catalogue


class Base:
    """Holds the wiring and the catalogue."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._catalogue = Catalogue(kernel)

    @property
    def kernel(self) -> Kernel:
        """The wiring underneath, for the rooms of this package."""
        return self._kernel
