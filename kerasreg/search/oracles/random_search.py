"""Random search."""

from typing import Any

from kerasreg.search.oracles.seeded import SeededOracle


class RandomOracle(SeededOracle):
    """Independent random settings; see `SeededOracle` for arguments and guarantees.

    Source: Bergstra & Bengio 2012, https://jmlr.org/papers/v13/bergstra12a.html
    """

    def _propose(self, index: int) -> dict[str, Any] | None:
        return self._draw(index)
