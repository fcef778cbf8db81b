"""Digests of tensors: of the numbers one shows, and of the memory behind it."""

from __future__ import annotations

import ctypes
import hashlib
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

__all__ = ["digest_of_memory", "digest_of_numbers"]


def digest_of_numbers(tensor: Tensor) -> str:
    """A digest of shape, dtype and bits; the strides do not matter."""
    with _disable_current_modes():
        dense = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
        dense = dense.resolve_conj().resolve_neg().cpu().contiguous()
        found = hashlib.sha256(f"{tuple(dense.shape)} {dense.dtype}".encode())
        found.update(_memory(dense.data_ptr(), dense.numel() * dense.element_size()))
        return found.hexdigest()[:32]


def digest_of_memory(tensor: Tensor) -> str:
    """A digest of all bytes of the storage that a tensor looks at; "" where it has none, on the meta device."""
    with _disable_current_modes():
        storage = tensor.detach().untyped_storage()
        if storage.device.type == "meta":
            return ""
        storage = storage.cpu()  # type: ignore[no-untyped-call]
        return hashlib.sha256(_memory(storage.data_ptr(), storage.nbytes())).hexdigest()[:32]


def _memory(address: int, size: int) -> Any:
    return (ctypes.c_char * size).from_address(address) if size else b""
