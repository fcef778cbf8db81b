"""What a conversion came to."""

from __future__ import annotations

import copy
import json

import pytest
import torch

import seqify
from seqify.compare.verdict import Check, Divergence
from seqify.diagnostics import Diagnostic, Location
from seqify.errors import CannotAsk, Refusal
from seqify.load import load_file
from seqify.report import Report, Reports

NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc1 = nn.Linear(4, width)
        self.bn = nn.BatchNorm1d(width)
        self.fc2 = nn.Linear(width, 2)

    def forward(self, x):
        x = F.relu(self.bn(self.fc1(x)))
        return self.fc2(x)
"""

X = torch.randn(8, 4)


@pytest.fixture
def path(write):
    return write(NET)


def convert(path, target: object = None, inputs: torch.Tensor = X, **options) -> Report:
    chosen = target if target is not None else f"{path}:Net"
    return seqify.convert(chosen, inputs, dtypes=[torch.float32], devices=["cpu"], **options)


def test_the_json_object(path):
    content = json.loads(json.dumps(convert(path).to_dict()))

    assert list(content) == [
        "schema", "command", "target", "status", "exit_code", "seqify", "torch", "layout", "inputs", "chains",
        "keymap", "parameter_order", "proof", "checks", "divergence", "specialised", "diagnostics", "output",
    ]  # fmt: skip
    assert content["schema"] == "seqify/1"
    assert content["command"] == "convert"
    assert content["target"] == f"{path}:Net"
    assert (content["status"], content["exit_code"], content["layout"]) == ("equivalent", 0, "flat")
    assert (content["seqify"], content["torch"]) == (seqify.__version__, torch.__version__)
    assert content["inputs"] == [{"name": "x", "shape": [8, 4], "dtype": "float32", "origin": "given"}]
    assert content["keymap"]["fc2.weight"] == "fc2.weight"
    assert content["parameter_order"] == [0, 1, 2, 3, 4, 5]
    assert content["proof"]["status"] == "proved"
    assert content["output"] == {"path": None, "build": "Net()"}
    assert set(content["checks"][0]) == {
        "name", "device", "dtype", "mode", "ok", "bitwise", "max_abs", "max_ulp", "note", "variant", "level", "runs",
        "location",
    }  # fmt: skip


def test_rows_say_where_they_come_from(path):
    (chain,) = convert(path).to_dict()["chains"]

    assert [(row["name"], row["constructor"], row["from"], row["location"]["row"]) for row in chain["layers"]] == [
        ("fc1", "nn.Linear(4, width)", "fc1", 9),
        ("bn", "nn.BatchNorm1d(width)", "bn", 10),
        ("relu", "nn.ReLU()", "F.relu(self.bn(self.fc1(x)))", 14),
        ("fc2", "nn.Linear(width, 2)", "fc2", 11),
    ]


def test_numbers_that_json_has_no_word_for():
    wrong = Check("forward", "cpu", "float32", "eval", False, False, float("inf"), note="first in `output`")
    divergence = Divergence(None, None, 0, ("eps", float("nan"), 1e-5), 0.5, float("inf"), "eval")
    report = Report("verify", "a.py:Net", "different", 1, {}, checks=(wrong,), divergence=divergence)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    assert content["checks"][0]["max_abs"] is None
    assert content["divergence"]["argument"] == {"name": "eps", "old": None, "new": 1e-5}


def test_the_gravest_of_several_reports_counts():
    def report(status: str, code: int) -> Report:
        return Report("verify", "a.py:Net", status, code, {})

    def of(*reports: Report) -> tuple[str, int]:
        found = Reports("verify", reports, {"torch": "2"}).to_dict()
        assert list(found) == ["schema", "command", "status", "exit_code", "torch", "reports"]
        return found["status"], found["exit_code"]

    assert of(report("new", 0)) == ("new", 0)
    assert of(report("tested", 1), report("equivalent", 0), report("new", 0)) == ("tested", 1)
    assert of(report("different", 1), report("failed", 2), report("tested", 0)) == ("failed", 2)


def test_diagnostics_as_data():
    item = Diagnostic("SQ101", "why", Location("model.py", 3, 5), "help", ("note",))
    (content,) = Report("convert", "t", "refused", 1, {}, diagnostics=(item,)).to_dict()["diagnostics"]

    assert content == {
        "code": "SQ101",
        "name": "value-branch",
        "severity": "error",
        "message": "why",
        "help": "help",
        "notes": ["note"],
        "filename": "model.py",
        "location": {"row": 3, "column": 5},
    }


@pytest.mark.parametrize(("error", "status", "code"), [(Refusal, "refused", 1), (CannotAsk, "failed", 2)])
def test_the_report_of_a_command_that_stopped(error, status, code):
    report = Report.of_error("convert", "model.py:Net", error(Diagnostic("SQ101", "why")), {"torch": "2"})

    assert (report.status, report.exit_code) == (status, code)
    assert [item.code for item in report.diagnostics] == ["SQ101"]
    assert report.to_dict()["keymap"] == {}


def test_a_module_with_the_weights_of_a_live_model(path):
    live = load_file(path).Net(6).double().eval()
    live.fc1.weight.requires_grad_(False)
    before = copy.deepcopy(live.state_dict())
    report = convert(path, live, X.double())
    model, other = report.module(), report.module()

    assert model is not other
    assert not model.training
    assert model.fc1.weight.dtype == torch.float64
    assert [item.requires_grad for item in model.parameters()] == [item.requires_grad for item in live.parameters()]
    assert torch.equal(model(X.double()), live(X.double()))
    model.fc2.weight.data.zero_()
    assert all(torch.equal(value, before[name]) for name, value in live.state_dict().items())
    assert not torch.equal(other.fc2.weight, model.fc2.weight)


@pytest.mark.parametrize("name", ["unregistered", None])
def test_a_live_model_of_a_module_that_is_not_in_sys_modules(path, name):
    """Loaded by a script with `importlib.util`, or by `exec`: forward still knows its globals."""
    space = {"__name__": name} if name else {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    report = convert(path, space["Net"]())

    assert (report.status, report.layout) == ("equivalent", "flat")


def test_nothing_converted_has_no_module(write):
    path = write("import torch.nn as nn\n\nnet = nn.Sequential(nn.Linear(4, 2))\n")
    report = seqify.convert(f"{path}:net", X)

    assert (report.status, report.exit_code) == ("unchanged", 0)
    with pytest.raises(CannotAsk, match=f"SQ209 already-sequential: `{path}:net` was not converted \\(unchanged\\)"):
        report.module()
    with pytest.raises(CannotAsk, match="SQ209"):
        report.write()


def test_nothing_is_written_unless_asked(path):
    before = path.read_bytes()
    convert(path)

    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir() if item.suffix == ".py"] == ["model.py"]


def test_write_over_the_original(path):
    report = convert(path)

    assert report.write() == path.resolve()
    assert path.read_text() == report.source


def test_write_to_another_file(path, tmp_path):
    report = convert(path)
    before = path.read_bytes()

    assert report.write(str(tmp_path / "new.py")) == (tmp_path / "new.py").resolve()
    assert (tmp_path / "new.py").read_text() == report.source
    assert path.read_bytes() == before
    assert "seqify" not in report.source


def test_a_different_result_is_not_written(path, tmp_path):
    report = Report("convert", "t", "different", 1, {}, path=str(path), source="x = 1\n")

    with pytest.raises(
        CannotAsk, match="SQ601 output-differs: the result differs from the original and is not written"
    ):
        report.write(str(tmp_path / "new.py"))
    assert not (tmp_path / "new.py").exists()


@pytest.mark.parametrize(("status", "verify"), [("equivalent", True), ("converted", False)])
def test_status_says_whether_numbers_were_compared(path, status, verify):
    report = convert(path, verify=verify)

    assert report.status == status
    assert bool(report.checks) is verify


def test_a_second_conversion_changes_nothing(path):
    convert(path).write()

    assert convert(path).status == "unchanged"


def test_the_class_that_the_user_asked_for_is_built_again(path):
    report = convert(path, f"{path}:Net(width=6)")
    space: dict[str, object] = {"__name__": "converted"}
    exec(report.source, space)

    assert report.build == "Net(width=6)"
    built = eval(report.build, space)
    assert isinstance(built, torch.nn.Sequential)
    assert list(built.state_dict()) == list(report.keymap.keys)


def test_markdown_for_notebooks(path):
    assert "Net" in convert(path)._repr_markdown_()
