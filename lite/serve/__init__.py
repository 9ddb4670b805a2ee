"""Doors to a world for other programs and for people: HTTP interfaces, the Model Context Protocol, pages to look at."""

from lite.extras import need

need("starlette", "serve")  # every door stands on it: without it, one line saying what to install
