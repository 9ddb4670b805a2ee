"""The report of `lite bench world` as tables: figures, and beside each what it is compared with."""

from lite.bench.speed import WorldReport

Table = list[list[str]]


def tables_of(report: WorldReport) -> list[Table]:
    """A table for each kind of figure that was measured, its first row the names of the columns."""
    return [
        table for table in (_comparisons(report), _rates(report), _calls(report), _memory(report)) if len(table) > 1
    ]


def remarks(report: WorldReport) -> list[str]:
    """What a reader of the figures has to know, a line each."""
    vectors = f"{report.embedder}, {report.index}" if report.embedder else "none"
    return [
        f"{report.world}: {report.pages:,} pages, digest {report.digest}, index {report.index_id}, vectors {vectors}",
        f"queries: {report.queries}; each is asked once, so that no answer is remembered",
        "the two sides of a ratio are measured in turns within one run; CPU is of all threads of this process",
    ]


def _comparisons(report: WorldReport) -> Table:
    head = [
        "milliseconds a call",
        "ratio",
        "CPU ratio",
        "p50",
        "p95",
        "CPU",
        "bare p50",
        "bare p95",
        "bare CPU",
        "calls",
    ]
    return [
        head,
        *(
            [
                one.name,
                f"{one.ratio:.2f}",
                f"{one.cpu_ratio:.2f}",
                *(_ms(n) for n in (one.p50, one.p95, one.cpu, one.bare_p50, one.bare_p95, one.bare_cpu)),
                f"{one.calls:,}",
            ]
            for one in report.comparisons
        ),
    ]


def _rates(report: WorldReport) -> Table:
    head = ["pages a second", "ratio", "CPU ratio", "a second", "a CPU-second", "bare", "bare, CPU", "pages"]
    return [
        head,
        *(
            [
                one.name,
                _or_dash(one.ratio, ".2f"),
                _or_dash(one.cpu_ratio, ".2f"),
                *(
                    _or_dash(n, ",.0f")
                    for n in (one.per_second, one.per_cpu_second, one.bare_per_second, one.bare_per_cpu_second)
                ),
                f"{one.pages:,}",
            ]
            for one in report.rates
        ),
    ]


def _calls(report: WorldReport) -> Table:
    head = ["tool calls, 63 % searches and 37 % visits", "a second", "a CPU-second", "calls"]
    rows = (
        [one.name, f"{one.per_second:,.0f}", _or_dash(one.per_cpu_second, ",.0f"), f"{one.calls:,}"]
        for one in report.calls
    )
    return [head, *rows]


def _memory(report: WorldReport) -> Table:
    head = ["megabytes while answering", "anonymous", "embedder alone", "beside it", "resident", "peak", "calls"]
    return [
        head,
        *(
            [
                one.name,
                *(f"{n:,.0f}" for n in (one.anonymous, one.embedder, one.beside, one.resident, one.peak)),
                f"{one.calls:,}",
            ]
            for one in report.memory
        ),
    ]


def _ms(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
