"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from seqify.files import write_atomically


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_gets_what_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        path = write_atomically(tmp_path / "new.py", b"a\r\n\xff")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)

    assert path.read_bytes() == b"a\r\n\xff"
    assert mode(path) == 0o640


@pytest.mark.parametrize("permissions", [0o644, 0o755, 0o600])
def test_permissions_are_kept(tmp_path, permissions):
    path = tmp_path / "model.py"
    path.write_text("old")
    path.chmod(permissions)
    write_atomically(path, b"new")

    assert path.read_text() == "new"
    assert mode(path) == permissions
    assert os.listdir(tmp_path) == ["model.py"]


def test_a_link_is_followed(tmp_path):
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    link.symlink_to(real)

    assert write_atomically(link, b"new") == real.resolve()
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_reader_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("old")
    with path.open() as reader:
        write_atomically(path, b"new and longer")

        assert reader.read() == "old"


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod"])
def test_a_failure_leaves_everything_as_it_was(tmp_path, monkeypatch, call):
    path = tmp_path / "model.py"
    path.write_text("old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(path, b"new")

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.py"]


def test_a_fifo_is_written_to_and_stays(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert write_atomically(path, b"new") == path
        assert os.read(reader, 9) == b"new"
    finally:
        os.close(reader)

    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(tmp_path) == ["fifo"]


def test_devices_are_written_to_and_stay():
    before = os.lstat("/dev/null")
    write_atomically("/dev/null", b"new")

    assert os.lstat("/dev/null").st_ino == before.st_ino


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1"])
def test_standard_output_is_written_to(tmp_path, name):
    code = f"from seqify.files import write_atomically as w; w({name!r}, b'new'); w({name!r}, b'er')"
    command = [sys.executable, "-c", code]
    path = tmp_path / "log.txt"
    path.write_text("old ")
    with path.open("ab") as log:
        subprocess.run(command, stdout=log, check=True)

    assert path.read_text() == "old newer"
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout == b"newer"
    assert os.listdir(tmp_path) == ["log.txt"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "model.py", b"new")
