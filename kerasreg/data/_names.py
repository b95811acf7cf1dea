"""Names of columns: every column has one, no two the same, and of many only some are said."""

from collections.abc import Sequence


def unique_names(names: list) -> list[str]:
    """Name unnamed columns and tell duplicates apart, as pandas does when it reads CSV."""
    result: list[str] = []
    taken = {str(name) for name in names}
    seen: set[str] = set()
    for index, name in enumerate(names):
        text = candidate = str(name) or f"Unnamed: {index}"
        copies = 0
        while candidate in seen or (copies and candidate in taken):
            copies += 1
            candidate = f"{text}.{copies}"
        seen.add(candidate)
        result.append(candidate)
    return result


def some(texts: Sequence[str], most: int = 5) -> str:
    """At most `most` texts, and how many more there are."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
