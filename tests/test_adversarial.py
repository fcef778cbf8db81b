"""Models that were written to fool seqify, and what it has to say of them in each layout.

A flat class or a function runs every layer it has, and a copy of a layer does not follow the original. So each of these has a
way (other arguments, another method, code beside the class) in which a careless result would differ while all numbers agree.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import seqify

FOLDER = Path(__file__).parent / "adversarial"

# file: what flat, grouped and function give: a status, or the code of the refusal
EXPECTED = {
    "act_callable": ("SQ402", "equivalent", "equivalent"),
    "act_class_twice": ("SQ204", "unchanged", "SQ204"),
    "act_cond_fn": ("SQ402", "equivalent", "equivalent"),
    "add_head_method": ("SQ402", "equivalent", "SQ403"),
    "alias_self": ("equivalent", "SQ403", "SQ403"),
    "alias_sub": ("SQ403", "SQ403", "SQ403"),
    "assert_row": ("SQ409", "equivalent", "SQ409"),
    "attach_outside": ("SQ403", "equivalent", "SQ403"),
    "aux_add_module": ("SQ402", "equivalent", "SQ402"),
    "aux_setattr": ("SQ402", "SQ403", "SQ402"),
    "children_slice": ("SQ403", "SQ403", "SQ403"),
    "copy_from": ("equivalent", "SQ403", "SQ403"),
    "del2": ("SQ409", "unchanged", "SQ409"),
    "early_return3": ("SQ402", "SQ402", "SQ403"),
    "exit_in_forward": ("SQ006", "SQ006", "SQ006"),
    "fn_local_shadow": ("equivalent", "equivalent", "equivalent"),
    "freeze_list_global": ("equivalent", "equivalent", "equivalent"),
    "getattr_fstring": ("equivalent", "SQ403", "SQ403"),
    "global_cfg": ("SQ308", "equivalent", "SQ308"),
    "global_stmt": ("SQ308", "unchanged", "SQ308"),
    "helper_shadow": ("equivalent", "equivalent", "equivalent"),
    "hook_order": ("SQ204", "unchanged", "SQ204"),
    "import_semi": ("equivalent", "equivalent", "equivalent"),
    "isinstance_seq": ("SQ403", "SQ403", "SQ403"),
    "iter_params_order": ("equivalent", "equivalent", "SQ403"),
    "kept_copy": ("SQ308", "equivalent", "SQ308"),
    "kwcall_out": ("SQ607", "equivalent", "SQ607"),
    "kwcall_self": ("SQ607", "equivalent", "SQ403"),
    "legacy3": ("equivalent", "SQ403", "SQ403"),
    "locals_use": ("SQ409", "unchanged", "SQ409"),
    "mut_local_order": ("equivalent", "equivalent", "equivalent"),
    "mutated_cond": ("SQ204", "equivalent", "SQ204"),
    "none_layer": ("SQ402", "equivalent", "equivalent"),
    "nonewline_init_last": ("equivalent", "equivalent", "equivalent"),
    "nonewline_init_last2": ("equivalent", "equivalent", "equivalent"),
    "nwd_strings": ("equivalent", "SQ403", "SQ403"),
    "odd_text": ("equivalent", "equivalent", "SQ403"),
    "other_fc": ("equivalent", "SQ403", "SQ403"),
    "plain_dict_method": ("SQ308", "equivalent", "SQ308"),
    "plain_outside": ("SQ308", "equivalent", "SQ308"),
    "plain_setattr": ("SQ308", "SQ403", "SQ308"),
    "pool_arg_opt": ("SQ204", "equivalent", "SQ204"),
    "reset": ("SQ403", "SQ403", "SQ403"),
    "semi_after_import": ("equivalent", "equivalent", "equivalent"),
    "semis2": ("SQ409", "unchanged", "SQ409"),
    "semis3": ("SQ409", "equivalent", "SQ409"),
    "set_drop_method": ("SQ204", "equivalent", "SQ204"),
    "set_method": ("SQ402", "SQ403", "SQ403"),
    "shared_pool_choice": ("SQ204", "equivalent", "SQ204"),
    "slope_shadow": ("SQ308", "unchanged", "SQ308"),
    "stmt_between_mut": ("equivalent", "equivalent", "equivalent"),
    "to_self2": ("SQ301", "equivalent", "SQ301"),
    "type_sub": ("SQ403", "SQ403", "SQ403"),
    "unflatten_regroup": ("equivalent", "equivalent", "equivalent"),
    "unpicklable": ("SQ006", "SQ006", "SQ006"),
    "view_T1": ("equivalent", "equivalent", "equivalent"),
    "view_hidden_arg": ("equivalent", "equivalent", "SQ403"),
}


@pytest.mark.parametrize("layout", ["flat", "grouped", "function"])
@pytest.mark.parametrize("name", EXPECTED)
def test_outcome(name: str, layout: str) -> None:
    expected = EXPECTED[name][["flat", "grouped", "function"].index(layout)]
    shape = "2,4,8" if name in ("shared_pool_choice", "pool_arg_opt") else "2,4"
    try:
        report = seqify.convert(
            f"{FOLDER}/{name}.py:Net", [shape], dtypes=[torch.float32], layout=layout, source="edit"
        )
        found = report.status
    except seqify.SeqifyError as error:
        found = error.diagnostic.code

    assert found == expected


def test_every_file_is_listed() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(EXPECTED)
