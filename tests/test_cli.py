"""The command line: streams, exit statuses, and what is written."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqify.cli import main

LENET = str(Path(__file__).parent.parent / "samples" / "lenet.py")
NET = """
    {head}
    import torch.nn.functional as F
    from torch import nn


    class Net(nn.Module):
        def __init__(self, width=8):
            super().__init__()
            self.fc1 = nn.Linear(4, width)
            self.fc2 = nn.Linear(width, 2)

        def forward(self, x):
            {body}
            return self.fc2(F.relu(self.fc1(x)))
"""


def seqify(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seqify", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def net(write):
    return write(NET.format(head="", body=""), "net.py")


def test_the_diff_is_on_stdout_and_the_story_on_stderr(net):
    done = seqify("convert", f"{net}:Net")

    assert done.returncode == 0
    assert done.stdout.startswith("--- a/")
    assert "\nEquivalent on cpu. Nothing was written: --write applies the diff, --map map.json saves" in done.stderr
    assert (
        "  ✓ proof " in done.stderr
        and "one graph: on cpu, eval, train and no_grad, forward and backward" in done.stderr
    )


def test_json_is_one_object_whatever_the_module_prints(write):
    head = (
        "import atexit, os, sys\n"
        "    print('import')\n"
        "    os.write(1, b'raw')\n"
        "    sys.__stdout__.write('past')\n"
        "    atexit.register(lambda: print('bye'))"
    )
    path = write(NET.format(head=head, body="print('forward')"), "noisy.py")
    done = seqify("convert", f"{path}:Net", "--format", "json")
    found = json.loads(done.stdout)

    assert done.returncode == found["exit_code"] == 0
    assert (found["schema"], found["command"], found["status"]) == ("seqify/1", "convert", "equivalent")
    assert {"layout", "inputs", "chains", "keymap", "parameter_order", "proof", "checks", "divergence"} < set(found)
    assert {"specialised", "diagnostics", "output", "seqify", "torch", "target"} < set(found)
    assert found["output"]["build"] == "Net()"


@pytest.mark.parametrize(
    ("head", "body", "status", "code"),
    [
        ("raise ValueError('no')", "", 2, "SQ003"),
        ("import sys; sys.exit(0)", "", 2, "SQ003"),
        ("LEFT_OPEN = open(__file__)", "", 0, ""),
        ("import sys", "sys.exit(0)", 2, "SQ006"),
        ("", "raise ValueError('bad')", 2, "SQ005"),
        ("", "x = x * 2 if x.sum() > 0 else x", 1, "SQ101"),
    ],
)
def test_exit_statuses(write, head, body, status, code):
    path = write(NET.format(head=head, body=body), "odd.py")
    inputs = [] if code == "SQ005" else ["--input", "8,4"]
    done = seqify("convert", f"{path}:Net", *inputs, "--format", "json")

    assert done.returncode == status
    found = json.loads(done.stdout)
    assert found["exit_code"] == status
    assert not code or found["diagnostics"][0]["code"] == code


def test_the_nearest_names_are_told(net):
    done = seqify("convert", f"{net}:Nett")

    assert done.returncode == 2
    assert "SQ001 target-not-found: no `Nett` in" in done.stderr
    assert "help: did you mean `Net`?" in done.stderr


def test_missing_arguments_are_told(write):
    path = write(NET.format(head="", body="").replace("width=8", "width"), "needy.py")
    done = seqify("convert", f"{path}:Net")

    assert done.returncode == 2
    assert "SQ002 target-needs-arguments" in done.stderr
    assert seqify("convert", f"{path}:Net(width=3)").returncode == 0


def test_write_changes_the_file_behind_a_link_and_keeps_its_mode(net, tmp_path):
    link = tmp_path / "link.py"
    link.symlink_to(net)
    net.chmod(0o640)
    done = seqify("convert", f"{link}:Net", "--write")

    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    assert "class Net(nn.Sequential)" in net.read_text()
    assert stat.S_IMODE(net.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".pyc") >= ["link.py", "net.py"]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".seqify")]
    assert seqify("convert", f"{net}:Net", "--check").returncode == 0


def test_write_refuses_uncommitted_changes(net, tmp_path):
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    git("add", "net.py")
    git("commit", "-qm", "first")
    before = net.read_text() + "\n# changed\n"
    net.write_text(before)
    done = seqify("convert", f"{net}:Net", "--write")

    assert done.returncode == 2
    assert "SQ408 file-dirty" in done.stderr
    assert net.read_text() == before
    assert seqify("convert", f"{net}:Net", "--write", "--force").returncode == 0


def test_check_finds_work_and_writes_nothing(net):
    before = net.read_text()

    assert seqify("convert", f"{net}:Net", "--check").returncode == 1
    assert net.read_text() == before


def test_output_and_map(net, tmp_path):
    done = seqify("convert", f"{net}:Net", "--layout", "grouped", "-o", "out.py", "--map", "map.json", cwd=tmp_path)
    content = json.loads((tmp_path / "map.json").read_text())

    assert done.returncode == 0
    assert done.stdout == ""
    assert "seqify" not in (tmp_path / "out.py").read_text()
    assert content["keymap"]["layers.0.weight"] == "fc1.weight"
    assert content["parameter_order"] == [0, 1, 2, 3]
    assert content["shapes"]["layers.0.weight"] == [8, 4]
    assert content["parameters"]["old"] == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


@pytest.mark.parametrize("name", ["markdown", "github"])
def test_other_formats(net, name, tmp_path):
    done = seqify("convert", f"{net}:Net", "--format", name, "--output-file", "out.txt", cwd=tmp_path)
    text = (tmp_path / "out.txt").read_text()

    assert (done.returncode, done.stdout) == (0, "")
    assert ("```diff" if name == "markdown" else "::notice title=seqify::") in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert"],
        ["convert", "a.py:A", "--layout", "round"],
        ["convert", "a.py:A", "--write", "--check"],
        ["convert", "a.py:A", "--force"],
        ["convert", "a.py:A", "--name", "layers=class"],
        ["rule", "SQ999"],
    ],
)
def test_usage_errors(arguments):
    done = seqify(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["convert", "--help"],
        ["verify", "--help"],
        ["--version"],
        ["rule"],
        ["convert"],
        ["verify"],
        ["nope"],
    ],
)
def test_help_and_usage_errors_import_no_torch(arguments):
    code = (
        "import sys\n"
        "from seqify.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_conversion_leaves_torch_to_its_child(net):
    code = (
        "import sys\n"
        "from seqify.cli import main\n"
        f"try:\n    main(['convert', {f'{net}:Net'!r}, '--format', sys.argv[1]])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    for name in ("text", "json", "markdown", "github"):
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr


def test_a_refusal_leaves_torch_to_the_child(write):
    path = write(NET.format(head="", body="x = x * 2 if x.sum() > 0 else x"), "branchy.py")
    code = (
        "import sys\n"
        "from seqify.cli import main\n"
        f"try:\n    main(['convert', {f'{path}:Net'!r}, '--input', '8,4'])\n"
        "except SystemExit as end:\n    assert end.code == 1\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seconds", ["-1", "nan", "soon"])
def test_a_timeout_is_a_number_of_seconds(net, seconds):
    done = seqify("convert", f"{net}:Net", "--timeout", seconds)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '--timeout': {seconds!r} is not a valid float." in done.stderr or (
        f"{seconds} is not a number of seconds" in done.stderr
    )


def test_the_time_is_over(write):
    path = write(NET.format(head="import time; time.sleep(100)", body=""), "slow.py")
    done = seqify("convert", f"{path}:Net", "--timeout", "6")

    assert (done.returncode, done.stdout) == (2, "")
    assert "SQ008 timed-out: the code did not finish in the time allowed (6 s), while loading" in done.stderr
    assert f"--> {path}:1:1" in done.stderr
    assert "1 | import time; time.sleep(100)" in done.stderr
    assert "help: `--timeout SECONDS`" in done.stderr


def test_the_working_folder_of_the_command_is_its_own(net, tmp_path):
    net.write_text("import os\nos.chdir('/')\n" + net.read_text())
    done = seqify("convert", "net.py:Net", "-o", "out.py", "--map", "map.json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.py").exists() and (tmp_path / "map.json").exists()


def test_targets_in_packages(write, tmp_path):
    write("WIDTH = 8\n", "zoo/sizes.py")
    write("", "zoo/__init__.py")
    write(NET.format(head="from .sizes import WIDTH", body="").replace("width=8", "width=WIDTH"), "zoo/net.py")

    assert seqify("convert", "zoo/net.py:Net", cwd=tmp_path).returncode == 0
    assert seqify("convert", "zoo.net:Net", cwd=tmp_path).returncode == 0
    done = seqify("convert", "zoo.net:Net(width=3)", "-o", "out.py", cwd=tmp_path)
    assert done.returncode == 0
    assert "from zoo.sizes import WIDTH" in (tmp_path / "out.py").read_text()


def test_targets_with_arguments_from_the_file(write):
    text = NET.format(head="", body="").replace("width=8", "width, scale") + "\n\n    SIZES = [3, 5]\n"
    path = write(text, "sized.py")

    assert seqify("convert", f"{path}:Net(4, scale=SIZES)").returncode == 0
    done = seqify("convert", f"{path}:Net(open('x'), 1)")
    assert (done.returncode, "SQ002" in done.stderr) == (2, True)


def test_a_refusal_says_where_on_stderr_and_nothing_on_stdout(write):
    path = write(NET.format(head="", body="x = x * 2 if x.sum() > 0 else x"), "branchy.py")
    done = seqify("convert", f"{path}:Net", "--input", "8,4")

    assert (done.returncode, done.stdout) == (1, "")
    assert "SQ101 value-branch" in done.stderr
    assert f"--> {path}:" in done.stderr
    assert "help: " in done.stderr


def test_a_traceback_is_cut_to_the_user(write):
    path = write("import torch\n\n\ndef fail():\n    raise ValueError('no')\n\n\nfail()\n", "raising.py")
    done = seqify("convert", f"{path}:Net")

    assert done.returncode == 2
    assert "SQ003 import-failed" in done.stderr
    assert "in fail: raise ValueError('no')" in " ".join(done.stderr.split())
    assert "importlib" not in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_left_beside_what_was_written(net, tmp_path):
    assert seqify("convert", f"{net}:Net", "-o", "out.py", "--map", "map.json", cwd=tmp_path).returncode == 0
    assert seqify("convert", f"{net}:Net", "--write", cwd=tmp_path).returncode == 0

    assert sorted({path.name for path in tmp_path.iterdir()} - {"__pycache__"}) == ["map.json", "net.py", "out.py"]


def test_the_map_holds_what_both_ways_need(net, tmp_path):
    assert seqify("convert", f"{net}:Net", "--layout", "grouped", "--map", "map.json", cwd=tmp_path).returncode == 0
    content = json.loads((tmp_path / "map.json").read_text())

    assert content["schema"] == "seqify/1"
    assert set(content) >= {"keymap", "parameter_order", "parameters", "buffers", "shapes"}
    assert set(content["keymap"]) == set(content["parameters"]["new"]) == set(content["shapes"])
    assert sorted(content["keymap"].values()) == sorted(content["parameters"]["old"])
    assert content["buffers"] == {"old": [], "new": []}


def test_nothing_to_convert_is_a_yes(write):
    path = write("from torch import nn\n\nnet = nn.Sequential(nn.Linear(4, 2), nn.ReLU())\n", "done.py")
    done = seqify("convert", f"{path}:net", "--check", "--format", "json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "unchanged"


def test_options_reach_the_conversion(net):
    options = ["--layout", "grouped", "--name", "layers=body", "--dtype", "bfloat16", "--device", "cpu", "--symbolic"]
    found = json.loads(seqify("convert", f"{net}:Net", *options, "--format", "json").stdout)

    assert [chain["name"] for chain in found["chains"]] == ["body"]
    assert {check["dtype"] for check in found["checks"]} - {"-"} == {"bfloat16", "autocast bfloat16"}
    assert "for x (n, 4)" in found["proof"]["scope"]
    assert found["checks"] != []
    assert json.loads(seqify("convert", f"{net}:Net", "--no-verify", "--format", "json").stdout)["checks"] == []


def test_what_is_not_proved_is_not_written_unless_asked(write, tmp_path):
    """How many elements are above zero depends on values, so the graphs say nothing of other inputs."""
    path = write(NET.format(head="import torch", body="").replace("return self.fc2(", "x = self.fc2("), "loose.py")
    path.write_text(path.read_text() + "        return x, torch.nonzero(x > 0)\n")
    options = ["convert", f"{path}:Net", "--input", "8,4", "-o", "out.py"]
    done = seqify(*options, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "  ✗ proof " in done.stderr
    assert done.stderr.endswith(
        "\nTested on cpu: every number is bitwise equal, and nothing was proved. Nothing was written: --allow-unproved, if "
        "exact numbers are enough.\n"
    )
    assert not (tmp_path / "out.py").exists()
    done = seqify(*options, "--allow-unproved", cwd=tmp_path)
    assert done.returncode == 0
    assert "  · proof " in done.stderr and "and nothing was proved. Wrote " in done.stderr
    assert (tmp_path / "out.py").exists()


def test_a_device_that_is_not_there_could_not_be_asked(net):
    done = seqify("convert", f"{net}:Net", "--device", "nonsense")

    assert (done.returncode, done.stdout) == (2, "")
    assert "SQ604" in done.stderr


def test_in_one_process(net):
    """As other tools call it: click's runner, without a subprocess."""
    result = CliRunner().invoke(main, ["convert", f"{net}:Net", "--layout", "function"])

    assert result.exit_code == 0, result.stderr
    assert "+def net(width=8) -> nn.Sequential:" in result.stdout
    assert CliRunner().invoke(main, ["rule", "SQ302"]).output.startswith("SQ302 view-regroups-batch")


def test_factories_and_instances(write):
    text = NET.format(head="", body="") + "\n\n    def make(width):\n        return Net(width)\n\n\n    net = Net(3)\n"
    path = write(text, "made.py")

    assert seqify("convert", f"{path}:make(5)").returncode == 0
    assert seqify("convert", f"{path}:net").returncode == 0


def test_env_and_rule():
    assert "torch" in seqify("env").stdout
    assert "SQ302 view-regroups-batch" in seqify("rule", "sq302").stdout
    assert os.linesep.join(["SQ001"]) in seqify("rule").stdout


LOOPED = """
    import torch
    from torch import nn


    class Net(nn.Module):
        def __init__(self, depth=3):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            for layer in self.layers:
                x = torch.relu(layer(x))
            if self.training:
                x = x * 1
            return self.head(x)
"""


def test_a_class_that_cannot_be_edited_is_written_anew(write, tmp_path):
    path = write(LOOPED.replace("            if self.training:\n                x = x * 1\n", ""), "looped.py")
    done = seqify("convert", f"{path}:Net(depth=2)", "--input", "8,4", "-o", "new.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "SQ411" in done.stderr
    text = (tmp_path / "new.py").read_text()
    assert "class Net(nn.Sequential):" in text
    assert "import seqify" not in text
    shown = seqify("convert", f"{path}:Net", "--input", "8,4")
    assert shown.stdout.startswith("--- /dev/null\n+++ b/net.py\n")
    assert "-o FILE writes the new class" in shown.stderr
    found = json.loads(seqify("convert", f"{path}:Net", "--input", "8,4", "--format", "json").stdout)
    assert (found["status"], found["layout"], found["output"]["build"]) == ("equivalent", "flat", "Net()")
    assert str(tmp_path) not in json.dumps(found["chains"])


def test_edits_alone_are_written_and_checked(write):
    path = write(LOOPED, "looped.py")
    for options in (["--write"], ["--check"], ["--source", "edit"]):
        done = seqify("convert", f"{path}:Net", "--input", "8,4", *options)
        assert done.returncode in (0, 1)
        assert "SQ411" not in done.stderr
    assert path.read_text().startswith("import torch")
    done = seqify("convert", f"{path}:Net", "--write", "--depth", "full")
    assert (done.returncode, "--write edits the class" in done.stderr) == (2, True)


def test_the_depth_and_the_mode(write):
    path = write(LOOPED, "looped.py")
    assert seqify("convert", f"{path}:Net", "--depth", "deep").returncode == 2
    both = seqify("convert", f"{path}:Net", "--input", "8,4", "--source", "new")
    assert (both.returncode, "SQ103" in both.stderr) == (1, True)
    found = seqify("convert", f"{path}:Net", "--input", "8,4", "--mode", "eval", "--depth", "full", "--format", "json")
    assert found.returncode == 0, found.stderr
    assert {check["mode"] for check in json.loads(found.stdout)["checks"]} == {"eval", "-"}
