"""Text of files and users as one short line of a message."""


def printable(text: str) -> str:
    """Return at most 80 characters of `text` that a terminal shows and does not obey."""
    text = text if len(text) <= 80 else text[:77] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
