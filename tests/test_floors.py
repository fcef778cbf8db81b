"""The floors of the code: imports go downward, and torch stays out of the floors that answer without it."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "seqify"

FLOORS = {
    0: {"version", "errors", "diagnostics", "target", "config", "files"},  # words
    1: {
        "source",
        "load",
        "lines",
        "inputs",
        "flow",
        "sizes",
        "tracing",
        "recorder",
        "looks",
        "openness",
        "join",
        "graph",
        "constructed",
        "observe",
        "classes",
        "references",
        "child",
        "childside",
        "pipes",
        "revisions",
    },  # reading
    2: {"ops", "chains", "sorter", "forwardtext", "names", "order", "keymap", "plan"},  # thinking
    3: {"emit", "plain", "transplant", "diff", "structure", "trial", "proof", "compare"},  # writing, proving
    4: {
        "report",
        "findings",
        "differences",
        "excerpts",
        "drawn",
        "repro",
        "classfile",
        "workshop",
        "conversion",
        "api",
        "work",
        "asking",
        "opened",
        "verification",
        "base",
        "question",
    },  # doing
    5: {"render", "cli", "testing", "__main__", "__init__"},  # telling
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}

# A notebook asks the report itself how it looks, so the report reaches up, inside a function, for the renderer.
UPWARD = {("report", "render")}

PROVER = {"structure", "trial", "proof", "compare"}
REWRITER = {
    "tracing",
    "recorder",
    "references",
    "looks",
    "openness",
    "join",
    "graph",
    "observe",
    "flow",
    "chains",
    "sorter",
    "forwardtext",
    "ops",
    "plan",
    "order",
    "names",
    "emit",
    "keymap",
    "source",
    "classes",
}

FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The module or sub-package of seqify that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, deep: bool = True) -> Iterator[str]:
    """
    Full names of the modules that a file imports.

    Args:
        path: the file.
        deep: also what it imports inside functions; else what importing the file imports.
    """
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
        elif deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


def rooms_imported(path: Path, deep: bool = True) -> set[str]:
    """The rooms of seqify that a file imports, its own left out."""
    names = {name.split(".")[1] for name in imports(path, deep) if name.startswith("seqify.")}
    return {name for name in names if name in FLOOR} - {room(path)}


def identity(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_room_has_a_floor() -> None:
    rooms = {room(path) for path in FILES}

    assert rooms <= set(FLOOR), "add the new module to FLOORS, and to docs/architecture.md"
    assert set(FLOOR) <= rooms


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_imports_go_downward(path: Path) -> None:
    upward = {(room(path), name) for name in rooms_imported(path) if FLOOR[name] > FLOOR[room(path)]}

    assert upward <= UPWARD


def test_the_one_import_upward_is_lazy() -> None:
    for lower, upper in UPWARD:
        assert upper in rooms_imported(PACKAGE / f"{lower}.py")
        assert upper not in rooms_imported(PACKAGE / f"{lower}.py", deep=False)


def test_rooms_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        above = {name for lower, name in UPWARD if lower == room(path)}
        graph.setdefault(room(path), set()).update(rooms_imported(path) - above)

    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", [path for path in FILES if FLOOR[room(path)] in (0, 5)], ids=identity)
def test_words_and_telling_import_no_torch(path: Path) -> None:
    assert not {name for name in imports(path, deep=False) if name.split(".")[0] == "torch"}


@pytest.mark.parametrize(
    "name",
    [
        "source",
        "emit",
    ],
)
def test_text_is_read_and_written_without_torch(name: str) -> None:
    """House rule 4: no torch below the waterline. What makes live modules says so."""
    paths = [path for path in FILES if room(path) == name and path.name != "transplant.py"]

    assert paths
    assert not [path for path in paths for found in imports(path, deep=False) if found.split(".")[0] == "torch"]


@pytest.mark.parametrize(
    "name", ["base", "child", "childside", "keymap", "pipes", "question", "report", "revisions", "work"]
)
def test_what_the_command_line_imports_needs_no_torch(name: str) -> None:
    assert not [found for found in imports(PACKAGE / f"{name}.py", deep=False) if found.split(".")[0] == "torch"]


@pytest.mark.parametrize("name", sorted(PROVER))
def test_the_prover_shares_no_code_with_the_rewriter(name: str) -> None:
    """Nor does anything that the prover imports."""
    seen, todo = set(), {name}
    while todo:
        current = todo.pop()
        seen.add(current)
        paths = [path for path in FILES if room(path) == current]
        todo |= {found for path in paths for found in rooms_imported(path)} - seen

    assert seen.isdisjoint(REWRITER)


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_a_file_is_a_noun(path: Path) -> None:
    """It says in a noun phrase what it holds: a full stop or a colon's explanation behind it, and no verb for seqify in front."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree)

    assert docstring, "no docstring"
    first = docstring.splitlines()[0]
    assert re.fullmatch(r"[A-Z`s].*\.", first), first
    if path.name != "__init__.py" or path.parent != PACKAGE:  # the package itself says a sentence
        assert not re.match(
            r"(This|It|Contains?|Provides?|Implements?|Defines?|Reads?|Writes?|Makes?|Finds?)\b", first
        ), first


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=identity(path)) for path in FILES if path.name != "__main__.py"],
)
def test_a_file_says_what_it_exports(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exported = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
    ]

    assert len(exported) == 1
    names = ast.literal_eval(exported[0])
    assert len(set(names)) == len(names)
    # capitals first, then as ruff's RUF022 has it
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    """The house says 50 to 300; what is above that by much is two nouns."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
