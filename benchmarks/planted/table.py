"""The results as Markdown: kind by kind, check by check, and whether the goals are met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .mutant import KINDS
from .selection import LEFT_OUT

__all__ = ["goals", "table"]

Row = dict[str, Any]
BASELINES = {"allclose": "allclose", "assert_close": "assert_close", "bits": "equal bits"}
REFACTORS = ("equivalent", "renamed", "equal")
TITLES = {
    "equivalent": "Refactors: the same operations",
    "renamed": "Refactors with other names of parameters",
    "equal": "Other operations, the same bits",
}


def bugs(rows: Sequence[Row]) -> list[Row]:
    """What is meant as a bug and shows anywhere; the others are listed by their names."""
    return [row for row in rows if row["expected"] == "different" and row["differences"]]


def undecided(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["expected"] == "different" and not row["differences"]]


def unequal(rows: Sequence[Row]) -> list[Row]:
    """What is meant to be the same, and differs."""
    return [
        row
        for row in rows
        if row["expected"] != "different" and [item for item in row["differences"] if item != "names"]
    ]


def asked(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "seqify" in row]


def false_alarms(rows: Sequence[Row]) -> list[Row]:
    """Refactors that are called different; a warning beside "equivalent" or "tested" does not call them that."""
    return [row for row in asked(rows) if row["expected"] in REFACTORS and row["seqify"]["status"] == "different"]


def praised_bugs(rows: Sequence[Row]) -> list[Row]:
    """
    Bugs that are called equivalent: those of which nothing is said, and those that compute something else.

    Other first values or another order of parameters may stand as a warning beside "equivalent": with the same weights
    the two do the same.
    """
    praised = [row for row in asked(rows) if row["seqify"]["status"] == "equivalent"]
    return [
        row
        for row in praised
        if not found(row) or any(", " in item or item == "two steps" for item in row["differences"])
    ]


def kinds_of(rows: Sequence[Row]) -> list[str]:
    """The kinds that there are, in the order in which they are defined."""
    present = {row["kind"] for row in rows}
    return [name for name in KINDS if name in present]


def found(row: Row) -> bool:
    return bool(row["seqify"]["found"])


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def title(row: Row) -> str:
    rows = row["new_rows"] or row["old_rows"]
    return f"`{row['network']}`, {row['kind']} ({row['number']}, row {', '.join(map(str, rows[:3]))})"


# ---- tables


def bug_lines(rows: Sequence[Row]) -> list[str]:
    """A line for each kind of bug: how many there are, and who finds how many."""
    lines = [
        "| kind | mutants | " + " | ".join(f"`{name}`" for name in BASELINES.values()) + " | seqify | culprit named |",
        "|---" * (len(BASELINES) + 4) + "|",
    ]

    def line(name: str, members: Sequence[Row]) -> None:
        told = asked(members)
        cells = [str(len(members)), *(str(sum(row.get(key, True) for row in members)) for key in BASELINES)]
        caught = [row for row in told if found(row)]
        cells.append(str(len(caught)) if told else "–")
        cells.append(str(sum(row["seqify"]["named"] for row in caught)) if told else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")

    for name in kinds_of(rows):
        line(name, [row for row in rows if row["kind"] == name])
    line("**all**", rows)
    return lines


def refactor_lines(rows: Sequence[Row]) -> list[str]:
    """A line for each kind of refactor: how many there are, and what is said of them."""
    statuses = list(dict.fromkeys(row["seqify"]["status"] for row in asked(rows)))
    lines = [
        "| kind | mutants | "
        + " | ".join(f"`{name}`" for name in BASELINES.values())
        + "".join(f" | {name}" for name in statuses)
        + " |",
        "|---" * (len(BASELINES) + 2 + len(statuses)) + "|",
    ]
    for name in kinds_of(rows):
        members = [row for row in rows if row["kind"] == name]
        cells = [str(len(members)), *(str(sum(row.get(key, True) for row in members)) for key in BASELINES)]
        cells += [str(sum(row["seqify"]["status"] == status for row in asked(members))) for status in statuses]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def check_lines(rows: Sequence[Row]) -> list[str]:
    """The matrix: kind of bug by the check of seqify that found it first."""
    caught = [row for row in asked(rows) if found(row)]
    checks = [name for name, _ in Counter(row["seqify"]["check"] for row in caught).most_common()]
    if not checks:
        return ["seqify has not been asked."]
    lines = ["| kind | " + " | ".join(checks) + " | not found |", "|---" * (len(checks) + 2) + "|"]
    for name in kinds_of(rows):
        members = asked([row for row in rows if row["kind"] == name])
        counts = Counter(row["seqify"]["check"] if found(row) else "" for row in members)
        lines.append(f"| {name} | " + " | ".join(str(counts[check] or "") for check in [*checks, ""]) + " |")
    return lines


def shows(row: Row) -> str:
    """The plainest way in which a bug shows."""
    seen = [item.partition(", ") for item in row["differences"]]
    for trial in ("eval", "train"):
        parts = {part for part, _, name in seen if name == trial}
        if parts & {"outputs", "structure", "aliases", "error"}:
            return f"the outputs in {trial}"
        if parts & {"gradients", "input gradients"}:
            return f"the gradients in {trial}, and not the outputs"
        if parts:
            return f"inputs, buffers or random state after {trial}, and nothing that it gives"
    if any(name for _, _, name in seen):
        return "other inputs, batch sizes, layouts, types or weights alone"
    return "tensors, names, order or first values, before anything is called"


def visible_lines(rows: Sequence[Row]) -> list[str]:
    """How plainly the bugs show, on weights that were moved, and who finds how many."""
    groups = Counter(shows(row) for row in rows)
    lines = ["| shows in | mutants | " + " | ".join(f"`{name}`" for name in BASELINES.values()) + " | seqify |"]
    lines.append("|---" * (len(BASELINES) + 3) + "|")
    for name, number in groups.most_common():
        members = [row for row in rows if shows(row) == name]
        told = asked(members)
        cells = [str(number), *(str(sum(row.get(key, True) for row in members)) for key in BASELINES)]
        cells.append(str(sum(found(row) for row in told)) if told else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def listed(name: str, rows: Sequence[Row], why: Callable[[Row], str]) -> list[str]:
    return [f"### {name}", "", *([f"- {title(row)}: {why(row)}" for row in rows] or ["None."]), ""]


def answer(row: Row) -> str:
    told = row["seqify"]
    return " ".join(str(told[key]) for key in ("status", "check", "place") if told[key])


# ---- goals


def goals(rows: Sequence[Row], whole: bool = True) -> list[tuple[str, str, bool]]:
    """
    Each goal, what was reached, and whether that is enough.

    Args:
        rows: the mutants; where seqify was not asked, goals of its own are left out.
        whole: whether these are all mutants, so that their number is a goal.
    """
    real = bugs(rows)
    kinds, networks = {row["kind"] for row in real}, {row["network"] for row in rows}
    reached: list[tuple[str, str, bool]] = []
    if whole:
        reached += [
            ("mutants that differ: 2,000 or more", f"{len(real):,}", len(real) >= 2000),
            ("kinds of bug: 40 or more", str(len(kinds)), len(kinds) >= 40),
            ("networks: 30 or more", str(len(networks)), len(networks) >= 30),
        ]
    for name, failures in (("bugs that no comparison sees", undecided(rows)), ("refactors that differ", unequal(rows))):
        reached.append((f"{name}: none", str(len(failures)), not failures))
    told = asked(real)
    if not asked(rows):
        return reached
    caught = [row for row in told if found(row)]
    named = [row for row in caught if row["seqify"]["named"]]
    alarms, praised = false_alarms(rows), praised_bugs(real)
    return [
        *reached,
        ("found: 99 % or more", share(len(caught), len(told)), len(caught) >= 0.99 * len(told)),
        ("refactors called different: none", str(len(alarms)), not alarms),
        ("bugs called equivalent: none", str(len(praised)), not praised),
        ("culprit named exactly: 95 % or more", share(len(named), len(caught)), len(named) >= 0.95 * len(caught)),
    ]


def table(rows: Sequence[Row], whole: bool = True) -> str:
    """All tables and lists."""
    real = bugs(rows)
    lines = ["| goal | reached | |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {'yes' if met else '**no**'} |" for name, value, met in goals(rows, whole)]
    lines += ["", "## Bugs", "", *bug_lines(real), "", "### Where they show", "", *visible_lines(real), ""]
    lines += ["### Which check of seqify finds them first", "", *check_lines(real), ""]
    for expected, name in TITLES.items():
        lines += [f"## {name}", "", *refactor_lines([row for row in rows if row["expected"] == expected]), ""]
    lines += ["## By name", ""]
    if asked(rows):
        missed = [row for row in asked(real) if not found(row)]
        unnamed = [row for row in asked(real) if found(row) and not row["seqify"]["named"]]
        lines += listed("Bugs that are not found", missed, answer)
        lines += listed("Bugs called equivalent", praised_bugs(real), answer)
        lines += listed("Refactors called different", false_alarms(rows), answer)
        lines += listed("Culprits not named exactly", unnamed, answer)
    lines += listed("Bugs that no comparison sees", undecided(rows), lambda row: "no difference")
    lines += listed("Refactors that differ", unequal(rows), lambda row: ", ".join(row["differences"][:3]))
    raising = [row for row in rows if row["raises"]]
    lines += ["### Mutants that raise", "", f"{len(raising)} of {len(rows)} ({share(len(raising), len(rows))}).", ""]
    lines += ["### Left out, since they are no bugs after all", ""]
    lines += [f"- `{network}`: `{text}`: {why}" for network, text, why in LEFT_OUT]
    return "\n".join(lines) + "\n"
