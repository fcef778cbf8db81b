"""User code that does anything: the answer is a result or a diagnostic, and nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqify.child import Child
from seqify.errors import CannotAsk, Refusal

Ask = Callable[..., Any]


@pytest.fixture
def hostile(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`hostile(text)` makes the text the module `hostile`, with `os` and `sys`, for a child to import."""

    def write_module(text: str) -> Path:
        path = write("import os, sys, time\n" + textwrap.dedent(text), "hostile.py")
        monkeypatch.syspath_prepend(str(path.parent))
        return path

    return write_module


@pytest.fixture
def ask(hostile: Callable[[str], Path]) -> Ask:
    """`ask(text)` runs the text as the body of a function in a child, and gives its result."""

    def run(text: str, timeout: float = 20) -> Any:
        hostile("def run():\n" + textwrap.indent(textwrap.dedent(text), "    "))
        with Child(timeout=timeout) as child:
            return child.call("hostile:run")

    return run


@contextlib.contextmanager
def refused(code: str) -> Iterator[list[str]]:
    """The message of the diagnostic that ends the block."""
    told: list[str] = []
    with pytest.raises(CannotAsk) as caught:
        yield told
    assert caught.value.diagnostic.code == code
    told.append(caught.value.diagnostic.message)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is only waiting to be asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, within: float = 5) -> bool:
    limit = time.monotonic() + within
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not alive(pid)


# What a child does


def test_it_calls_functions_and_keeps_what_they_load(hostile, tmp_path):
    hostile("""
        here = []

        def add(*values, twice=False):
            here.extend(values * (1 + twice))
            return list(here)
    """)
    with Child(folder=str(tmp_path)) as child:
        assert child.call("hostile:add", 1, 2) == [1, 2]
        assert child.call("hostile:add", 3, twice=True) == [1, 2, 3, 3]
        assert child.call("os:getcwd") == os.path.realpath(tmp_path)
        assert child.call("math:hypot", 3, 4) == 5.0


def test_what_it_has_around_it(hostile, tmp_path):
    """Its own path and environment, and a module that is there before it is called."""
    hostile("""
        def found():
            return sys.path, os.environ.get("ONE"), os.environ.get("TWO"), "colorsys" in sys.modules
    """)
    path = [str(tmp_path), *sys.path]
    environment = {name: value for name, value in os.environ.items() if name != "ONE"} | {"TWO": "2"}
    os.environ["ONE"] = "1"
    try:
        with Child(path=path, environment=environment, module="colorsys") as child:
            assert child.call("hostile:found") == (path, None, "2", True)
    finally:
        del os.environ["ONE"]


def test_a_module_that_cannot_be_imported_is_told_when_it_is_needed(hostile):
    hostile("raise ValueError('no')")
    with Child(module="hostile") as child:
        assert child.call("math:hypot", 3, 4) == 5.0
        with refused("SQ902") as told:
            child.call("hostile:run")
    assert told[0] == "ValueError: no"


def test_messages_say_whose_code_it_is(hostile):
    hostile("def run(): os._exit(3)")
    with Child(subject="the code of `a.py:Net`") as child, refused("SQ009") as told:
        child.call("hostile:run")
    assert told == ["the code of `a.py:Net` ended seqify's process (exit status 3)"]


def test_tensors_go_in_and_come_out():
    with Child() as child:
        found = child.call("torch:add", torch.ones(2, 3), torch.ones(3))

    assert torch.equal(found, torch.full((2, 3), 2.0))


def test_progress_is_for_functions_that_have_a_parameter_for_it(hostile):
    hostile("""
        def work(progress):
            progress("sawing")
            progress("planing")
            return 1

        def rest():
            return 2
    """)
    told: list[str] = []
    with Child(progress=told.append) as child:
        assert (child.call("hostile:work"), child.call("hostile:rest")) == (1, 2)

    assert told == ["sawing", "planing"]


def test_what_seqify_raises_is_raised_again(ask):
    with pytest.raises(Refusal) as caught:
        ask("""
            from seqify.diagnostics import Diagnostic, Location
            from seqify.errors import Refusal

            class Stop(Refusal):
                def __init__(self):
                    one = Diagnostic("SQ101", "one", Location("a.py", 3), notes=("why",))
                    super().__init__(one, Diagnostic("SQ102", "two"))

            raise Stop
        """)

    assert type(caught.value) is Refusal
    assert [item.message for item in caught.value.diagnostics] == ["one", "two"]
    assert str(caught.value) == "a.py:3:1: SQ101 value-branch: one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("raise MemoryError", "MemoryError: "),
        ("class Odd(BaseException):\n    def __str__(self): raise ValueError\nraise Odd", "Odd"),
        ("run()", "RecursionError: maximum recursion depth exceeded"),
        ("sys.setrecursionlimit(40)\nrun()", "RecursionError: "),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("return lambda: 1", "the result cannot be handed over: "),
    ],
)
def test_anything_else_that_is_raised_is_told(ask, text, message):
    with refused("SQ902") as told:
        ask(text)

    assert told[0].startswith(message)


def test_the_places_of_an_exception_are_told(ask):
    with pytest.raises(CannotAsk) as caught:
        ask("raise ValueError('no')")

    assert caught.value.diagnostic.notes[-1] == "hostile.py:3 in run"


def test_objects_of_the_codes_own_stay_there(ask):
    with refused("SQ902") as told:
        ask("global Own\nclass Own: pass\nOwn.__qualname__ = 'Own'\nreturn Own()")

    assert told == ["the result cannot be read: UnpicklingError: `hostile.Own` is the code's own"]
    assert "hostile" not in sys.modules


def test_a_huge_result_comes_whole(ask):
    found = ask("return b'ab' * 50_000_000")

    assert (len(found), found[-2:]) == (100_000_000, b"ab")


def test_nothing_in_the_working_folder_stands_in_for_python(write, tmp_path, monkeypatch):
    for name in ("pickle", "random", "seqify", "struct", "threading"):
        write("raise SystemExit('not me')", f"{name}.py")
    monkeypatch.chdir(tmp_path)

    with Child() as child:
        assert child.call("os:getcwd") == os.getcwd()


def test_the_path_and_the_arguments_are_those_of_the_parent(hostile):
    hostile("def look():\n    return list(sys.path), list(sys.argv), sys.stdin.read()")
    with Child() as child:
        assert child.call("hostile:look") == (sys.path, sys.argv, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(tmp_path, closed):
    code = "import os\nfrom seqify.child import Child\nwith Child() as child:\n    os.mkdir(child.call('os:fspath', 'done'))"
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code]

    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "done").exists()


# Time


def test_the_time_is_over(hostile):
    path = hostile("""
        def work(progress):
            progress("sawing")
            wait()

        def wait():
            while True:
                time.sleep(0.1)
    """)
    with Child(timeout=1) as child:
        with pytest.raises(CannotAsk) as caught:
            child.call("hostile:work")
        with refused("SQ008"):
            child.call("hostile:work")

    found = caught.value.diagnostic
    assert found.message == "the code did not finish in the time allowed (1 s), while sawing"
    assert (found.location.filename, found.location.row) == (str(path), 9)
    assert found.notes == (f"{path}:5 in work: wait()", f"{path}:9 in wait: time.sleep(0.1)")


def test_code_that_lets_nobody_speak_is_stopped_too(ask):
    start = time.monotonic()
    with refused("SQ008") as told:
        ask("'a' * 10 ** 6 in 'a' * 10 ** 9\nsum(range(10 ** 12))", timeout=1)

    assert told == ["the code did not finish in the time allowed (1 s)"]
    assert time.monotonic() - start < 5


def test_ignored_signals_and_handlers_do_not_keep_it(ask):
    with refused("SQ008"):
        ask(
            """
            import signal
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGALRM, lambda *_: time.sleep(100))
            signal.alarm(1)
            time.sleep(100)
            """,
            timeout=1.5,
        )


def test_a_result_is_not_kept_waiting_by_threads_and_exit_handlers(hostile):
    hostile("""
        import atexit, threading

        def run():
            threading.Thread(target=time.sleep, args=(100,)).start()
            atexit.register(time.sleep, 100)
            return os.getpid()
    """)
    start = time.monotonic()
    with Child() as child:
        pid = child.call("hostile:run")
        assert time.monotonic() - start < 1

    assert gone(pid)
    assert 1 <= time.monotonic() - start < 3


def test_exit_handlers_run_and_open_files_are_written(hostile, tmp_path):
    hostile("""
        import atexit

        def run(folder):
            global kept
            kept = open(folder + "/kept", "w")
            kept.write("all of it")
            atexit.register(lambda: open(folder + "/left", "w").write("bye"))
    """)
    with Child() as child:
        child.call("hostile:run", str(tmp_path))

    assert [(tmp_path / name).read_text() for name in ("kept", "left")] == ["all of it", "bye"]


# The end of the process


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("os._exit(0)", "exit status 0"),
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "SIGKILL, as when memory runs out"),
        ("import signal\nsignal.alarm(1)\ntime.sleep(5)", "SIGALRM"),
        ("import signal\nos.kill(os.getpid(), signal.SIGRTMIN + 3)", "signal 37"),
        ("os.execv('/bin/sh', ['sh', '-c', 'exit 7'])", "exit status 7"),
    ],
)
def test_the_end_of_the_process_is_told(ask, text, how):
    with refused("SQ009") as told:
        ask(text)

    assert told == [f"the code ended seqify's process ({how})"]


def test_where_it_crashed_is_on_standard_error(ask, capfd):
    with refused("SQ009"):
        ask("os.kill(os.getpid(), 11)")

    assert 'hostile.py", line 3 in run' in capfd.readouterr().err


def test_a_stack_without_a_limit_is_an_end(ask):
    with pytest.raises(CannotAsk) as caught:
        ask("sys.setrecursionlimit(10 ** 9)\ndeep = []\nfor _ in range(10 ** 6):\n    deep = [deep]\nreturn repr(deep)")

    # from Python 3.12 on, its own C code has another limit
    assert caught.value.diagnostic.message.startswith(("the code ended seqify's process (SIGSEGV)", "RecursionError: "))


def test_a_closed_pipe_is_told(ask):
    with refused("SQ009") as told:
        ask("os.closerange(3, 256)\ntime.sleep(100)")

    assert told == ["the code closed or used the pipes of seqify's process"]


def test_an_answer_goes_into_no_file_of_the_user(ask, tmp_path):
    with refused("SQ009"):
        ask(f"""
            os.closerange(3, 256)
            files = [open({str(tmp_path)!r} + f"/{{i}}", "wb") for i in range(9)]
            globals().update(files=files)
            return 1
        """)

    assert not [path for path in tmp_path.glob("[0-9]") if path.read_bytes()]


def test_noise_in_a_pipe_is_told(ask):
    with refused("SQ009"):
        ask("""
            for end in range(3, 20):
                try:
                    os.write(end, b"noise in the pipe, enough of it to be a header")
                except OSError:
                    pass
            time.sleep(100)
        """)


# Forks and grandchildren


def test_a_fork_never_answers(ask, tmp_path):
    found = ask(f"""
        pid = os.getpid()
        forked = os.fork() == 0
        if forked:
            with open({str(tmp_path / "fork")!r}, "w") as file:
                file.write(str(os.getpid()))
        else:
            time.sleep(0.3)
        return pid, os.getpid(), forked
    """)

    assert (found[0], found[2]) == (found[1], False)
    assert gone(int((tmp_path / "fork").read_text()))


def test_a_fork_that_stays_behind_is_no_answer(ask):
    with refused("SQ009") as told:
        ask("if os.fork():\n    os._exit(4)\ntime.sleep(0.5)\nreturn 'fork'")

    assert told == ["the code ended seqify's process (exit status 4)"]


@pytest.mark.parametrize("way", ["os.fork() or time.sleep(100)", "subprocess.Popen(['sleep', '100'])", "os.system('sleep 100 &')"])  # fmt: skip
def test_grandchildren_that_hold_the_pipes_are_killed(hostile, way):
    hostile(f"""
        import subprocess

        def run():
            {way}
            return os.getpid()
    """)
    start = time.monotonic()
    with Child() as child:
        group = child.call("hostile:run")

    assert time.monotonic() - start < 4
    members = [path.name for path in Path("/proc").glob("[0-9]*") if _group(path) == group]
    assert not [pid for pid in members if not gone(int(pid), 2)]


def _group(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[2])
    except (OSError, IndexError):
        return 0


def test_the_child_ends_with_its_parent(hostile, tmp_path):
    hostile(f"""
        import subprocess

        def run():
            other = subprocess.Popen(["sleep", "100"])
            with open({str(tmp_path / "new")!r}, "w") as file:
                file.write(f"{{os.getpid()}} {{other.pid}}")
            os.rename({str(tmp_path / "new")!r}, {str(tmp_path / "pids")!r})
            time.sleep(100)
    """)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom seqify.child import Child\nChild().call('hostile:run')"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        pids = _numbers(tmp_path / "pids")
        assert all(map(alive, pids))
        parent.kill()

    assert all(map(gone, pids))


def _numbers(path: Path) -> list[int]:
    limit = time.monotonic() + 20
    while not path.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


# What it prints


def test_what_was_printed_comes_before_the_result(ask, capfd):
    ask("""
        import ctypes
        print("out")
        os.write(1, b"raw")
        sys.__stdout__.write(" held back")
        ctypes.CDLL(None).printf(b" from C")
        sys.stdout = None
    """)

    assert capfd.readouterr() == ("", "out\nraw held back from C")


def test_a_gigabyte_is_left_out(ask, capfd):
    start = time.monotonic()
    found = ask("piece = b'x' * (1 << 20)\nfor _ in range(1024):\n    os.write(1, piece)\nreturn 1")

    assert (found, time.monotonic() - start < 10) == (1, True)
    printed = capfd.readouterr().err
    assert len(printed) < 1_100_000
    assert printed.endswith("x\n… the rest of what the code printed is left out\n")


def test_a_grandchild_that_prints_without_end_keeps_nobody(ask):
    start = time.monotonic()

    assert ask("import subprocess\nsubprocess.Popen(['yes'])\nreturn 1") == 1
    assert time.monotonic() - start < 4


# All of it, through the command line

NET = """
{head}
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        {init}
        self.fc1 = nn.Linear(4, width)
        self.fc2 = nn.Linear(width, 2)

    def forward(self, x):
        {body}
        return self.fc2(F.relu(self.fc1(x)))
"""
HANG = "__import__('time').sleep(100)"
PRINT = """
import os
for _ in range(1024):
    os.write(1, b'x' * (1 << 20))
"""
FORK = "import os\nos.fork()"
GRANDCHILD = "import os, time\nif os.fork() == 0:\n    time.sleep(100)"
FOLDER = "import os\nos.chdir('/')"
PATCHES = """
import json, os, pickle, sys, torch
json.dumps = json.dump = pickle.dumps = pickle.loads = os.write = os._exit = os.getpid = lambda *_, **__: None
torch.equal = torch.allclose = lambda *_: True
torch.manual_seed = torch.Tensor.__repr__ = None
"""
CLOSE = "import os\nos.closerange(3, 256)"
REPLACE = """
import io, sys
sys.stdout = sys.__stdout__ = io.StringIO()
sys.stderr = sys.__stderr__ = None
"""
JSON = """print('{"schema": "seqify/1", "exit_code": 0, "status": "equivalent"}')"""


def convert(path: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "seqify", "convert", f"{path}:Net", "--input", "8,4", "--format", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent, timeout=60)
    found = json.loads(done.stdout)
    assert found["exit_code"] == done.returncode
    assert "Traceback" not in done.stderr
    return done.returncode, found, done.stderr


@pytest.mark.parametrize(
    ("place", "text", "status", "code", "message"),
    [
        pytest.param("head", "raise ValueError('no')", 2, "SQ003", "cannot be imported: ValueError: no", id="raise"),
        pytest.param("head", HANG, 2, "SQ008", "(6 s), while loading", id="hang at import"),
        pytest.param("init", HANG, 2, "SQ008", "(6 s), while loading", id="hang in __init__"),
        pytest.param("body", HANG, 2, "SQ008", "(6 s), while reading forward", id="hang in forward"),
        pytest.param("head", "import sys; sys.exit(0)", 2, "SQ003", "the code called sys.exit (0)", id="exit"),
        pytest.param("head", "import os; os._exit(0)", 2, "SQ009", "(exit status 0), while loading", id="os._exit(0)"),
        pytest.param("init", "import os; os._exit(3)", 2, "SQ009", "(exit status 3), while loading", id="os._exit(3)"),
        pytest.param("body", "import os; os.kill(os.getpid(), 11)", 2, "SQ009", "(SIGSEGV), while reading", id="crash"),
        pytest.param("head", PRINT, 0, None, None, id="gigabyte"),
        pytest.param("head", FORK, 0, None, None, id="fork"),
        pytest.param("head", GRANDCHILD, 0, None, None, id="grandchild"),
        pytest.param("head", FOLDER, 0, None, None, id="folder"),
        pytest.param("head", PATCHES, None, None, None, id="patches"),
        pytest.param("head", CLOSE, 2, "SQ009", "the code closed or used the pipes", id="closed"),
        pytest.param("head", REPLACE, None, None, None, id="stdout"),
        pytest.param("head", JSON, 0, None, None, id="json"),
    ],
)
def test_the_json_is_whole_whatever_the_code_does(write, tmp_path, place, text, status, code, message):
    parts = {"head": "", "init": "pass", "body": "pass", place: text}
    path = write(NET.format(**parts))
    start = time.monotonic()
    options = ["--timeout", "6"] if code == "SQ008" else ["-o", "out.py"]
    found_status, found, _ = convert(path, *options)

    assert time.monotonic() - start < 25
    if status is not None:
        assert found_status == status, found["diagnostics"]
    if code is not None:
        assert (found["status"], found["diagnostics"][0]["code"]) == ("failed", code)
        assert message in found["diagnostics"][0]["message"]
    if code == "SQ008":
        assert found["diagnostics"][0]["filename"].endswith("model.py")
    assert (tmp_path / "out.py").exists() == (found_status == 0)


def test_an_interrupt_ends_the_command_and_the_child(write, tmp_path):
    head = f"import os, time\nwith open({str(tmp_path / 'new')!r}, 'w') as file:\n    file.write(str(os.getpid()))\n"
    head += f"os.rename({str(tmp_path / 'new')!r}, {str(tmp_path / 'pids')!r})\ntime.sleep(100)"
    path = write(NET.format(head=head, init="pass", body="pass"))
    # a shell may have had its jobs ignore the signal
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from seqify.cli import main\n"
    code += f"main(['convert', {f'{path}:Net'!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as command:
        (pid,) = _numbers(tmp_path / "pids")
        command.send_signal(signal.SIGINT)
        printed = command.communicate(timeout=10)

    assert command.returncode == 130
    assert printed == ("", "\nInterrupted.\n")
    assert gone(pid)
