"""What a search may vary: ranges and choices over the fields of a stack."""

from kerasreg.search.space.ranges import Choice, Range
from kerasreg.search.space.space import Space
