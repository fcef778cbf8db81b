"""Git revisions beside the working tree, in real repositories."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seqify import revisions
from seqify.errors import CannotAsk
from seqify.revisions import place, worktree

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

OLD, NEW = "width = 1\n", "width = 2\n"
HOLD = """
import sys
from pathlib import Path
from seqify.revisions import worktree

with worktree("HEAD", Path(sys.argv[1])) as revision:
    print(revision.root, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """A temporary folder of the test's own, and a git that knows nothing of this machine's settings."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        '[user]\nname = a\nemail = a@b\n[protocol "file"]\nallow = always\n[init]\ndefaultBranch = main\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(revisions.__file__).parent.parent))
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, message: str, **files: str) -> str:
    """Write files, named without their `.py`, commit everything, and give the hash."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path) -> Path:
    """Two commits: `net.py` in two versions, and `later.py`, which the first does not have."""
    folder = tmp_path / "repository"
    git(tmp_path, "init", "-q", str(folder))
    commit(folder, "first", net=OLD)
    git(folder, "tag", "-a", "v1", "-m", "a tag with a message")
    commit(folder, "second", net=NEW, later=NEW)
    return folder


@pytest.fixture
def hold(repository):
    """`hold()` starts a process that holds a worktree of HEAD, and gives the process and the worktree."""
    processes: list[subprocess.Popen[str]] = []

    def start(before: str = "") -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", before + HOLD, str(repository)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def registered(repository: Path) -> list[Path]:
    """The linked worktrees that git knows of, the repository's own left out."""
    lines = git(repository, "worktree", "list", "--porcelain").splitlines()
    return [Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")][1:]


def everything(folder: Path) -> dict[str, object]:
    """Every file below a folder with its bytes, permissions and time of change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(revision: str, start: Path) -> tuple[str, str | None]:
    """The message and the help of a revision that cannot be had."""
    with pytest.raises(CannotAsk) as error, worktree(revision, start):
        raise AssertionError("it was laid out")
    assert error.value.diagnostic.code == "SQ010"
    assert error.value.exit_code == 2
    return error.value.diagnostic.message, error.value.diagnostic.help


def test_a_revision_stands_while_the_context_lasts(repository, temporary):
    first = git(repository, "rev-parse", "HEAD~1")
    with worktree("HEAD~1", repository) as revision:
        assert (revision.name, revision.commit) == ("HEAD~1", first)
        assert first.startswith(revision.short) and len(revision.short) == 7
        assert revision.repository == repository.resolve()
        assert revision.root.parent == temporary.resolve()
        assert f"-{os.getpid()}-" in revision.root.name
        assert sorted(path.name for path in revision.root.iterdir()) == [".git", "net.py"]
        assert (revision.root / "net.py").read_text() == OLD
        assert registered(repository) == [revision.root]

    assert os.listdir(temporary) == []
    assert registered(repository) == []
    assert not (repository / ".git" / "worktrees").exists()


@pytest.mark.parametrize(
    "name",
    ["v1", "tags/v1", "main~1", "heads/main^", "HEAD^", "@~1", ":/first", "HEAD^{/first}", "v1^{commit}", "v1^0"],
)
def test_names_of_a_commit(repository, name):
    with worktree(name, repository) as revision:
        assert (revision.root / "net.py").read_text() == OLD
        assert revision.commit == git(repository, "rev-parse", "HEAD~1")
        assert revision.name == name


def test_hashes(repository):
    full = git(repository, "rev-parse", "HEAD~1")
    for name in (full, full[:10]):
        with worktree(name, repository) as revision:
            assert revision.commit == full


def test_what_the_user_has_is_untouched(repository):
    (repository / "stashed.py").write_text(OLD)
    git(repository, "stash", "-u")
    (repository / "net.py").write_text("staged = 1\n")
    (repository / "added.py").write_text("added = 1\n")
    git(repository, "add", "-A")
    (repository / "net.py").write_text("not staged = 1\r\n")
    (repository / "later.py").unlink()
    (repository / "untracked.py").write_bytes(b"\xff\x00")
    git(repository, "config", "worktree.useRelativePaths", "true")
    status = git(repository, "status", "--porcelain")
    before = everything(repository)
    with worktree("v1", repository):
        inside = everything(repository)
        assert {name: inside[name] for name in before} == before
        assert all(name.startswith(".git/worktrees/") for name in set(inside) - set(before))

    assert everything(repository) == before
    assert git(repository, "status", "--porcelain") == status


@pytest.mark.parametrize(
    ("name", "message", "help_"),
    [
        ("nope", "no revision `nope` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("origin/main", "no revision `origin/main` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("HEAD~2", "no revision `HEAD~2` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("1" * 40, f"no revision `{'1' * 40}` in `{{top}}`", "`git fetch` brings what is new in the remote"),
        ("v1..HEAD", "no revision `v1..HEAD` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("^HEAD", "no revision `^HEAD` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("HEAD v1", "no revision `HEAD v1` in `{top}`", "`git fetch` brings what is new in the remote"),
        ("HEAD:net.py", "`HEAD:net.py` is a blob, not a commit", "name a commit: `origin/main`, `HEAD~1`, a hash"),
        ("HEAD^{tree}", "`HEAD^{tree}` is a tree, not a commit", "name a commit: `origin/main`, `HEAD~1`, a hash"),
        *(
            (name, f"`{name}` is not the name of a revision", "name a commit: `origin/main`, `HEAD~1`, a hash")
            for name in ("-h", "--all", "--force", "--git-dir=x", "-", "--", "", "  ", "HEAD\0")
        ),
    ],
)  # fmt: skip
def test_what_is_no_commit(repository, temporary, name, message, help_):
    assert refused(name, repository) == (message.replace("{top}", str(repository.resolve())), help_)
    assert os.listdir(temporary) == []
    assert registered(repository) == []


def test_an_ambiguous_name(repository):
    git(repository, "branch", "both", "HEAD")
    git(repository, "tag", "both", "HEAD~1")
    help_ = "write more of it: `heads/both` or `tags/both` for a name, more digits for a hash"

    assert refused("both", repository) == (f"`both` is ambiguous in `{repository.resolve()}`", help_)
    git(repository, "config", "core.warnAmbiguousRefs", "false")
    assert refused("both", repository)[0] == f"`both` is ambiguous in `{repository.resolve()}`"
    with worktree("tags/both", repository) as revision:
        assert (revision.root / "net.py").read_text() == OLD


def test_an_ambiguous_hash(repository):
    prefix = git(repository, "rev-parse", "HEAD")[:4]
    texts = (str(number) for number in range(10**7))
    text = next(
        text for text in texts if hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest().startswith(prefix)
    )
    subprocess.run(
        ["git", "-C", repository, "hash-object", "-w", "--stdin"], input=text.encode(), check=True, capture_output=True
    )

    assert refused(prefix, repository)[0] == f"`{prefix}` is ambiguous in `{repository.resolve()}`"


def test_a_repository_without_commits(tmp_path):
    git(tmp_path, "init", "-q", "empty")
    message = f"the git repository `{(tmp_path / 'empty').resolve()}` has no commit yet"

    assert refused("HEAD", tmp_path / "empty") == (message, "commit the old text first")
    assert refused("origin/main", tmp_path / "empty")[0] == message


def test_a_shallow_clone(repository, tmp_path):
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    shallow = tmp_path / "shallow"
    help_ = "`fetch-depth: 0` under actions/checkout, or `git fetch --unshallow`"

    for name in ("HEAD~1", "origin/release", git(repository, "rev-parse", "HEAD~1")):
        assert refused(name, shallow) == (f"`{name}` is not in `{shallow.resolve()}`, which is a shallow clone", help_)
    with worktree("HEAD", shallow) as revision:
        assert (revision.root / "net.py").read_text() == NEW


def test_where_no_repository_is(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    help_ = "a revision is read from the repository that the target is in"

    assert refused("HEAD", folder) == (f"`{folder}` is not in a git repository", help_)
    assert refused("HEAD", folder / "model.py") == (f"`{folder}` is not in a git repository", help_)
    assert refused("HEAD", folder / "no" / "model.py") == (f"no folder `{folder / 'no'}`", None)


def test_where_no_working_tree_is(repository, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare")

    for folder in (tmp_path / "bare", repository / ".git", repository / ".git" / "refs"):
        assert refused("HEAD", folder) == (
            f"`{folder}` is not in a working tree: the git repository is bare, or this is git's own folder",
            "run it where the files are checked out",
        )


def test_without_git(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert refused("HEAD", repository) == (
        "git cannot be run (No such file or directory)",
        "install git, or keep the old file and name both: `seqify verify OLD NEW`",
    )


def test_a_repository_of_another_user(repository, tmp_path, monkeypatch):
    """git's own switch for its tests: every folder is somebody else's."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    message, help_ = refused("HEAD", repository)

    assert message == f"git does not trust the repository of `{repository}`"
    assert help_ == f"the folder belongs to another user: `git config --global --add safe.directory {repository}`"
    with (tmp_path / "gitconfig").open("a") as settings:
        settings.write(f"[safe]\ndirectory = {repository.resolve()}\n")
    with worktree("v1", repository) as revision:  # the worktree itself is in no list
        assert (revision.root / "net.py").read_text() == OLD


def test_files_that_cannot_be_written(repository, temporary):
    (repository / ".gitattributes").write_text("net.py filter=broken\n")
    commit(repository, "third")
    git(repository, "config", "filter.broken.smudge", "false")
    git(repository, "config", "filter.broken.required", "true")
    with pytest.raises(CannotAsk) as error, worktree("HEAD", repository):
        raise AssertionError("it was laid out")

    assert error.value.diagnostic.message == f"the files of `HEAD` cannot be written to `{temporary.resolve()}`"
    assert any("smudge filter broken failed" in note for note in error.value.diagnostic.notes)
    assert os.listdir(temporary) == []
    assert registered(repository) == []


def test_no_hook_runs(repository, tmp_path):
    hooks = tmp_path / "hooks"
    for folder in (hooks, repository / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in ("post-checkout", "reference-transaction", "post-index-change"):
            (folder / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/ran\n")
            (folder / name).chmod(0o755)
    with worktree("HEAD", repository):
        pass
    git(repository, "config", "core.hooksPath", str(hooks))
    with worktree("HEAD", repository):
        pass

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("linked", [False, True], ids=["main", "linked"])
@pytest.mark.parametrize("arguments", [["-a"], ["net.py"], []], ids=["all", "one", "index"])
def test_in_a_pre_commit_hook(repository, tmp_path, arguments, linked):
    """git tells its hooks which repository and which index they are for, and every git below them believes it."""
    folder = repository
    if linked:
        folder = tmp_path / "linked"
        git(repository, "worktree", "add", "-q", "-b", "other", str(folder))
    hook = repository / ".git" / "hooks" / "pre-commit"
    script = tmp_path / "hook.py"
    script.write_text(
        f"import os, pathlib\nfrom seqify.revisions import worktree\n"
        f"assert 'GIT_INDEX_FILE' in os.environ\n"
        f"with worktree('HEAD', pathlib.Path('.')) as revision:\n"
        f"    pathlib.Path({str(tmp_path / 'seen')!r}).write_text((revision.root / 'net.py').read_text())\n"
    )
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    hook.chmod(0o755)
    (folder / "net.py").write_text("width = 3\n")
    if not arguments:
        git(folder, "add", "net.py")
    (folder / "untracked.py").write_text(OLD)
    git(folder, "commit", "-qm", "third", *arguments)

    assert (tmp_path / "seen").read_text() == NEW
    assert git(folder, "show", "HEAD:net.py") == "width = 3"
    assert git(folder, "status", "--porcelain") == "?? untracked.py"
    assert git(folder, "ls-tree", "--name-only", "HEAD").split() == ["later.py", "net.py"]


def test_variables_that_name_another_repository(repository, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    with worktree("v1", repository) as revision:
        assert (revision.root / "net.py").read_text() == OLD

    assert everything(tmp_path / "other").keys().isdisjoint({".git/index", "net.py"})
    assert os.environ["GIT_DIR"] == str(tmp_path / "other" / ".git")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_it_is_removed_after_an_exception(repository, temporary, error):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(error), worktree("HEAD", repository):
        assert signal.getsignal(signal.SIGTERM) != before[1]
        raise error

    assert os.listdir(temporary) == []
    assert registered(repository) == []
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_is_removed_after_a_signal(repository, temporary, hold, number):
    process, root = hold()
    assert (root / "net.py").read_text() == NEW
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)

    assert process.returncode == -number  # Python too ends by SIGINT after a KeyboardInterrupt
    assert number == signal.SIGINT or not stderr
    assert os.listdir(temporary) == []
    assert registered(repository) == []


def test_a_process_that_ignores_hangups_goes_on(repository, temporary, hold):
    process, root = hold("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert process.poll() is None and root.exists()
    process.communicate(timeout=10)

    assert process.returncode == 0
    assert os.listdir(temporary) == []


def test_a_handler_of_the_users_is_called_when_the_worktree_is_gone(repository, temporary):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(os.listdir(temporary)))
    try:
        with pytest.raises(KeyboardInterrupt), worktree("HEAD", repository):
            signal.raise_signal(signal.SIGTERM)
            raise AssertionError("the signal was lost")
    finally:
        signal.signal(signal.SIGTERM, before)

    assert seen == [[]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["add", "remove"])
def test_a_signal_waits_while_git_writes_its_own_files(repository, temporary, monkeypatch, number, moment):
    seen, original = [], revisions._git

    def interrupted(folder, *arguments, **variables):
        if arguments[:2] == ("worktree", moment):
            signal.raise_signal(number)
        return original(folder, *arguments, **variables)

    def handler(number, frame):
        seen.append((number, os.listdir(temporary), registered(repository)))
        raise KeyboardInterrupt

    monkeypatch.setattr(revisions, "_git", interrupted)
    before = signal.signal(number, handler)
    try:
        with pytest.raises(KeyboardInterrupt), worktree("HEAD", repository):
            seen.append("inside")
    finally:
        signal.signal(number, before)

    assert [item for item in seen if item != "inside"] == [(number, [], [])]
    assert ("inside" in seen) == (moment == "remove")


def test_a_second_signal_does_not_stop_the_removal(repository, temporary):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(os.listdir(temporary)))
    try:
        with pytest.raises(KeyboardInterrupt), worktree("HEAD", repository):
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
                seen.append("cleaned up")
    finally:
        signal.signal(signal.SIGTERM, before)

    assert seen == ["cleaned up", []]
    assert registered(repository) == []


def test_a_slow_checkout_can_be_stopped(repository, temporary, tmp_path):
    (repository / ".gitattributes").write_text("net.py filter=slow\n")
    commit(repository, "third")
    git(repository, "config", "filter.slow.smudge", f"touch {tmp_path}/started; sleep 5; cat")
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(repository)], stdin=subprocess.PIPE)
    wait(lambda: (tmp_path / "started").exists())
    start = time.monotonic()
    process.terminate()
    process.communicate()

    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - start < 4
    assert os.listdir(temporary) == []
    assert registered(repository) == []


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def test_in_another_thread_signals_keep_their_handlers(repository, temporary):
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with worktree("v1", repository) as revision:
            seen.append((signal.getsignal(signal.SIGTERM), (revision.root / "net.py").read_text()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [(before, OLD)]
    assert os.listdir(temporary) == []


def test_a_fork_does_not_take_the_signal_for_its_own(repository, temporary):
    script = """
import os, signal, sys, time
from pathlib import Path
from seqify.revisions import worktree

with worktree("HEAD", Path(sys.argv[1])) as revision:
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        while True:
            time.sleep(1)
    time.sleep(0.1)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (revision.root / "net.py").exists())
"""
    done = subprocess.run([sys.executable, "-c", script, repository], capture_output=True, text=True, check=True)

    assert done.stdout == f"{-signal.SIGTERM} True\n"
    assert os.listdir(temporary) == []


def test_what_a_killed_process_left_is_removed_by_the_next(repository, temporary, hold):
    process, root = hold()
    process.kill()
    process.wait()
    assert (root / "net.py").exists()
    with worktree("v1", repository) as revision:
        assert not root.exists()
        assert registered(repository) == [revision.root]

    assert os.listdir(temporary) == []
    assert not (repository / ".git" / "worktrees").exists()


@pytest.mark.parametrize("harm", ["folder gone", "files gone", "locked", "folder without git"])
def test_what_was_left_in_parts_is_removed_too(repository, temporary, hold, harm):
    process, root = hold()
    process.kill()
    process.wait()
    if harm == "folder gone":
        shutil.rmtree(root)
    elif harm == "files gone":
        (root / "net.py").unlink()
    elif harm == "locked":
        git(repository, "worktree", "lock", "--reason", "initializing", str(root))
    else:
        (root / ".git").unlink()
    with worktree("v1", repository):
        pass

    assert os.listdir(temporary) == []
    assert registered(repository) == []


def test_what_lives_is_left_alone(repository, hold):
    process, root = hold()
    other, second = hold()
    with worktree("v1", repository) as revision:
        assert {root, second, revision.root} == set(registered(repository))
        assert (root / "net.py").read_text() == (second / "net.py").read_text() == NEW
        process.communicate()
        assert process.returncode == 0
        assert (revision.root / "net.py").read_text() == OLD and (second / "net.py").exists()
    other.communicate()

    assert other.returncode == 0
    assert registered(repository) == []


def test_worktrees_of_the_users_are_left_alone(repository, temporary, tmp_path, hold):
    process, root = hold()
    process.kill()
    process.wait()
    theirs = [
        tmp_path / "mine",
        tmp_path / "seqify-worktree-mine",
        temporary / root.name.replace("seqify-worktree-", "seqify-worktree-elsewhere-"),
        temporary / "unplugged",
    ]
    for path in theirs:
        git(repository, "worktree", "add", "-q", "--detach", str(path))
    shutil.rmtree(temporary / "unplugged")
    with worktree("HEAD", repository):
        pass

    assert set(registered(repository)) == {path.resolve() for path in theirs}
    assert [path.exists() for path in theirs] == [True, True, True, False]


def test_a_leftover_of_another_user_is_left_alone(repository, temporary, hold, monkeypatch):
    process, root = hold()
    process.kill()
    process.wait()
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with worktree("HEAD", repository):
        assert root.exists()


def test_a_main_repository_that_is_called_like_a_worktree(repository, hold):
    process, root = hold()
    process.kill()
    process.wait()
    moved = repository.with_name(root.name)
    repository.rename(moved)
    with worktree("v1", moved) as revision:
        assert (revision.root / "net.py").read_text() == OLD

    assert (moved / "net.py").read_text() == NEW


def test_folders_without_permissions(repository, temporary):
    with worktree("HEAD", repository) as revision:
        inner = revision.root / "made" / "inner"
        inner.mkdir(parents=True)
        (inner / "file.py").write_text(OLD)
        (inner / "link").symlink_to(repository)
        (inner / "file.py").chmod(0)
        (revision.root / "net.py").chmod(0o400)
        inner.chmod(0o500)
        inner.parent.chmod(0)
        revision.root.chmod(0o500)

    assert os.listdir(temporary) == []
    assert (repository / "net.py").read_text() == NEW


def test_what_cannot_be_deleted_is_left_to_the_next(repository, temporary, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        with worktree("HEAD", repository) as revision:
            pass

    assert registered(repository) == [revision.root]
    monkeypatch.setattr(os, "kill", lambda *_: (_ for _ in ()).throw(ProcessLookupError))
    revisions._sweep(repository)
    assert os.listdir(temporary) == []
    assert registered(repository) == []


@pytest.mark.parametrize("name", ["plain", "with spaces", "ünïcødé 模型", 'quote"d', "-hyphen", "tab\there"])
def test_folders_of_all_names(tmp_path, temporary, name):
    top = tmp_path / name
    folder = top / name / "deeper"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=top, check=True)
    path = folder / f"{name}.py"
    path.write_text(OLD)
    commit(top, "first")
    path.write_text(NEW)
    for start in (folder, path, top):
        with worktree("HEAD", start) as revision:
            assert revision.repository == top.resolve()
            assert place(path, revision) == revision.root / name / "deeper" / f"{name}.py"
            assert place(path, revision).read_text() == OLD

    assert path.read_text() == NEW
    assert os.listdir(temporary) == []


def test_places(repository, tmp_path, monkeypatch):
    inner = repository / "inner"
    inner.mkdir()
    (inner / "net.py").write_text(OLD)
    (inner / "link.py").symlink_to("../net.py")
    (tmp_path / "alias").symlink_to(repository)
    (tmp_path / "shortcut").symlink_to(inner)
    commit(repository, "third")
    with worktree("HEAD", repository) as revision:
        root = revision.root
        assert place(repository, revision) == root
        assert place(repository / "net.py", revision) == root / "net.py"
        assert place(tmp_path / "alias" / "inner" / "net.py", revision) == root / "inner" / "net.py"
        assert place(tmp_path / "shortcut" / "net.py", revision) == root / "inner" / "net.py"
        assert place(inner / "link.py", revision) == root / "inner" / "link.py"
        assert place(inner / "link.py", revision).resolve() == root / "net.py"
        assert place(repository / "no" / "such.py", revision) == root / "no" / "such.py"
        assert place(inner / ".." / "net.py", revision) == root / "net.py"
        assert place(tmp_path / "elsewhere.py", revision) == tmp_path / "elsewhere.py"
        assert place(f"{repository}-not/net.py", revision) == Path(f"{repository}-not/net.py")
        monkeypatch.chdir(inner)
        assert place("net.py", revision) == place(Path("net.py"), revision) == root / "inner" / "net.py"
        assert place(".", revision) == place(Path.cwd(), revision) == root / "inner"
        assert place("../../elsewhere.py", revision) == Path("../../elsewhere.py")
        monkeypatch.chdir(tmp_path / "alias" / "inner")
        assert place("../net.py", revision) == root / "net.py"


def test_a_file_that_the_revision_does_not_have(repository):
    (repository / "new").mkdir()
    (repository / "new" / "net.py").write_text(NEW)
    with worktree("v1", repository / "new" / "net.py") as revision:
        assert not place(repository / "later.py", revision).exists()
        assert not place(repository / "new" / "net.py", revision).parent.exists()


def test_a_temporary_folder_behind_a_link(repository, temporary, tmp_path, monkeypatch, hold):
    (tmp_path / "link").symlink_to(temporary)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "link"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "link"))
    process, root = hold()
    process.kill()
    process.wait()
    with worktree("v1", repository) as revision:
        assert revision.root.parent == temporary.resolve()
        assert registered(repository) == [revision.root]
        assert not root.exists()


def test_in_a_linked_worktree(repository, tmp_path):
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "-q", "-b", "other", str(linked), "v1")
    with worktree("main", linked) as revision:
        assert revision.repository == linked.resolve()
        assert place(linked / "net.py", revision).read_text() == NEW

    assert registered(repository) == [linked.resolve()]


def test_submodules(repository, tmp_path):
    git(tmp_path, "clone", "-q", str(repository), "outer")
    outer = tmp_path / "outer"
    git(outer, "submodule", "add", "-q", str(repository), "sub")
    git(outer, "config", "submodule.recurse", "true")
    commit(outer, "with a submodule")
    with worktree("HEAD", outer) as revision:  # an empty folder in the outer one's revision
        assert list((revision.root / "sub").iterdir()) == []
    with worktree("v1", outer / "sub" / "net.py") as revision:  # a repository of its own
        assert revision.repository == (outer / "sub").resolve()
        assert place(outer / "sub" / "net.py", revision).read_text() == OLD

    assert git(outer, "status", "--porcelain") == git(outer / "sub", "status", "--porcelain") == ""


def test_a_sparse_checkout_stays_sparse(repository):
    for name in ("kept", "left"):
        (repository / name).mkdir()
        (repository / name / "net.py").write_text(OLD)
    commit(repository, "third")
    git(repository, "sparse-checkout", "set", "kept")
    before = everything(repository)
    with worktree("HEAD", repository) as revision:
        assert (revision.root / "kept" / "net.py").exists()
        assert not (revision.root / "left").exists()

    assert everything(repository) == before


def test_a_repository_that_was_given_another_folder_for_its_files(tmp_path):
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"), "top")
    commit(tmp_path / "top", "first", net=OLD)
    with worktree("HEAD", tmp_path / "top") as revision:
        assert (revision.root / "net.py").read_text() == OLD

    assert registered(tmp_path / "top") == []


def test_names_of_worktrees_are_recognised(repository):
    with worktree("HEAD", repository) as revision:
        assert re.fullmatch(rf"seqify-worktree-{revisions._MACHINE}-\d+-[a-z0-9_]{{8}}", revision.root.name)
