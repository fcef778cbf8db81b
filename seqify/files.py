"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["write_atomically"]

_OPEN_ALREADY = ("/dev/std", "/dev/fd/", "/proc/self/fd/")  # other names of what this process writes to


def write_atomically(path: str | os.PathLike[str], data: bytes) -> Path:
    """
    Write `data` to `path` so that every reader sees the old file or the new one, complete.

    The bytes go to a temporary file beside the target, are synced, and the file is renamed over the target. A symbolic
    link is followed: what it points to changes. Permissions of an existing file are kept; a new file gets what the
    umask leaves of 0o666. What is there and is no regular file (`/dev/stdout`, a FIFO) is written to as it is.

    Returns:
        The path that was written, links resolved.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old file is then untouched.
    """
    target = Path(os.path.realpath(path))
    try:
        # the path as it was given: `/dev/stdout` leads to a pipe, which has no name to resolve to
        found = os.stat(path).st_mode
        if os.path.abspath(path).startswith(_OPEN_ALREADY) or not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
            with open(path, "ab") as stream:  # behind what somebody else has written there
                stream.write(data)
            return Path(path)
        mode = stat.S_IMODE(found)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".seqify", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder; the rename itself stands
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return target
