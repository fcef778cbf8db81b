"""A comparison as annotations."""

from __future__ import annotations

import dataclasses

from reports import NEW, VERSIONS, different, verified

from seqify.diagnostics import Diagnostic, Location, Severity
from seqify.render.github import render_github
from seqify.report import Reports


def test_the_culprit_is_an_error_on_its_line(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("\n" * 20, "new.py")

    assert render_github(different()).splitlines() == [
        "::error title=seqify (SQ601),file=new.py,line=9,col=13,endLine=9,endColumn=30::output-differs: call 7 is the "
        "first to differ; everything before it is bitwise equal%0A  note: given the same input, this call alone differs "
        "in 46.3 %25 of its elements, greatest difference 0.13%0A  help: `negative_slope=0.01` is what the old model has",
        "::error title=seqify::old.py:Net: Different. The first check that failed: forward (cpu, float32, eval).",
    ]


def test_a_place_in_another_revision_is_told_in_the_message():
    place = dataclasses.replace(NEW.place or Location("", 1), filename="origin/main:model.py")
    item = Diagnostic("SQ003", "it raises", place)
    first, _ = render_github(verified(diagnostics=(item,))).splitlines()

    assert first.startswith("::error title=seqify (SQ003)::import-failed: it raises (origin/main:model.py:9:13)%0A")


def test_levels(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("\n", "new.py")
    place = Location("new.py", 1)
    items = (Diagnostic("SQ501", "9 renamed", place, level=Severity.WARNING), Diagnostic("SQ604", "no cuda"))

    assert [line.partition("::")[2][:40] for line in render_github(verified(diagnostics=items)).splitlines()] == [
        "warning title=seqify (SQ501),file=new.py,"[:40],
        "notice title=seqify (SQ604)::device-skipped"[:40],
        "notice title=seqify::old.py:Net: Equivalent on"[:40],
    ]


def test_several_targets():
    lines = render_github(Reports("verify", (verified(), different()), VERSIONS)).splitlines()

    assert lines[-1] == "::error title=seqify::2 targets: 1 equivalent, 1 different"
    assert sum("title=seqify::" in line for line in lines) == 3
