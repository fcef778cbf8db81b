"""`seqify verify`: streams, exit statuses, files, and git revisions, whatever the user's modules do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seqify.cli import main

OLD = """
    {head}
    import torch.nn.functional as F
    from torch import nn


    class Net(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.fc1 = nn.Linear(4, width)
            self.fc2 = nn.Linear(width, 2)

        def forward(self, x):
            {body}
            return self.fc2(F.leaky_relu(self.fc1(x)))
"""
NEW = """
    from torch import nn


    class Net(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(4, width),
                nn.LeakyReLU({slope}),
                nn.Linear(width, 2),
            )

        def forward(self, x):
            return self.layers(x)
"""
FAST = ("--input", "8,4", "--dtype", "float32", "--no-symbolic")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def old(write: Callable[..., Path]) -> Path:
    return write(OLD.format(head="", body=""), "old.py")


def verify(*arguments: str) -> Result:
    """The command, in this process; what the children print comes on standard error."""
    return CliRunner().invoke(main, ["verify", *arguments])


def test_two_modules_that_are_the_same(here, old, write):
    write(NEW.format(slope=""), "new.py")
    command = [sys.executable, "-m", "seqify", "verify", "old.py:Net", "new.py:Net", "--input", "8,4"]
    files = ["--save-map", "map.json", "--summary", "page.md", "--repro", "repro.py"]
    (here / "page.md").write_text("# Summary\n")
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("old      old.py:Net        new   new.py:Net\n")
    assert "  ✓ forward " in done.stdout and "  ✓ proof " in done.stdout and "one graph: " in done.stdout
    assert "weights  4 tensors carried from old to new, matched by call order and shape; 4 renamed" in done.stdout
    assert done.stdout.endswith("\nEquivalent on cpu.\n")
    assert done.stderr == "Wrote map.json.\nrepro.py was not written: no number differs.\n"
    assert json.loads((here / "map.json").read_text())["keymap"]["layers.0.weight"] == "fc1.weight"
    assert (
        (here / "page.md")
        .read_text()
        .startswith("# Summary\n### `old.py:Net` → `new.py:Net`\n\n**Equivalent on cpu.**")
    )
    assert not (here / "repro.py").exists()


def test_two_modules_that_differ(here, old, write):
    write(NEW.format(slope="0.1"), "new.py")
    done = verify("old.py:Net", "new.py:Net", *FAST, "--format", "json", "--repro", "repro.py")
    found = json.loads(done.stdout)

    assert done.exit_code == found["exit_code"] == 1
    assert (found["schema"], found["command"], found["status"]) == ("seqify/1", "verify", "different")
    assert (found["target"], found["new"]) == ("old.py:Net", "new.py:Net")
    assert found["divergence"]["argument"] == {"name": "negative_slope", "old": 0.01, "new": 0.1}
    assert found["divergence"]["new"]["location"] == {"filename": "new.py", "row": 9, "column": 13}
    assert found["divergence"]["old"]["location"] == {"filename": "old.py", "row": 13, "column": 25}
    assert found["divergence"]["calls"][-1]["new"]["module"] == "layers.2"
    first = next(item for item in found["diagnostics"] if item["severity"] == "error")
    assert (first["code"], first["filename"], first["location"]["row"]) == ("SQ601", "new.py", 9)
    assert done.stderr == "Wrote repro.py.\n"
    assert "seqify" not in "".join((here / "repro.py").read_text().splitlines(keepends=True)[4:])
    shown = subprocess.run([sys.executable, "repro.py"], capture_output=True, text=True, check=False)
    assert "output differs by up to 0." in shown.stdout, shown.stderr


def test_a_key_map_overrides_what_is_found(here, old, write):
    write(NEW.format(slope=""), "new.py")
    keymap = {f"layers.{new}.{kind}": f"fc{old}.{kind}" for new, old in ((0, 1), (2, 2)) for kind in ("weight", "bias")}
    (here / "map.json").write_text(json.dumps({"keymap": keymap}))
    done = verify("old.py:Net(3)", "new.py:Net(3)", *FAST, "--map", "map.json", "--output-file", "report.txt")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "carried from old to new, matched as the key map says" in (here / "report.txt").read_text()
    (here / "map.json").write_text("[]")
    done = verify("old.py:Net(3)", "new.py:Net(3)", *FAST, "--map", "map.json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "SQ608 weights-unmatched" in done.stderr and "is no key map" in done.stderr


GIGABYTE = "import os, sys; sys.stdout.write('x' * 1_000_000_000); os.write(1, b'raw')"
UNRULY = (
    "import torch; torch.equal = lambda *_: True; torch.Tensor.__eq__ = lambda *_: True\n"
    "    import atexit, os, sys; os.chdir('/'); atexit.register(lambda: os._exit(3)); sys.stdout.close()\n"
    "    sys.setrecursionlimit(300)\n"
    "    if os.fork() == 0: raise SystemExit\n"
)


@pytest.mark.parametrize(
    ("head", "body", "status", "code", "told"),
    [
        ("raise ValueError('no')", "", 2, "SQ003", "ValueError: no"),
        ("import sys; sys.exit(0)", "", 2, "SQ003", "the code called sys.exit (0)"),
        ("import os; os._exit(0)", "", 2, "SQ009", "the code of `new.py:Net` ended seqify's process (exit status 0)"),
        ("", "import os; os._exit(0)", 2, "SQ009", "the code of `new.py:Net` ended seqify's process (exit status 0)"),
        ("", "raise ValueError('bad')", 1, "SQ601", "the new one: ValueError: bad"),
        ("", "import sys; sys.exit(0)", 1, "SQ601", "the new one: SystemExit: 0"),
        (GIGABYTE, "", 0, None, None),
        (UNRULY, "", 0, None, None),
        (UNRULY, "x = x * 2", 1, "SQ601", "is the first to differ"),
    ],
    ids=["raises", "exits", "ends", "ends-in-forward", "raises-in-forward", "exits-in-forward", "prints", "unruly", "wrong"],
)  # fmt: skip
def test_one_json_object_whatever_the_code_does(here, old, write, head, body, status, code, told):
    write(OLD.format(head=head, body=body), "new.py")
    done = verify("old.py:Net", "new.py:Net", *FAST, "--format", "json")
    found = json.loads(done.stdout)

    assert done.exit_code == found["exit_code"] == status, done.stderr
    errors = [item for item in found["diagnostics"] if item["severity"] == "error"]
    assert [item["code"] for item in errors[:1]] == ([code] if code else [])
    assert not told or told in errors[0]["message"]
    assert len(done.stderr) < 2_000_000


def test_the_time_is_over(here, old, write):
    write(OLD.format(head="", body="while True: pass"), "new.py")
    done = verify("old.py:Net", "new.py:Net", *FAST, "--timeout", "12")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "SQ008 timed-out: the code of `new.py:Net` did not finish in the time allowed (12 s)" in done.stderr
    assert "--> new.py:12:" in done.stderr


def test_an_input_that_neither_takes_is_no_difference(here, old):
    done = verify("old.py:Net", "old.py:Net", "--input", "8,5", "--dtype", "float32", "--no-symbolic")

    assert (done.exit_code, done.stdout) == (2, "")
    assert (
        "SQ006 input-fails: the old model raises on this input in eval and train: RuntimeError: mat1 and mat2 shapes"
        in done.stderr
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.py:A"],
        ["a.py:A", "b.py:B", "c.py:C"],
        ["a.py:A", "b.py:B", "--dtype", "int8"],
        ["a.py:A", "b.py:B", "--map", "gone.json"],
        ["a.py:A", "b.py:B", "--timeout", "-1"],
        ["--base", "HEAD", "--input", "8,4"],
        ["--base", "HEAD", "a.py:A", "b.py:B", "--repro", "r.py"],
    ],
)
def test_usage_errors(here, arguments):
    code = (
        "import sys\n"
        "from seqify.cli import main\n"
        f"try:\n    main(['verify', *{arguments!r}])\n"
        "except SystemExit as end:\n    assert end.code == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Error: " in done.stderr


# Against a revision


@pytest.fixture
def repository(here, write, monkeypatch) -> Callable[..., None]:
    """A repository with one commit: a package `zoo` of a model and a module that it imports."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *arguments], cwd=here, check=True, capture_output=True)

    write("SLOPE = 0.01\n", "zoo/sizes.py")
    write("", "zoo/__init__.py")
    write(OLD.format(head="from .sizes import SLOPE", body="").replace("fc1(x))", "fc1(x), SLOPE)"), "zoo/net.py")
    write(
        '[[tool.seqify.target]]\ntarget = "zoo/net.py:Net"\ninputs = ["8,4"]\n\n'
        '[[tool.seqify.target]]\ntarget = "zoo/more.py:Net"\n',
        "pyproject.toml",
    )
    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    return git


def test_a_target_at_a_revision(here, repository, write):
    """The old side imports what the revision has beside it, and its folder is gone afterwards."""
    write("SLOPE = 0.1\n", "zoo/sizes.py")
    done = verify("--base", "HEAD", "zoo/net.py:Net", *FAST, "--repro", "repro.py")

    assert done.exit_code == 1, done.stderr
    head = done.stdout.splitlines()[0]
    assert head.startswith("old      zoo/net.py:Net at HEAD (")
    assert head.endswith(")        new   zoo/net.py:Net, working tree")
    assert "  ::: HEAD:zoo/net.py:14:25\n" in done.stdout
    assert "^^^^^^^^^^^^ negative_slope=0.01\n" in done.stdout
    assert "seqify-worktree" not in done.stdout + done.stderr
    listed = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == 1
    shown = subprocess.run([sys.executable, "repro.py"], capture_output=True, text=True, check=False)
    assert "output differs by up to 0." in shown.stdout, shown.stderr


def test_all_targets_of_the_project(here, repository, write):
    write(NEW.format(slope=""), "zoo/more.py")
    (here / "models").mkdir()
    os.chdir("models")
    done = verify("--base", "HEAD", "--dtype", "float32", "--no-symbolic", "--format", "json")
    found = json.loads(done.stdout)

    assert done.exit_code == found["exit_code"] == 0, done.stderr
    assert (found["schema"], found["command"], found["status"]) == ("seqify/1", "verify", "equivalent")
    assert [(item["target"], item["status"], item["exit_code"]) for item in found["reports"]] == [
        ("../zoo/net.py:Net", "equivalent", 0),
        ("../zoo/more.py:Net", "new", 0),
    ]
    assert found["reports"][0]["base"]["revision"] == "HEAD"
    assert found["reports"][0]["inputs"][0]["origin"] == "configured"
    assert found["reports"][1]["diagnostics"][0]["severity"] == "note"


def test_a_target_that_the_revision_does_not_have(here, repository, write):
    write(NEW.format(slope=""), "zoo/more.py")
    done = verify("--base", "HEAD", "zoo/more.py:Net", *FAST)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "SQ001 target-not-found: `zoo/more.py:Net` is new: `HEAD` (" in done.stderr
    assert "no file `zoo/gone.py`" in verify("--base", "HEAD", "zoo/gone.py:Net", *FAST).stderr


def test_an_old_side_that_finds_the_working_tree(here, repository, write):
    """As an editable install may do it: the answer would be worthless."""
    write("", "helper.py")
    head = f"import sys; sys.path.insert(0, {str(here)!r}); sys.modules.pop('helper', None); import helper"
    write(OLD.format(head=head, body=""), "net.py")
    repository("add", "-A")
    repository("commit", "-m", "second")
    done = verify("--base", "HEAD", "net.py:Net", *FAST)

    assert (done.exit_code, done.stdout) == (2, "")
    assert (
        "SQ010 revision-unknown: the old side of `net.py:Net` imports `helper.py` from the working tree" in done.stderr
    )


def test_what_git_tells_a_hook_is_not_told_to_the_code(here, repository, write, monkeypatch):
    head = "import os; assert not [name for name in os.environ if name in ('GIT_DIR', 'GIT_INDEX_FILE')]"
    write(OLD.format(head=head, body=""), "zoo/net.py")
    repository("commit", "-am", "second")
    monkeypatch.setenv("GIT_DIR", str(here / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(here / ".git" / "index"))

    assert verify("--base", "HEAD", "zoo/net.py:Net", *FAST).exit_code == 0


def test_what_cannot_be_asked_of_a_revision(here, repository):
    done = verify("--base", "gone", "zoo/net.py:Net")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "SQ010 revision-unknown: no revision `gone` in" in done.stderr
    (here / "pyproject.toml").write_text("")
    done = verify("--base", "HEAD")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no TARGET was given, and `pyproject.toml` has none in `[[tool.seqify.target]]`" in done.stderr
    (here / "pyproject.toml").unlink()
    assert "no TARGET was given, and there is no `pyproject.toml`" in verify("--base", "HEAD").stderr
