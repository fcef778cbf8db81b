"""Digests of numbers and of memory."""

from __future__ import annotations

import pytest
import torch

from seqify.proof.digests import digest_of_memory, digest_of_numbers

X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "same",
    [X.clone(), X.t().contiguous().t(), torch.stack([X, X])[0], X.requires_grad_(False), X.to_sparse()],
    ids=["copy", "strides", "offset", "detached", "sparse"],
)
def test_numbers_do_not_depend_on_the_memory(same):
    assert digest_of_numbers(same) == digest_of_numbers(X)


@pytest.mark.parametrize(
    "other",
    [X + 1, X.t(), X.reshape(3, 2), X.double(), X.flatten(), X.view(torch.int32), X * torch.tensor(-1.0), X.half()],
)
def test_other_numbers(other):
    assert digest_of_numbers(other) != digest_of_numbers(X)


def test_signed_zeros_and_nans_are_told_apart():
    zeros = torch.zeros(2)

    assert digest_of_numbers(zeros) != digest_of_numbers(-zeros)
    assert digest_of_numbers(zeros / 0) == digest_of_numbers(zeros / 0)


def test_lazy_conjugation_is_resolved():
    value = torch.tensor([1 + 2j])

    assert digest_of_numbers(value.conj()) == digest_of_numbers(torch.tensor([1 - 2j]))


def test_memory_is_all_that_lies_behind_a_tensor():
    assert digest_of_memory(X[0]) == digest_of_memory(X) == digest_of_memory(X.t())
    assert digest_of_memory(X[0].clone()) != digest_of_memory(X)
    assert digest_of_memory(X.to("meta")) == ""
    assert digest_of_memory(torch.empty(0)) == digest_of_memory(torch.empty(0, 3))
