"""The source of one module class."""

from __future__ import annotations

import ast
import textwrap

import pytest

from seqify.classes import ClassSource, find_class, is_super_init, names_loaded, names_stored
from seqify.flow import Site
from seqify.source import SourceFile


def read(text: str, name: str = "Net", first_row: int | None = None) -> ClassSource:
    found = find_class(SourceFile("model.py", textwrap.dedent(text)), name, {}, first_row)
    assert found is not None
    return found


def constructor(text: str) -> ClassSource:
    rows = textwrap.indent(textwrap.dedent(text).strip(), "        ")
    return read(f"class Net(nn.Module):\n    def __init__(self, a=1):\n{rows}\n")


def forward(text: str, arguments: str = "self, x") -> ClassSource:
    rows = textwrap.indent(textwrap.dedent(text).strip(), "        ")
    return read(f"class Net(nn.Module):\n    def forward({arguments}):\n{rows}\n")


def site(cls: ClassSource, node: ast.expr) -> Site:
    assert cls.forward is not None and node.end_lineno is not None and node.end_col_offset is not None
    return Site(
        "model.py", node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, "Net.forward", cls.forward.lineno
    )  # fmt: skip


def calls(cls: ClassSource) -> list[ast.Call]:
    assert cls.forward is not None
    return [node for node in ast.walk(cls.forward) if isinstance(node, ast.Call)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("f(x, y=z)", {"f", "x", "z"}),
        ("a = b.c[d]", {"b", "d"}),
        ("[i for i in xs]", {"i", "xs"}),
        ("lambda v: v + w", {"v", "w"}),
    ],
)
def test_names_loaded(text, names):
    assert names_loaded(ast.parse(text)) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a = b", {"a"}),
        ("a, (b, *c) = d", {"a", "b", "c"}),
        ("import os.path, re as r", {"os", "r"}),
        ("from a import b as c, d", {"c", "d"}),
        ("def f(): pass", {"f"}),
        ("class C: pass", {"C"}),
        ("(y := x)", {"y"}),
        ("del a", {"a"}),
        ("for i in x: pass", {"i"}),
        ("with f() as g: pass", {"g"}),
        ("try:\n    pass\nexcept E as e:\n    pass", {"e"}),
    ],
)
def test_names_stored(text, names):
    assert names_stored(ast.parse(text)) == names


def test_a_statement_that_can_move():
    (statement,) = constructor("self.fc = nn.Linear(a, self.width)").statements

    assert statement.attribute == "fc"
    assert statement.stores == {"fc"}
    assert statement.reads == {"width"}
    assert statement.names_loaded == {"nn", "a"}
    assert not statement.uses_self


@pytest.mark.parametrize(
    "text",
    [
        "self.a = self.b = nn.ReLU()",
        "self.a, self.b = nn.ReLU(), nn.ReLU()",
        "self.a = 1; self.b = 2",
        "if a:\n    self.a = 1",
        "self.a += 1",
        "self.a: int",
        "self.net.a = 1",
        "b = nn.ReLU()",
        "self.x[0] = 1",
    ],
)
def test_statements_that_cannot_move(text):
    assert {statement.attribute for statement in constructor(text).statements} == {None}


def test_an_annotated_assignment_can_move():
    assert [item.attribute for item in constructor("self.fc: nn.Module = nn.Linear(1, 1)").statements] == ["fc"]


def test_a_comment_behind_a_statement_does_not_hold_it():
    assert [item.attribute for item in constructor("self.fc = nn.Linear(1, 1)  # last").statements] == ["fc"]


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("self.fc = nn.Linear(1, 1)", False),
        ("super().__init__()", False),
        ("nn.Module.__init__(self)", False),
        ("super(Net, self).__init__()", False),
        ("self.apply(init)", True),
        ("self.reset()", True),
        ("init(self)", True),
        ("self.fc = build(self)", True),
        ("nn.init.zeros_(self.fc.weight)", False),
        ("for m in self.modules():\n    pass", True),
    ],
)
def test_uses_of_the_module_as_a_whole(text, uses):
    assert [item.uses_self for item in constructor(text).statements] == [uses]


def test_the_docstring_is_no_statement():
    assert len(constructor('"""Doc."""\nsuper().__init__()').statements) == 1


def test_is_super_init():
    assert [is_super_init(item.node) for item in constructor("super().__init__()\nself.a = 1\nf()").statements] == [
        True,
        False,
        False,
    ]


def test_another_word_for_self():
    cls = read("class Net:\n    def __init__(this):\n        this.fc = 1\n        self.x = 2\n")

    assert [item.attribute for item in cls.statements] == ["fc", None]


def test_a_static_method_has_no_self():
    cls = read("class Net:\n    @staticmethod\n    def f(x):\n        x.y = 1\n")

    assert cls.self_name(cls.methods["f"]) is None
    assert cls.attributes(cls.methods["f"]) == []


def test_attributes_assigned_outside_the_constructor():
    cls = read(
        """
        class Net(nn.Module):
            def __init__(self):
                self.a = 1
            def reset(self):
                self.b = 1
                del self.c
                self.d += self.e
        """
    )

    assert cls.assigned_elsewhere == {"b", "c", "d"}
    assert sorted((function.name, node.attr) for function, node in cls.assigned_outside()) == [
        ("reset", "b"),
        ("reset", "c"),
        ("reset", "d"),
    ]


def test_names_of_the_class_body():
    cls = read("class Net:\n    a = 1\n    b: int = 2\n    import os\n    def f(self): z = 1\n    class C: y = 1\n")

    assert cls.class_names >= {"a", "b", "os", "f", "C"}
    assert not cls.class_names & {"z", "y"}


@pytest.mark.parametrize(
    ("kind", "name", "after", "until", "expected"),
    [
        ("read", "a", 0, 2, True),
        ("read", "a", 2, 3, False),
        ("store", "b", 0, 1, True),
        ("store", "b", 1, 3, False),
        ("name", "w", -1, 0, True),
        ("self", "", 2, 3, True),
        ("self", "", 0, 2, False),
    ],
)
def test_happens(kind, name, after, until, expected):
    cls = constructor("w = 1\nself.b = w\nself.c = self.a\nself.apply(f)")

    assert cls.happens(kind, name, after, until) is expected


def test_a_text_means_something_else_past_a_new_value():
    cls = constructor("w = 1\nself.fc = nn.Linear(w, self.k)\nw = 2\nself.k = 3")

    assert cls.meaning_changes(cls.statements[1], 1, 2)
    assert cls.meaning_changes(cls.statements[1], 2, 3)
    assert not cls.meaning_changes(cls.statements[1], -1, -1)


def test_storing_counts_every_assignment():
    cls = constructor("self.fc = 1\nif a:\n    self.fc = 2")

    assert [item.index for item in cls.storing("fc")] == [0, 1]
    assert cls.storing("other") == []


def test_locals_of_forward():
    cls = forward("y = x\nfor i in y:\n    z = i\nreturn w", "self, x, *args, k=1, **kwargs")

    assert cls.forward_locals - {"forward"} == {"self", "x", "args", "k", "kwargs", "y", "i", "z"}


def test_forward_that_hands_over():
    cls = read(
        """
        class Net(nn.Module):
            def forward(self, x):
                return self._forward_impl(x)
            def _forward_impl(self, x):
                return self.fc(x)
        """
    )

    assert cls.delegates
    assert cls.forward is cls.methods["_forward_impl"]


@pytest.mark.parametrize(
    "call",
    ["self.impl(x, 1)", "self.impl(x=x)", "self.impl(x + 1)", "self.missing(x)", "other.impl(x)", "impl(x)", "self.impl()"],
)  # fmt: skip
def test_forward_that_does_not_merely_hand_over(call):
    cls = read(
        f"""
        class Net(nn.Module):
            def forward(self, x):
                return {call}
            def impl(self, x):
                return x
        """
    )

    assert not cls.delegates


def test_a_decorated_method_is_not_handed_over_to():
    cls = read(
        """
        class Net(nn.Module):
            def forward(self, x):
                return self.impl(x)
            @torch.no_grad()
            def impl(self, x):
                return x
        """
    )

    assert not cls.delegates


def test_holds_tells_forward_from_others_by_its_row():
    cls = read(
        """
        class Net(nn.Module):
            @decorated
            def forward(self, x):
                return x
        """
    )

    assert cls.holds(Site("model.py", 5, 0, 5, 1, "Net.forward", 3))
    assert not cls.holds(Site("model.py", 5, 0, 5, 1, "Net.forward", 4))
    assert not cls.holds(Site("model.py", 5, 0, 5, 1, "Net.other", 3))


@pytest.mark.parametrize("text", ["return f(g(x))", "return x.relu().view(1, 2)", "y = (\n    f(\n        x\n    )\n)"])
def test_expressions_are_found_by_their_place(text):
    cls = forward(text)
    for node in calls(cls):
        assert cls.expression_at(site(cls, node)) is node


def test_arithmetic_is_found_by_its_place():
    cls = forward("return -(x + 1) * 2")
    for node in ast.walk(cls.forward):
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            assert cls.expression_at(site(cls, node)) is node


def test_a_call_that_ends_a_sum_is_not_the_sum():
    cls = forward("return x + f(x)")
    (call,) = calls(cls)
    (total,) = (node for node in ast.walk(cls.forward) if isinstance(node, ast.BinOp))

    assert cls.expression_at(site(cls, call)) is call
    assert cls.expression_at(site(cls, total)) is total


def test_nothing_is_found_at_other_places():
    cls = forward("return f(x)")

    assert cls.expression_at(Site("model.py", 3, 0, 3, 5, "Net.forward", 2)) is None


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("y = f(x)\nreturn y", 0),
        ("y = 1\nreturn f(x)", 1),
        ("g(f(x))", 0),
        ("if x:\n    f(x)", None),
        ("for i in x:\n    f(x)", None),
        ("with x:\n    f(x)", None),
        ("y = f(x) if x else x", None),
        ("y = x and f(x)", None),
        ("y = [f(x) for i in x]", None),
        ("y = lambda: f(x)", None),
        ("def g():\n    return f(x)", None),
    ],
)
def test_statement_of(text, index):
    cls = forward(text)
    node = next(call for call in calls(cls) if isinstance(call.func, ast.Name) and call.func.id == "f")

    assert cls.statement_of(node) == index


def test_definitions_of_one_name_are_told_apart_by_their_row():
    text = """
        if False:
            class Net(nn.Module):
                def forward(self, x):
                    return 1
        else:
            class Net(nn.Module):
                def forward(self, x):
                    return 2
        """

    assert read(text, first_row=4).node.lineno == 3
    assert read(text, first_row=8).node.lineno == 7


def test_a_class_inside_a_function_or_a_class():
    text = "def make():\n    class Net:\n        pass\nclass Outer:\n    class Net:\n        pass\n"

    assert read(text, "make.<locals>.Net").node.lineno == 2
    assert read(text, "Outer.Net").node.lineno == 5


def test_a_class_that_is_not_there():
    assert find_class(SourceFile("model.py", "x = 1\n"), "Net", {}, None) is None
