"""Which GPU this machine has, asked of the CUDA driver itself (no CUDA toolkit and no Python package is needed)."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from dermport.errors import UnavailableError

# CUdevice_attribute in cuda.h (docs.nvidia.com/cuda/cuda-driver-api, "Data types used by CUDA driver")
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver names it.

    Attributes:
        name: E.g. ``"Orin"``.
        compute_capability: Its architecture, e.g. ``"8.7"``; engines run on no other.
    """

    name: str
    compute_capability: str


def first_gpu() -> Gpu:
    """Return the first GPU.

    Raises:
        UnavailableError: There is no CUDA driver, or it finds no GPU.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise UnavailableError("This machine has no CUDA driver (libcuda.so.1).") from error
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    _check(driver.cuInit(0), "cuInit")
    _check(driver.cuDeviceGet(ctypes.byref(device), 0), "cuDeviceGet")
    _check(driver.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
    major, minor = (_attribute(driver, number, device) for number in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR))
    return Gpu(name.value.decode(), f"{major}.{minor}")


def _attribute(driver: ctypes.CDLL, number: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    _check(driver.cuDeviceGetAttribute(ctypes.byref(value), number, device), "cuDeviceGetAttribute")
    return value.value


def _check(status: int, call: str) -> None:
    if status:
        raise UnavailableError(f"The CUDA driver finds no GPU ({call} returned {status}).")
