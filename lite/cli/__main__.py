"""`python -m lite.cli` is the `lite` command."""

from lite.cli import main

main()
