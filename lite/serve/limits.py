"""What one request may ask of a server, and how long it may take."""

import os

from pydantic import Field

from lite.recipe import Settings


class Limits(Settings):
    """Limits of a server. What goes beyond one is answered with a 4xx status and one line that names it."""

    body: int = Field(default=1_000_000, ge=1)  # bytes of a request
    chars: int = Field(default=10_000, ge=1)  # of one query, URL or goal
    batch: int = Field(default=100, ge=1)  # queries of one request, or URLs to read
    urls: int = Field(default=1000, ge=1)  # of a mask, or to look up
    results: int = Field(default=100, ge=1)  # hits a query
    seconds: float = Field(default=30.0, gt=0)  # for the work on one request
    patience: float = Field(default=10.0, gt=0)  # seconds a client may take to send one
    waiting: int = Field(default=1000, ge=1)  # requests that are worked on or wait for it
    threads: int = Field(default_factory=lambda: min(8, (os.cpu_count() or 1) + 1), ge=1)  # that work at once
