"""Dates: one format a column, read by pandas, and the numbers that stand for a date."""

import re
import warnings

import numpy as np
import pandas as pd

PARTS = ("year", "month", "weekday", "hour", "elapsed days")
#: Parts whose values come again in a later file.
COME_AGAIN = ("month", "weekday", "hour")
ISO = "ISO8601"
# What `guess_datetime_format` does not know: months without a day, years of two digits.
_MORE_FORMATS = (
    *("%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%d-%b-%y"),
)
# Times alone: minutes of two digits, so that 3:1 is none.
_TIME = re.compile(r"\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?")
_TIME_FORMATS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
_MONTH_FIRST = re.compile(r"%m([./-])%d\1(%[Yy].*)")


def parse_dates(texts: pd.Series, format: str) -> pd.Series:
    """Texts as timestamps without a time zone (UTC where they have one); NaT for other texts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dates = pd.to_datetime(texts, format=format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None)


def find_format(texts: list[str], day_first: bool) -> tuple[str, bool] | None:
    """The format under which most texts are dates, or None.

    Args:
        texts: Different texts of a column.
        day_first: How to read 3/4/2020 when the column does not show it.

    Returns:
        The format and whether the order of day and month was not shown by any text.
    """
    from pandas.tseries.api import guess_datetime_format

    if not any(character.isdigit() for text in texts[:20] for character in text):
        return None
    if all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts):
        return "%Y%m%d", False
    candidates: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in texts[:20]:
            for first in (False, True):
                found = guess_datetime_format(text, dayfirst=first)
                if found and "%Y-%d" not in found and "%Y/%d" not in found:
                    candidates[ISO if found.startswith("%Y-%m") else found] = None
    if all(_TIME.fullmatch(text) for text in texts[:20]):
        candidates = dict.fromkeys(_TIME_FORMATS)
    sample = pd.Series(texts, dtype="str")
    shares = {
        format: float(parse_dates(sample, format).notna().mean())
        for format in (*candidates, *_MORE_FORMATS)
    }
    best = max(shares, key=lambda format: shares[format])
    if shares[best] == 0:
        return None
    month_first = _MONTH_FIRST.fullmatch(best)
    swapped = month_first and f"%d{month_first[1]}%m{month_first[1]}{month_first[2]}"
    if swapped is None or shares.get(swapped) != shares[best]:
        return best, False
    dotted = month_first[1] == "."
    return (swapped if day_first or dotted else best), not dotted


def are_compact(column: pd.Series) -> bool:
    """Whether whole numbers are all days of 1900 to 2099 written as 20200131, several of them."""
    values = pd.unique(column.dropna()) if column.dtype.kind in "iuf" else np.zeros(1)
    days = (values >= 19000101) & (values <= 20991231)
    if len(values) < 3 or not days.all() or not (values % 1 == 0).all():
        return False
    texts = pd.Series(values).map("{:.0f}".format)
    return bool(parse_dates(texts, "%Y%m%d").notna().all())


def date_parts(dates: pd.Series, origin: pd.Timestamp) -> dict[str, pd.Series]:
    """Year, month, weekday (0 is Monday), hour and days since `origin`, as float64."""
    elapsed = (dates - origin) / pd.Timedelta(days=1)
    hour = dates.dt.hour + dates.dt.minute / 60 + dates.dt.second / 3600
    values = (dates.dt.year, dates.dt.month, dates.dt.day_of_week, hour, elapsed)
    return {part: value.astype("float64") for part, value in zip(PARTS, values, strict=True)}
