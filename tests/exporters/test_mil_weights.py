"""The reference executor's weights: every form of compression decodes as coremltools does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermport.runtimes.mil import weights
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.mil.values import unpack_bits
from dermport.runtimes.quiet import import_coremltools, quiet


@pytest.mark.parametrize("precision", ["int8", "palette4"])
def test_weights_decode_as_coremltools_decodes_them(
    precision: str, mlpackages: dict[str, Path], tmp_path: Path
) -> None:
    ct = import_coremltools()
    with quiet():
        saved = ct.models.MLModel(str(mlpackages[precision]), skip_model_load=True)
        ct.optimize.coreml.decompress_weights(saved).save(str(tmp_path / "plain.mlpackage"))
    program, plain = read_program(mlpackages[precision])[0], read_program(tmp_path / "plain.mlpackage")[0]
    assert any(count.type.startswith("constexpr") for count in program.counts)
    assert not any(count.type.startswith("constexpr") for count in plain.counts)
    for mine, theirs in zip(program.operations, plain.operations, strict=True):
        assert mine.type == theirs.type
        if mine.type in {"conv", "linear"}:
            weight = program.constants[mine.inputs["weight"][0]]
            assert weight.dtype == np.float16
            np.testing.assert_array_equal(weight, plain.constants[theirs.inputs["weight"][0]])


def test_every_form_of_compression_decodes_as_coremltools_defines_it() -> None:
    import_coremltools()
    from coremltools.converters.mil.mil.ops.defs.iOS16 import constexpr_ops as ios16
    from coremltools.converters.mil.mil.ops.defs.iOS18 import compression as ios18
    from coremltools.optimize import _utils as packing

    random = np.random.default_rng(5)
    data = random.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8)
    scale, zero = random.uniform(0.01, 0.1, 4).astype(np.float16), random.integers(-5, 5, 4).astype(np.int8)
    given = {"quantized_data": data, "scale": scale, "zero_point": zero, "axis": np.array(1)}
    theirs = ios16.constexpr_affine_dequantize.decompress(data, zero, scale, 1)
    np.testing.assert_array_equal(weights.affine_dequantize(given)[0], theirs)

    for bits in (1, 2, 4, 6, 8):
        lut, indices = random.normal(size=1 << bits).astype(np.float16), random.integers(0, 1 << bits, 37)
        packed = packing.pack_elements_into_bits(indices.astype(np.uint8), bits)
        given = {"lut": lut, "indices": packed, "shape": np.array([37], np.uint32)}
        np.testing.assert_array_equal(weights.lut_to_dense(given)[0], lut[indices])

    mask = random.random((5, 7)) < 0.4
    values = random.normal(size=mask.sum()).astype(np.float16)
    given = {"nonzero_data": values, "mask": np.packbits(mask, bitorder="little"), "shape": np.array([5, 7])}
    dense = np.zeros((5, 7), np.float16)
    dense[mask] = values
    np.testing.assert_array_equal(weights.sparse_to_dense(given)[0], dense)
    given = {"nonzero_data": values, "mask": mask.astype(np.uint8)}
    np.testing.assert_array_equal(weights.sparse_to_dense(given)[0], dense)

    blocks, offset = random.uniform(0.01, 0.1, (3, 2, 1, 1)).astype(np.float16), np.full((3, 2, 1, 1), 3, np.int8)
    theirs = ios18.constexpr_blockwise_shift_scale.decompress(data, blocks, offset)
    mine = weights.blockwise_shift_scale({"data": data, "scale": blocks, "offset": offset})[0]
    np.testing.assert_array_equal(mine, theirs)

    for vector, axis in ((1, None), (2, 0), (3, -1)):
        indices, lut = random.integers(0, 4, (6, 4)), random.normal(size=(3, 2, 4, vector)).astype(np.float16)
        given = {"indices": indices.astype(np.uint8), "lut": lut} | (
            {} if axis is None else {"vector_axis": np.array(axis)}
        )
        theirs = ios18.constexpr_lut_to_dense.decompress(given["indices"], lut, axis)
        np.testing.assert_array_equal(weights.lut_to_dense(given)[0], theirs)

    sparse = (random.random((6, 4)) < 0.5).astype(np.uint8)
    indices, lut = random.integers(0, 4, int(sparse.sum())).astype(np.uint8), random.normal(size=(1, 1, 4, 1))
    theirs = ios18.constexpr_lut_to_sparse.decompress(sparse, indices, lut.astype(np.float16), None)
    mine = weights.lut_to_sparse(
        {"indices_mask": sparse, "indices_nonzero_data": indices, "lut": lut.astype(np.float16)}
    )
    for ours, reference in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(ours, reference)

    scale, numbers = blocks[:, :, 0, 0], random.integers(-7, 8, int(sparse.sum())).astype(np.int8)
    theirs = ios18.constexpr_sparse_blockwise_shift_scale.decompress(sparse, numbers, scale, None)
    mine = weights.sparse_blockwise_shift_scale({"data_mask": sparse, "nonzero_data": numbers, "scale": scale})
    for ours, reference in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(ours, reference)


def test_bits_are_unpacked_from_the_lowest_on() -> None:
    np.testing.assert_array_equal(unpack_bits(bytes([0b01_10_11_00, 0b11]), 2, 5), [0, 3, 2, 1, 3])
    np.testing.assert_array_equal(unpack_bits(bytes([0b11_000001, 0b0000_1111]), 6, 2), [1, 0b111111])
