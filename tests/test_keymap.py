"""The key map."""

from __future__ import annotations

import json
from collections import OrderedDict

import pytest
import torch
from torch import nn

from seqify.errors import CannotAsk
from seqify.keymap import KeyMap, make_keymap


def old() -> nn.Module:
    return nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), fc2=nn.Linear(4, 2), fc1=nn.Linear(4, 4))
    )


def new() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
            layers=nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)),
        )
    )


RENAMES = {"conv1": "features.0", "bn": "features.1", "fc1": "layers.0", "fc2": "layers.2"}


@pytest.fixture
def keymap() -> KeyMap:
    return make_keymap(old(), new(), RENAMES)


def test_every_key_of_the_new_state_dict_is_there_in_its_order(keymap):
    assert list(keymap.keys) == list(new().state_dict())
    assert keymap.keys["features.1.running_mean"] == "bn.running_mean"
    assert keymap.keys["layers.0.weight"] == "fc1.weight"


def test_parameter_order_gives_old_positions(keymap):
    assert keymap.parameter_order == (0, 1, 2, 3, 6, 7, 4, 5)
    assert keymap.parameters[0][4] == "fc2.weight"
    assert keymap.parameters[1][4] == "layers.0.weight"


def test_optimizer_state_moves_by_parameter_order(keymap):
    first, second = old(), new()
    second.load_state_dict(keymap.apply(first.state_dict()))
    old_parameters, new_parameters = list(first.parameters()), list(second.parameters())

    for position, origin in enumerate(keymap.parameter_order):
        assert torch.equal(new_parameters[position], old_parameters[origin])


def test_apply_loads_strictly(keymap):
    state = old().state_dict()
    result = keymap.apply(state)

    assert isinstance(result, OrderedDict)
    new().load_state_dict(result, strict=True)
    assert result["layers.0.weight"] is state["fc1.weight"]


def test_metadata_moves_along(keymap):
    """BatchNorm reads its version there; without it `num_batches_tracked` would be set anew."""
    result = keymap.apply(old().state_dict())

    assert result._metadata["features.1"] == {"version": 2}
    assert "bn" not in result._metadata
    assert "" in result._metadata


def test_metadata_is_not_needed(keymap):
    assert not hasattr(keymap.apply(dict(old().state_dict())), "_metadata")


def test_invert_is_the_way_back(keymap):
    state = old().state_dict()
    back = keymap.invert().apply(keymap.apply(state))

    assert {name: id(value) for name, value in back.items()} == {name: id(value) for name, value in state.items()}
    old().load_state_dict(back, strict=True)
    assert keymap.invert().invert() == keymap


def test_inverted_orders_undo_each_other(keymap):
    there, back = keymap.parameter_order, keymap.invert().parameter_order

    assert [there[position] for position in back] == list(range(8))


def test_renamed_lists_what_changes():
    layers = nn.Sequential(OrderedDict(fc=nn.Linear(2, 2), out=nn.Linear(2, 2)))
    keymap = make_keymap(layers, nn.Sequential(OrderedDict(fc=nn.Linear(2, 2), head=nn.Linear(2, 2))), {"out": "head"})

    assert keymap.renamed == {"head.weight": "out.weight", "head.bias": "out.bias"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bn.weight"), "the state_dict has no `bn.weight`"),
        (lambda state: state.update(extra=1), "the state_dict has `extra`, which the key map does not know"),
        (lambda state: state.update({f"module.{key}": state.pop(key) for key in list(state)}),
         "the state_dict has no `bn.bias`"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_class(keymap, change, message):
    state = dict(old().state_dict())
    change(state)
    with pytest.raises(CannotAsk) as error:
        keymap.apply(state)

    assert (error.value.diagnostic.code, error.value.diagnostic.message) == ("SQ608", message)
    assert error.value.diagnostic.help == "is it a checkpoint of this class?"


def test_a_key_without_partner():
    with pytest.raises(CannotAsk, match="SQ608 weights-unmatched: no partner for `elsewhere.0.bias`"):
        make_keymap(old(), new(), {**RENAMES, "conv1": "elsewhere.0"})


def test_a_prefix_is_a_whole_name():
    """`fc1` is not a part of `fc10`."""
    before = nn.Sequential(OrderedDict(fc1=nn.Linear(2, 2), fc10=nn.Linear(2, 2)))
    after = nn.Sequential(OrderedDict(head=nn.Linear(2, 2), fc10=nn.Linear(2, 2)))

    assert make_keymap(before, after, {"fc1": "head"}).keys["fc10.weight"] == "fc10.weight"


def test_tied_weights_keep_both_keys():
    def tied(*names: str) -> nn.Module:
        made = nn.Sequential(OrderedDict((name, nn.Linear(2, 2)) for name in names))
        made[1].weight = made[0].weight
        return made

    keymap = make_keymap(tied("a", "b"), tied("c", "d"), {"a": "c", "b": "d"})

    assert keymap.keys == {"c.weight": "a.weight", "c.bias": "a.bias", "d.weight": "b.weight", "d.bias": "b.bias"}
    assert keymap.parameter_order == (0, 1, 2)


def test_unsaved_buffers_are_known_by_name():
    def made(name: str) -> nn.Module:
        inner = nn.Module()
        inner.register_buffer("grid", torch.ones(2), persistent=False)
        return nn.Sequential(OrderedDict([(name, inner)]))

    keymap = make_keymap(made("a"), made("b"), {"a": "b"})

    assert keymap.keys == {}
    assert keymap.tensors == {"b.grid": "a.grid"}


def test_json(keymap):
    content = json.loads(keymap.to_json())

    assert content["schema"] == "seqify/1"
    assert content["keymap"] == dict(keymap.keys)
    assert content["parameter_order"] == list(keymap.parameter_order)
    assert content["shapes"]["layers.2.weight"] == [2, 4]
    assert content["buffers"]["old"][0] == "bn.running_mean"
    assert keymap.to_json().endswith("}\n")
