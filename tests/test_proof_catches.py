"""Where an error would be caught."""

from __future__ import annotations

import contextlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqify.proof.catches import is_caught

LIBRARY = (os.path.dirname(os.__file__),)


def ask():
    return is_caught(sys._getframe(1), LIBRARY, "")


def plain():
    return ask()


def caught():
    try:
        return ask()
    except ValueError:
        return None


def caught_bare():
    try:
        return ask()
    except:  # noqa: E722
        return None


def caught_by_name():
    try:
        return ask()
    except (KeyError, ValueError) as error:
        return error


def caught_by_the_caller():
    try:
        return plain()
    except Exception:
        return None


def caught_in_a_loop():
    for _ in range(2):
        try:
            return ask()
        except Exception:
            continue
    return None


def suppressed():
    with contextlib.suppress(ValueError):
        return ask()


def before_the_try():
    found = ask()
    try:
        return found
    except ValueError:
        return None


def in_the_handler():
    try:
        raise KeyError
    except KeyError:
        return ask()


def finally_passes():
    try:
        return ask()
    finally:
        str(1)


def with_passes():
    with contextlib.nullcontext():
        return ask()


CAUGHT = [caught, caught_bare, caught_by_name, caught_by_the_caller, caught_in_a_loop, suppressed]
PASSES = [plain, before_the_try, in_the_handler, finally_passes, with_passes]


@pytest.mark.parametrize("function", CAUGHT + PASSES, ids=lambda function: function.__name__)
def test_whether_an_error_would_be_caught(function):
    # in a thread of its own, since what runs the tests catches errors
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(function).result() is (function in CAUGHT)


def test_frames_behind_the_one_that_calls_forward_do_not_count():
    frame = sys._getframe()

    assert not is_caught(frame, LIBRARY, frame.f_code.co_filename)
