"""Names of columns: every column has one, and no two the same."""


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
