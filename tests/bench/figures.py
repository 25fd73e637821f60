"""What was measured, beside what was wanted."""

import operator
from dataclasses import asdict, dataclass
from statistics import median

_COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass
class Figure:
    name: str
    value: float
    unit: str = ""
    target: str = ""   # "<= 2.5"; empty: for information
    note: str = ""

    @property
    def verdict(self):
        if not self.target:
            return ""
        sign, limit = self.target.split()
        return "reached" if _COMPARE[sign](self.value, float(limit)) else "MISSED"


class Figures:
    def __init__(self):
        self._figures, self._rounds = [], {}

    def add(self, name, value, unit="", target="", note=""):
        """`value`: a number, or the values of all rounds, of which the median counts."""
        if isinstance(value, (list, tuple)):
            self._rounds[name] = list(value)
            value = median(value)
        self._figures.append(Figure(name, value, unit, target, note))
        return value

    def missed(self):
        return [figure for figure in self._figures if figure.verdict == "MISSED"]

    def table(self):
        rows = [("what", "seen", "target", "", "")]
        rows += [(f.name, f"{_short(f.value)} {f.unit}".strip(), f.target, f.verdict, f.note) for f in self._figures]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)

    def document(self):
        return {"figures": [asdict(f) | {"verdict": f.verdict} for f in self._figures], "rounds": self._rounds}


def _short(value):
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:,}"
