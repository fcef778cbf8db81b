"""Git revisions, laid out beside the working tree."""

# In the order in which it comes, and goes:
#
#     laid out    empty folder in the temporary folder  ->  registration in .git/worktrees  ->  files
#     removed     files and folder  ->  registration
#
# A registration without files can be removed at any later time; files without a registration are found by nobody. A
# process that was killed leaves both, and the next one removes them: the folder's name says whose they were.

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from seqify.diagnostics import Diagnostic
from seqify.errors import CannotAsk

__all__ = ["Revision", "place", "worktree"]

# Process numbers mean something on one machine only, and a repository may be shared by many.
_MACHINE = re.sub(r"\W", "_", platform.node())

# The user's hooks and watchers are none of this matter, and relative paths would be noted in their configuration.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.warnAmbiguousRefs": "true",
    "worktree.useRelativePaths": "false",
}
# What git tells a hook about the repository and the commit in the making, and every git under it would believe.
_HOOK_VARIABLES = {"GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"}


@dataclass(frozen=True)
class Revision:
    """
    A commit whose files lie in a folder of their own.

    Attributes:
        name: the revision as it was asked for, `origin/main`.
        commit: its full hash.
        short: its hash as git abbreviates it.
        root: the folder that holds its files.
        repository: the top of the working tree that it was asked for in. Both paths are free of symbolic links.
    """

    name: str
    commit: str
    short: str
    root: Path
    repository: Path


@contextlib.contextmanager
def worktree(revision: str, start: Path) -> Iterator[Revision]:
    """
    Lay out the files of a revision in the temporary folder for as long as the context lasts.

    It is a detached linked worktree: index, working tree, branches, stash and configuration of the user stay as they
    are, and no hook runs. Filters such as Git LFS do; submodules stay empty folders. Sparse checkouts stay sparse.

    The folder is removed when the context is left, also by SIGINT, SIGTERM and SIGHUP: these raise KeyboardInterrupt
    inside, and the last two are sent again behind the removal, so that the process ends as it would have, or calls
    its own handler. Other contexts that need cleaning up belong inside this one. Outside the main thread signals keep
    their handlers. What a killed process left behind is removed by the next call in the same repository, and so is
    what could not be deleted.

    Args:
        revision: whatever names one commit: `HEAD`, `origin/main`, `v1.2~3`, a hash.
        start: a file or folder of the working tree.

    Raises:
        CannotAsk: SQ010, when there is no such commit, no working tree or no git, or when the files cannot be written.
        OSError: there is no temporary folder that can be written.
    """
    top = _find_top(start)
    commit, short = _find_commit(top, revision)
    _sweep(top)
    with _Signals() as signals:
        root = Path(tempfile.mkdtemp(prefix=f"seqify-worktree-{_MACHINE}-{os.getpid()}-")).resolve()
        try:
            try:
                _lay_out(top, root, commit, revision, signals)
                yield Revision(revision, commit, short, root, top)
            finally:
                signals.hold()
        finally:  # twice, because a signal may come between the first `finally` and its first line
            signals.hold()
            _remove(top, root)


def place(path: str | os.PathLike[str], revision: Revision) -> Path:
    """
    Where a file or folder of the working tree lies in the revision, whether or not it is there; paths outside the
    repository stay as they are. Symbolic links inside the repository are not followed, since the revision has its own.
    """
    absolute = Path(os.path.abspath(path))
    for folder in (absolute, *absolute.parents):
        with contextlib.suppress(OSError):  # a file that is not there yet
            if folder.samefile(revision.repository):
                return revision.root / absolute.relative_to(folder)
    real = Path(os.path.realpath(absolute))  # a link from outside may lead past the top
    if real.is_relative_to(revision.repository):
        return revision.root / real.relative_to(revision.repository)
    return Path(path)


def _git(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder: without hooks or questions, and in a session of its own, which Ctrl-C does not reach."""
    settings = [item for name, value in _SETTINGS.items() for item in ("-c", f"{name}={value}")]
    environment = {name: value for name, value in os.environ.items() if name not in _HOOK_VARIABLES}
    environment |= {"GIT_TERMINAL_PROMPT": "0"} | variables
    try:
        return subprocess.run(
            ["git", *settings, "-C", str(folder), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
    except (FileNotFoundError, PermissionError) as error:
        help_ = "install git, or keep the old file and name both: `seqify verify OLD NEW`"
        raise _cannot(f"git cannot be run ({error.strerror})", help_) from None


def _cannot(message: str, help_: str | None = None, stderr: bytes = b"") -> CannotAsk:
    said = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return CannotAsk(Diagnostic("SQ010", message, help=help_, notes=tuple(f"git: {line}" for line in said[:8])))


def _find_top(start: Path) -> Path:
    folder = Path(os.path.abspath(start))
    folder = folder if folder.is_dir() else folder.parent
    if not folder.is_dir():
        raise _cannot(f"no folder `{folder}`")
    found = _git(folder, "rev-parse", "--is-inside-work-tree", "--show-toplevel")
    inside, _, top = os.fsdecode(found.stdout).partition("\n")
    if found.returncode == 0 and inside == "true":
        return Path(os.path.realpath(top.removesuffix("\n")))
    if inside == "false":
        message = f"`{folder}` is not in a working tree: the git repository is bare, or this is git's own folder"
        raise _cannot(message, "run it where the files are checked out")
    if b"safe.directory" in found.stderr:
        help_ = f"the folder belongs to another user: `git config --global --add safe.directory {folder}`"
        raise _cannot(f"git does not trust the repository of `{folder}`", help_, found.stderr)
    help_ = "a revision is read from the repository that the target is in"
    raise _cannot(f"`{folder}` is not in a git repository", help_, found.stderr)


def _find_commit(top: Path, revision: str) -> tuple[str, str]:
    """The full and the short hash of what the user named."""
    # git would take a leading hyphen for an option
    if not revision.strip() or revision.startswith("-") or "\0" in revision:
        raise _cannot(f"`{revision}` is not the name of a revision", "name a commit: `origin/main`, `HEAD~1`, a hash")
    found = _git(top, "rev-parse", "--verify", revision, LC_ALL="C")
    if b" is ambiguous" in found.stderr:
        help_ = f"write more of it: `heads/{revision}` or `tags/{revision}` for a name, more digits for a hash"
        raise _cannot(f"`{revision}` is ambiguous in `{top}`", help_, found.stderr)
    thing = found.stdout.decode(errors="replace").strip()
    if found.returncode or not re.fullmatch(r"[0-9a-f]{40,}", thing):
        raise _unknown(top, revision)
    short = _git(top, "rev-parse", "--verify", "--short", f"{thing}^{{commit}}")
    commit = _git(top, "rev-parse", "--verify", f"{thing}^{{commit}}")
    if commit.returncode or short.returncode:
        kind = _git(top, "cat-file", "-t", thing).stdout.decode().strip()
        if kind in ("", "commit"):  # a full hash is taken for a revision whether or not it is there
            raise _unknown(top, revision)
        raise _cannot(f"`{revision}` is a {kind}, not a commit", "name a commit: `origin/main`, `HEAD~1`, a hash")
    return commit.stdout.decode().strip(), short.stdout.decode().strip()


def _unknown(top: Path, revision: str) -> CannotAsk:
    if not _git(top, "rev-list", "--max-count=1", "--all").stdout:
        return _cannot(f"the git repository `{top}` has no commit yet", "commit the old text first")
    if _git(top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        help_ = "`fetch-depth: 0` under actions/checkout, or `git fetch --unshallow`"
        return _cannot(f"`{revision}` is not in `{top}`, which is a shallow clone", help_)
    return _cannot(f"no revision `{revision}` in `{top}`", "`git fetch` brings what is new in the remote")


def _lay_out(top: Path, root: Path, commit: str, revision: str, signals: _Signals) -> None:
    done = _git(top, "worktree", "add", "--detach", "--no-checkout", str(root), commit)
    signals.release()
    if done.returncode == 0:
        # As git itself does it. Found from the folder, the repository of another user would not be trusted again.
        own = os.fsdecode((root / ".git").read_bytes()).removeprefix("gitdir:").strip()
        done = _git(root, "reset", "--hard", "--quiet", "--no-recurse-submodules", GIT_DIR=own, GIT_WORK_TREE=str(root))
    if done.returncode:
        raise _cannot(f"the files of `{revision}` cannot be written to `{root.parent}`", None, done.stderr)


def _remove(top: Path, root: Path) -> None:
    """Delete a worktree and its registration, and no other's: `git worktree prune` would go for those of the user."""
    for _ in range(3):
        shutil.rmtree(root, ignore_errors=True)
        if not os.path.lexists(root):
            _git(top, "worktree", "remove", "--force", "--force", str(root))  # twice: also when git had locked it
            return
        _unlock(root)
        time.sleep(0.1)  # a process that was just killed may still have been writing


def _unlock(root: Path) -> None:
    """Make every folder writable; a file needs no permission to be deleted, the folder it is in does."""
    with contextlib.suppress(OSError):
        os.chmod(root, 0o700)
    for folder, names, _ in os.walk(root):
        for path in (os.path.join(folder, name) for name in names):
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)


def _sweep(top: Path) -> None:
    """Remove the worktrees of processes that were killed."""
    listing = os.fsdecode(_git(top, "worktree", "list", "--porcelain").stdout).splitlines()
    paths = [Path(line.removeprefix("worktree ")) for line in listing if line.startswith("worktree ")]
    for path in paths[1:]:  # the first is the repository's own
        match = re.fullmatch(rf"seqify-worktree-{_MACHINE}-(\d{{1,9}})-[a-z0-9_]{{8}}", path.name)
        if match is not None and _is_left(path, int(match[1])):
            _remove(top, path)


def _is_left(root: Path, owner: int) -> bool:
    """Whether a worktree is this user's, or its files are gone, and no process stands for it."""
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        try:
            return os.lstat(root).st_uid == os.getuid()
        except FileNotFoundError:
            return True
    except PermissionError:  # another user's, and alive
        pass
    return False


class _Signals:
    """
    What SIGINT, SIGTERM and SIGHUP do while a worktree stands: nothing while they are held, KeyboardInterrupt after.

    A signal that was held, or that would have ended the process, is sent again when the old handlers are back.
    """

    def __init__(self) -> None:
        self._previous: dict[signal.Signals, Any] = {}
        self._held = True
        self._came: int | None = None
        self._owner = os.getpid()

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                previous = signal.getsignal(number)
                if previous not in (signal.SIG_IGN, None):  # `nohup` ignores SIGHUP, and that stays so
                    self._previous[number] = previous
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        if self._came is not None:
            signal.raise_signal(self._came)

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = self._came is not None
        if self._held:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous[signal.Signals(number)]
        if os.getpid() != self._owner:  # a fork, which has no worktree to remove
            signal.signal(number, previous)
            signal.raise_signal(number)
        elif self._held:
            self._came = self._came or number
        elif number == signal.SIGINT and callable(previous):
            previous(number, frame)
        else:
            self._held, self._came = True, number  # the process is to end: one exception is enough
            raise KeyboardInterrupt
