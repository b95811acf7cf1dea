"""Numbers for readers: two digits that matter, and no probability of 0."""

import math


def amount(value: float, *, sign: bool = False) -> str:
    """Write a number with two significant digits, at least the whole part, never more than 0.01.

    `62.13` becomes "62", `2.234` "2.2", `0.617` "0.62", and what rounds to nothing "0".
    """
    if abs(value) >= 9.95:
        text = f"{value:,.0f}"
    elif abs(value) >= 0.995:
        text = f"{value:.1f}"
    else:
        text = f"{value:.2f}"
    if float(text.replace(",", "")) == 0:
        return "0"
    return f"+{text}" if sign and value > 0 else text


def small(value: float) -> str:
    """Write a count or a share with two digits that matter: "30", "0.13", "under 0.001"."""
    if 0 < abs(value) < 0.001:
        return "under 0.001"
    return f"{value:.2g}" if abs(value) < 9.95 else amount(value)


def factor(value: float) -> str:
    """Write a ratio with two significant digits: "0.64×", "2.3×", "1,200×", "under 0.001×"."""
    if value < 0.001:
        return "under 0.001×"
    if value > 1e6:
        return "over a million×"
    digits = max(0, 1 - math.floor(math.log10(value)))
    return f"{round(value, 1 - math.floor(math.log10(value))):,.{digits}f}×"


def probability(p: float) -> str:
    """Write a p-value: "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
