"""Numbers as people and spreadsheets write them: 1,234.50, 19.725,73, 40 430, $5, 7.5 %, (3)."""

import re
from collections.abc import Iterable

# Blanks that separate thousands (no-break, figure, thin, narrow), and the minus sign.
_SIGNS = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " ") | {"\u2212": "-"})
_CURRENCY = (
    r"(?:US\$|R\$|C\$|A\$|[$€£¥₹₽₩₺₪฿]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|"
    r"kr\.?|zł|Rs\.?)"
)


def _pattern(decimal: str, thousands: str) -> re.Pattern:
    point = re.escape(decimal)
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>[{thousands} '’])(?:\d{{2,3}}(?P=mark))*\d{{3}}"
    return re.compile(
        rf"(?P<open>\()? ?(?P<sign>[+-])? ?(?P<money>{_CURRENCY})? ?(?P<inner>[+-])?"
        rf"(?P<whole>{grouped}|\d+|(?={point}\d))(?:{point}(?P<fraction>\d*))?"
        rf"(?P<exponent>[eE][+-]?\d{{1,3}})?"
        rf" ?(?P<after>{_CURRENCY})? ?(?P<percent>%)? ?(?P<behind>-)?(?P<close>\))?"
    )


_PATTERNS = {".": _pattern(".", ","), ",": _pattern(",", ".")}
# A sign before the last digits that can only be a decimal sign: not three digits behind it, or
# nothing but a zero, or thousands, before it.
_CERTAIN = {
    ".": re.compile(r"\D*(?:\d*\.(?:\d{1,2}|\d{4,})|0?\.\d+|[1-9]\d{0,2}(?:,\d{3})+\.\d+)[^\d.,]*"),
    ",": re.compile(r"\D*(?:\d*,(?:\d{1,2}|\d{4,})|0?,\d+|[1-9]\d{0,2}(?:\.\d{3})+,\d+)[^\d.,]*"),
}


def plain(text: str) -> str:
    """The text without blanks and byte order marks on both sides."""
    return text.strip().strip("\ufeff\u200b").strip()


def match_number(text: str, decimal: str) -> re.Match | None:
    """Match a text that is one number under a decimal sign, `"."` or `","`."""
    match = _PATTERNS[decimal].fullmatch(text.translate(_SIGNS).strip())
    if match is None or (match["open"] is None) != (match["close"] is None):
        return None
    signs = sum(match[group] is not None for group in ("open", "sign", "inner", "behind"))
    return match if signs <= 1 else None


def number_of(text: str, decimal: str) -> float | None:
    """The number that a text is, `7.5 %` being 7.5; None if it is none."""
    match = match_number(text, decimal)
    if match is None:
        return None
    whole = match["whole"].replace(match["mark"], "") if match["mark"] else match["whole"]
    value = float(f"{whole or 0}.{match['fraction'] or 0}{match['exponent'] or ''}")
    negative = match["open"] or match["behind"] or "-" in (match["sign"], match["inner"])
    return -value if negative else value


def is_number(text: str) -> bool:
    """Whether a text is a number under one decimal sign or the other."""
    return any(match_number(plain(text), sign) is not None for sign in ".,")


def writing_of(texts: Iterable[str], decimal: str) -> list[str]:
    """What is special about how numbers are written, in words."""
    words: dict[str, None] = {}
    marks = {",": "commas", ".": "points", " ": "blanks", "'": "apostrophes", "’": "apostrophes"}
    for text in texts:
        match = match_number(text, decimal)
        if match is None:
            continue
        if match["mark"]:
            words[f"thousands {marks[match['mark']]}"] = None
        if match["fraction"] and decimal == ",":
            words["decimal commas"] = None
        if match["money"] or match["after"]:
            words["currency signs"] = None
        if match["percent"]:
            words["percent signs (7.5 % is 7.5)"] = None
        if match["open"]:
            words["brackets for negatives"] = None
    return list(words)


def certain_decimal(texts: Iterable[str]) -> str | None:
    """The decimal sign that more texts show beyond doubt; None without such texts."""
    counts = {".": 0, ",": 0}
    for text in texts:
        text = text.translate(_SIGNS).strip()
        for decimal, pattern in _CERTAIN.items():
            if pattern.fullmatch(text) and match_number(text, decimal):
                counts[decimal] += 1
    if counts["."] == counts[","]:
        return None
    return max(counts, key=counts.get)
