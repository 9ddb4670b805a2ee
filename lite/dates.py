"""Days as people write them."""

import re
from datetime import date

MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_MONTH = {name[:length]: n for n, name in enumerate(MONTHS, 1) for length in (3, len(name))} | {"sept": 9}
_DMY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([A-Za-z]{3,9})\.?,? (\d{4})")
_MDY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def iso_date(text: str) -> str | None:
    """The day that `text` is in ISO 8601, as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def read_date(text: str) -> date | None:
    """The day that `text` is, where it can be read in one way only."""
    try:
        if found := _DMY.fullmatch(text):
            return date(int(found[3]), _MONTH[found[2].lower()], int(found[1]))
        if found := _MDY.fullmatch(text):
            return date(int(found[3]), _MONTH[found[1].lower()], int(found[2]))
        if found := _ISO.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
    except (KeyError, ValueError):
        return None
    return None
