"""What the reports of all benches share: medians, verdicts, tables, files."""

import json
import statistics

DATABASES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


class Spread:
    """The median of repeats, with what it lies between."""

    def __init__(self, values):
        self.median, self.low, self.high = statistics.median(values), min(values), max(values)

    def text(self, form=",.0f"):
        return (f"{format(self.median, form)} ({format(self.low, form)} to "
                f"{format(self.high, form)})")


def verdict(target, value):
    """`target`: at least or at most, and the limit."""
    comparison, limit = target
    reached = value >= limit if comparison == ">=" else value <= limit
    return f"{comparison} {limit:,}: {'reached' if reached else 'MISSED'}"


def noise(rounds, name, rate):
    """How far apart repeats of the same measurement lie, as a sentence."""
    values = [rate(figures) for figures in rounds]
    return f"{name}: the fastest of {len(values)} rounds is {max(values) / min(values):.2f} x " \
           "the slowest"


def table(heads, rows):
    """The lines of a table in Markdown."""
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(row) + " |" for row in rows)]


def write_files(folder, name, text, record):
    """NAME.md and NAME.json; the former is printed, too."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"\n{text}\n{folder / name}.md, {folder / name}.json")
