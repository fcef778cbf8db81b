"""The plan: which layout a conversion takes, what its layers are called and where they come from."""

# A plan names rows; it holds no text of the result. The emitters in `emit/` turn it into edits of the user's file.
#
#   chains ──┬─► flat       one chain is all of forward ──► class Net(nn.Sequential)
#            ├─► function   the same                    ──► def net() -> nn.Sequential
#            └─► grouped    any chains                  ──► self.features = nn.Sequential(...)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seqify.chains import Chain
from seqify.diagnostics import Diagnostic, Severity
from seqify.errors import Refusal
from seqify.plan.grouped import plan_grouped
from seqify.plan.subject import Group, Plan, Row, Subject, is_constant, is_container, is_plain
from seqify.plan.whole import plan_flat, plan_function, whole_chain

__all__ = ["Group", "Plan", "Row", "Subject", "is_constant", "is_plain", "make_plan"]


def make_plan(
    subject: Subject, layout: str = "auto", min_length: int = 2, names: Mapping[str, str] | None = None
) -> Plan | Diagnostic:
    """
    Decide on a conversion.

    Args:
        subject: the module and what is known of it.
        layout: "auto", "flat", "grouped" or "function".
        min_length: groups of fewer layers are left alone.
        names: for a group's chosen name, the name to give it instead.

    Returns:
        The plan, or the diagnostic that says why nothing is to be done.

    Raises:
        Refusal: the layout asked for cannot express this forward.
    """
    whole = whole_chain(subject)
    containers = isinstance(whole, Chain) and all(is_container(subject, layer) for layer in whole.layers)
    if layout == "auto" and containers:
        return Diagnostic(
            "SQ209", "forward calls nothing but `nn.Sequential` modules", subject.cls.source.location(subject.cls.node)
        )
    if layout in ("flat", "function", "auto"):
        planner = plan_function if layout == "function" else plan_flat
        outcome = whole if isinstance(whole, Diagnostic) else planner(subject, whole)
        if isinstance(outcome, Plan):
            return outcome
        if layout != "auto":
            raise Refusal(outcome)
        grouped = plan_grouped(subject, min_length, names or {})
        if isinstance(grouped, Plan):
            note = replace(outcome, level=Severity.NOTE, message=f"not flat: {outcome.message}")
            return replace(grouped, diagnostics=(*grouped.diagnostics, note))
        return grouped
    return plan_grouped(subject, min_length, names or {})
