"""The size of the pages of one walk: smaller after trouble, larger again after a while."""

from collections.abc import Callable

_PATIENCE = 10  # good pages before a size that failed is tried again


class Sizes:
    """Halves and doubles a page's size between two bounds; `fits` tells whether a page of that size may be asked for.

    A size that fails again after it was doubled is tried twice as late the next time.
    """

    def __init__(self, most: int, least: int) -> None:
        self.now = most
        self._least = max(1, least)
        self._larger: list[int] = []
        self._good = 0
        self._patience = _PATIENCE
        self._grew = False

    def shrink(self, fits: Callable[[int], bool]) -> bool:
        """Halves the size; False where it cannot become smaller."""
        half = self.now // 2
        if half < self._least or not fits(half):
            return False
        if self._grew:
            self._patience *= 2
        self._larger.append(self.now)
        self.now, self._good, self._grew = half, 0, False
        return True

    def praise(self, fits: Callable[[int], bool]) -> None:
        """Notes a good page; doubles the size after some of them, where the next page may have it."""
        self._good += 1
        if self._larger and self._good >= self._patience and fits(self._larger[-1]):
            self.now, self._good, self._grew = self._larger.pop(), 0, True
