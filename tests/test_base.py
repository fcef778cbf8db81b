"""The old side of a comparison with a git revision."""

from __future__ import annotations

import linecache
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from reports import VERSIONS

from seqify.base import base_of, check_imports, surroundings, target_at, told_at
from seqify.compare.verdict import Divergence, Spot
from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk
from seqify.proof.isomorphism import Proof
from seqify.report import Report
from seqify.revisions import Revision, worktree


@pytest.fixture
def revision(tmp_path: Path, write, monkeypatch) -> Iterator[Revision]:
    """The first commit of a repository, whose working tree has more by now."""
    top = tmp_path / "repository"
    write("first = 1\n", "repository/models/net.py")
    write("", "repository/src/package/__init__.py")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for command in (["init"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "first"]):
        subprocess.run(["git", *command], cwd=top, check=True, capture_output=True)
    write("second = 2\n", "repository/models/net.py")
    write("", "repository/added/new.py")
    write("", "repository/environment/lib/torch.py")
    subprocess.run(["git", "add", "added"], cwd=top, check=True)
    monkeypatch.chdir(top)
    with worktree("HEAD", top) as found:
        yield found


def test_a_child_finds_the_files_of_the_revision(revision, monkeypatch):
    top, root = str(revision.repository), str(revision.root)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([f"{top}/src", "/elsewhere"]))
    monkeypatch.setenv("GIT_DIR", f"{top}/.git")
    path = ["", top, f"{top}/src", "/usr/lib/python3", f"{top}/environment/lib", f"{top}/added", f"{top}/gone"]
    found = surroundings(path, revision)

    assert found["folder"] == root
    assert found["path"] == [
        "",
        root,
        f"{root}/src",
        "/usr/lib/python3",
        f"{top}/environment/lib",  # git does not know it: an environment, which the revision does not have
        f"{root}/added",  # it does know this one, and the revision does not have it
        f"{top}/gone",
    ]
    assert found["environment"]["PYTHONPATH"] == f"{root}/src{os.pathsep}/elsewhere"
    assert "GIT_DIR" not in found["environment"]


def test_a_folder_that_the_revision_does_not_have(revision, monkeypatch):
    monkeypatch.chdir("added")

    assert surroundings([], revision)["folder"] == str(revision.root)


def test_the_new_side_is_as_everything_is(monkeypatch):
    monkeypatch.setenv("GIT_INDEX_FILE", "index")
    found = surroundings(["/any"], None)

    assert list(found) == ["environment"]
    assert found["environment"] == {name: value for name, value in os.environ.items() if name != "GIT_INDEX_FILE"}


def test_a_target_of_the_revision(revision, tmp_path):
    root = revision.root

    assert target_at("models/net.py:Net(width=3)", revision) == f"{root}/models/net.py:Net(width=3)"
    assert target_at(f"{revision.repository}/models/net.py:Net", revision) == f"{root}/models/net.py:Net"
    assert target_at("package.net:Net", revision) == "package.net:Net"
    with pytest.raises(CannotAsk, match="SQ010 revision-unknown: `.*other.py` is not in `.*repository`, which"):
        target_at(f"{tmp_path}/other.py:Net", revision)


def test_imports_from_the_working_tree_are_found(revision):
    top, root = str(revision.repository), str(revision.root)
    own = f"{root}/models/net.py"

    check_imports([own, "/usr/lib/python3/ast.py", f"{top}/environment/lib/torch.py"], "t", revision)
    with pytest.raises(CannotAsk, match="the old side of `t` imports `added/new.py` from the working tree, and 1 more"):
        check_imports([f"{top}/added/new.py", own, f"{top}/models/net.py"], "t", revision)
    with pytest.raises(CannotAsk, match="`t` is not imported from the repository"):
        check_imports(["/usr/lib/python3/ast.py"], "t", revision)


def test_places_are_told_as_git_names_them(revision):
    name = f"{revision.root}/models/net.py"
    spot = Spot(
        "aten.relu.default", "relu", "", name, 1, (name, 1), "forward", (), Location(name, 1, 1, 1, 6), "first = 1"
    )
    report = Report(
        "verify",
        "models/net.py:Net",
        "different",
        1,
        VERSIONS,
        proof=Proof("refuted", reason=f"`relu`, {name}:1"),
        divergence=Divergence(spot, None, 0, None, None, None, "eval"),
        diagnostics=(Diagnostic("SQ003", f"`{name}` raised", Location(name, 1), notes=(f"{name}:1 in forward",)),),
    )
    found = told_at(report, revision)

    assert found.proof is not None and found.proof.reason == "`relu`, HEAD:models/net.py:1"
    (item,) = found.diagnostics
    assert (item.message, item.notes) == ("`HEAD:models/net.py` raised", ("HEAD:models/net.py:1 in forward",))
    assert str(item.location) == "HEAD:models/net.py:1:1"
    assert found.divergence is not None and found.divergence.old is not None
    assert found.divergence.old.constructed == ("HEAD:models/net.py", 1)
    assert str(revision.root) not in str(found.to_dict())
    assert linecache.getline("HEAD:models/net.py", 1) == "first = 1\n"
    linecache.checkcache()
    assert linecache.getline("HEAD:models/net.py", 1) == "first = 1\n"


def test_the_base_of_a_report(revision):
    base = base_of(revision)

    assert (base.name, base.top) == ("HEAD", str(revision.repository))
    assert base.commit.startswith(base.short)
