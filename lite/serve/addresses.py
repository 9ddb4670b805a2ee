"""Addresses of the window's own pages, and how a page's address is shown to a person."""

from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote, urlencode


def reader(url: str, **parameters: str | int) -> str:
    """Where the window shows the page at `url`; what is empty or the default is left out."""
    kept = {name: value for name, value in parameters.items() if value != "" and (name, value) != ("view", "agent")}
    return f"/page?{urlencode({'url': url} | kept)}"


def site_of(url: str) -> str:
    """Scheme and host of an address, or its scheme alone where it has no host."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url[: url.find(":") + 1]
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    return f"{scheme}://{rest[:end]}"


def sites(urls: Iterable[str]) -> Counter[str]:
    """How many of `urls` each site has; quick where those of a site follow each other."""
    counts: Counter[str] = Counter()
    site, start, count = "", "\0", 0
    for url in urls:
        if url.startswith(start):
            count += 1
        else:
            counts[site] += count
            site, count = site_of(url), 1
            start = f"{site}/"
    counts[site] += count
    return +counts


def ranges(site: str) -> list[tuple[str, str]]:
    """Half-open ranges of the addresses that `site_of` gives this site, in ascending order."""
    if "://" not in site:
        return [(site, f"{site}\U0010ffff")]
    return [(site, f"{site}\0"), (f"{site}#", f"{site}$"), (f"{site}/", f"{site}0"), (f"{site}?", f"{site}@")]


def site_link(site: str, after: str = "") -> str:
    """Where the window lists the pages of a site, those behind the address `after` if it is given."""
    return f"/site?{urlencode({'name': site} | ({'after': after} if after else {}))}"


def crumbs(url: str) -> list[str]:
    """An address as a person reads it: host, then the parts of its path, escapes decoded; `https://` is left out."""
    shown = unquote(url, errors="replace")
    scheme, separator, rest = (shown if shown.isprintable() and "\ufffd" not in shown else url).partition("://")
    if not separator:
        return [scheme]
    parts = [part for part in rest.split("/") if part]
    return parts if scheme == "https" else [f"{scheme}://{parts[0] if parts else ''}", *parts[1:]]
