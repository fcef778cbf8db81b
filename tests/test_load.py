"""Loading the user's code."""

from __future__ import annotations

import os
import sys

import pytest
import torch
from torch import nn

from seqify.errors import CannotAsk
from seqify.load import build_in, load_file, load_live, load_over, load_target, quiet, user_frames

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return self.fc(x)
"""


def fault(text: object) -> tuple[str, str, str | None]:
    """What loading a target says."""
    with pytest.raises(CannotAsk) as error:
        load_target(str(text))
    return error.value.diagnostic.code, error.value.diagnostic.message, error.value.diagnostic.help


def test_a_class_in_a_file(write):
    path = write(NET)
    model = load_target(f"{path}:Net")

    assert model.name == f"{path}:Net"
    assert model.kind.__name__ == "Net"
    assert (model.expression, model.filename) == ("Net()", str(path))
    assert model.instance.fc.in_features == 4


@pytest.mark.parametrize(
    ("target", "width"),
    [("Net(8)", 8), ("Net(width=2 * 4)", 8), ("Net(width=WIDTH)", 6), ("make()", 5), ("made", 3), ("Box.Net(7)", 7)],
)
def test_what_a_target_may_name(write, target, width):
    path = write(
        NET + "\nWIDTH = 6\n\ndef make(width=5):\n    return Net(width)\n\nmade = Net(3)\n\nclass Box:\n    Net = Net\n"
    )
    model = load_target(f"{path}:{target}")

    assert model.instance.fc.in_features == width


def test_one_seed_builds_one_model(write):
    state = torch.get_rng_state()
    model = load_target(f"{write(NET)}:Net")

    assert torch.equal(torch.get_rng_state(), state)
    assert model.build is not None
    assert torch.equal(model.build(3).fc.weight, model.build(3).fc.weight)
    assert not torch.equal(model.build(3).fc.weight, model.build(4).fc.weight)
    assert torch.equal(model.build(0).fc.weight, model.instance.fc.weight)


def test_an_instance_cannot_be_built_again(write):
    model = load_target(f"{write(NET + 'net = Net()')}:net")

    assert (model.expression, model.build) == ("net", None)


def test_a_live_module():
    class Net(nn.Module):
        def forward(self, x):
            return x

    net = Net()
    model = load_live(net)

    assert model.instance is net
    assert model.filename == __file__
    assert (model.expression, model.build) == (None, None)
    assert model.module is sys.modules[__name__]


def test_no_such_file(write):
    path = write(NET)

    assert fault(path.with_name("modle.py:Net")) == (
        "SQ001",
        f"no file `{path.with_name('modle.py')}`",
        f"did you mean `{path}`?",
    )


def test_no_such_name(write):
    path = write(NET)

    assert fault(f"{path}:Nett") == ("SQ001", f"no `Nett` in `{path}`", "did you mean `Net`?")


def test_no_such_module():
    assert fault("no_such_module_here:Net")[:2] == ("SQ001", "no module named `no_such_module_here`")


def test_arguments_are_missing(write):
    path = write(NET.replace("width=4", "width, depth, *, bias=True"))

    assert fault(f"{path}:Net") == (
        "SQ002",
        "`Net(width, depth, *, bias=True)`: missing a required argument: 'width'",
        "name it as `Net(width=..., depth=...)`",
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Net(open('x'))", "`open('x')` is not a literal or a name"),
        ("Net([i for i in x])", "`[i for i in x]` is not a literal or a name"),
        ("Net(lambda: 1)", "`lambda: 1` is not a literal or a name"),
        ("Net(missing)", "`missing` cannot be evaluated: name 'missing' is not defined"),
    ],
)
def test_arguments_run_no_code(write, call, message):
    assert fault(f"{write(NET)}:{call}")[:2] == ("SQ002", message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", "`number` is a int, not a module class or factory"),
        ("give", "`give()` gives a int, not an `nn.Module`"),
        ("net()", "`net` is a module instance, not a class"),
    ],
)
def test_what_is_not_a_module(write, name, message):
    path = write(NET + "\nnumber = 1\nnet = Net()\n\ndef give():\n    return 1\n")

    assert fault(f"{path}:{name}")[:2] == ("SQ004", message)


def test_a_constructor_that_raises(write):
    path = write(NET.replace("        super().__init__()", "        raise ValueError('width')"))
    with pytest.raises(CannotAsk) as error:
        load_target(f"{path}:Net")

    diagnostic = error.value.diagnostic
    assert (diagnostic.code, diagnostic.message) == ("SQ007", "`Net()` raised: ValueError: width")
    assert diagnostic.location is not None
    assert (diagnostic.location.filename, diagnostic.location.row) == (str(path), 6)


def test_a_file_that_raises(write):
    path = write("x = 1\n1 / 0\n")
    with pytest.raises(CannotAsk) as error:
        load_target(f"{path}:Net")

    diagnostic = error.value.diagnostic
    assert diagnostic.code == "SQ003"
    assert diagnostic.message == f"`{path}` cannot be imported: ZeroDivisionError: division by zero"
    assert diagnostic.location is not None and diagnostic.location.row == 2
    assert diagnostic.notes == (f"{path}:2 in <module>: 1 / 0",)
    assert "model" not in sys.modules or getattr(sys.modules["model"], "__file__", None) != str(path)


def test_a_file_that_is_not_python(write):
    with pytest.raises(CannotAsk) as error:
        load_target(f"{write('def f(:')}:Net")

    assert error.value.diagnostic.code == "SQ003"
    assert error.value.diagnostic.location is not None


def test_a_file_that_exits(write):
    path = write("import sys\nsys.exit(3)\n")

    assert fault(f"{path}:Net")[:2] == ("SQ003", f"`{path}` cannot be imported: the code called sys.exit (3)")


def test_an_interrupt_is_passed_on(write):
    with pytest.raises(KeyboardInterrupt):
        load_file(write("raise KeyboardInterrupt\n"))


def test_a_file_beside_others_imports_them(write):
    write("WIDTH = 6\n", "sizes_beside.py")
    path = write("from sizes_beside import WIDTH\n" + NET.replace("width=4", "width=WIDTH"))

    assert load_target(f"{path}:Net").instance.fc.in_features == 6


def test_a_file_of_a_package_imports_its_relatives(write):
    write("", "pack_of_one/__init__.py")
    write("WIDTH = 6\n", "pack_of_one/sizes.py")
    path = write("from .sizes import WIDTH\n" + NET.replace("width=4", "width=WIDTH"), "pack_of_one/model.py")
    model = load_target(f"{path}:Net")

    assert model.instance.fc.in_features == 6
    assert model.kind.__module__ == "pack_of_one.model"


def test_a_module_by_its_dotted_name(write, tmp_path, monkeypatch):
    write("", "pack_of_two/__init__.py")
    write(NET, "pack_of_two/model.py")
    monkeypatch.chdir(tmp_path)

    assert load_target("pack_of_two.model:Net").kind.__module__ == "pack_of_two.model"


def test_a_class_that_is_only_re_exported_is_found_at_home(write):
    home = write(NET, "home_of_net.py")
    path = write("from home_of_net import Net\n", "front.py")
    model = load_target(f"{path}:Net")

    assert model.filename == str(home)
    assert model.module is not None and model.module.__name__ == "home_of_net"


@pytest.mark.parametrize("name", ["random.py", "types.py", "torch.py"])
def test_a_file_named_as_another_module_hides_nothing(write, name):
    stem = name[:-3]
    before = sys.modules.get(stem)
    load_target(f"{write(NET, name)}:Net") if stem != "torch" else load_file(write("x = 1\n", name))

    assert sys.modules.get(stem) is before


def test_a_script_does_not_run_its_main_part(write):
    path = write(NET + "\nif __name__ == '__main__':\n    raise SystemExit\n")

    assert load_target(f"{path}:Net").kind.__name__ == "Net"


def test_two_files_of_one_name(write):
    first = load_target(f"{write(NET, 'a/model.py')}:Net")
    second = load_target(f"{write(NET.replace('width=4', 'width=5'), 'b/model.py')}:Net")

    assert (first.instance.fc.in_features, second.instance.fc.in_features) == (4, 5)


def test_a_file_that_changed_is_read_again(write):
    assert load_target(f"{write(NET)}:Net").instance.fc.in_features == 4
    assert load_target(f"{write(NET.replace('width=4', 'width=123'))}:Net").instance.fc.in_features == 123


def test_a_copy_stands_for_the_original(write, tmp_path):
    write("hello", "data.txt")
    copy = write("import pathlib\nTEXT = pathlib.Path(__file__).with_name('data.txt').read_text()\n", "sub/copy.py")
    module = load_file(copy, "copy_of_model", stands_for=str(tmp_path / "model.py"))

    assert module.TEXT == "hello"


def test_what_user_code_prints_goes_to_standard_error(write, capfd):
    path = write("import os\nprint('python')\nos.system('echo child')\n" + NET)
    load_target(f"{path}:Net")
    captured = capfd.readouterr()

    assert captured.out == ""
    assert set(captured.err.split()) == {"python", "child"}


def test_quiet_gives_standard_output_back(capfd):
    with quiet():
        os.write(1, b"hidden\n")
    os.write(1, b"shown\n")
    captured = capfd.readouterr()

    assert (captured.out, captured.err) == ("shown\n", "hidden\n")


def test_user_frames_leaves_torch_out():
    try:
        nn.Linear(2, 2)(torch.randn(3, 3))
    except RuntimeError as error:
        frames = user_frames(error.__traceback__)

    assert [frame.filename for frame in frames] == [__file__]


def test_build_in_puts_the_random_state_back(write):
    module = load_file(write(NET))
    state = torch.get_rng_state()
    first, second = build_in(module, "Net(2)", 1), build_in(module, "Net(2)", 1)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.fc.weight, second.fc.weight)


def test_load_over_runs_what_changed(write):
    old_text = "calls = []\n\ndef register():\n    calls.append(1)\n\nregister()\nx = 1\n"
    old = load_file(write(old_text, "first.py"))
    new_path = write(old_text.replace("x = 1", "x = 2"), "second.py")
    new = load_over(old, old_text, new_path, "second_of_two")

    assert (old.x, new.x) == (1, 2)
    assert new.calls is old.calls
    assert len(old.calls) == 1
    assert new.register is not old.register


def test_load_over_tells_what_raises(write):
    old = load_file(write("x = 1\n", "first.py"))
    with pytest.raises(CannotAsk, match="SQ003"):
        load_over(old, "x = 1\n", write("x = 1 / 0\n", "second.py"), "second_of_two")
