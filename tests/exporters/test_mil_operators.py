"""The reference executor's operators, each against NumPy; half precision exactly; rows that stay apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.runtimes.mil.operators import OPERATORS as TRANSLATED
from dermport.runtimes.mil.package import open_package
from dermport.runtimes.mil.program import Program, program_from_spec
from dermport.runtimes.mil.translation import onnx_from_program
from dermport.runtimes.quiet import import_coremltools, quiet

Array = NDArray[Any]


def built(function: Callable[..., Any], shapes: dict[str, tuple[int, ...]], half: bool, folder: Path) -> Program:
    """Save a program written with coremltools' builder, no pass applied, and read it back."""
    ct = import_coremltools()
    from coremltools.converters.mil import Builder as mb

    with quiet():
        specs = [mb.TensorSpec(shape=shape) for shape in shapes.values()]
        program = mb.program(input_specs=specs, opset_version=ct.target.iOS16)(function)
        saved = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS16,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.DEFAULT if half else ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        saved.save(str(folder / "built.mlpackage"))
    package = open_package(folder / "built.mlpackage")
    return program_from_spec(package, package.read_spec())


def run(program: Program, **inputs: Array) -> list[Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_from_program(program, program.outputs).model)
    return list(session.run(None, inputs))


def sliding(x: Array, size: int, stride: int, reduce: Callable[..., Array]) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    return reduce(windows, axis=(-2, -1))


def convolved(x: Array, weight: Array, stride: int = 1, groups: int = 1, dilation: int = 1) -> Array:
    """Convolution without padding, from its definition."""
    window = (weight.shape[2] - 1) * dilation + 1
    views = np.lib.stride_tricks.sliding_window_view(x, (window, window), axis=(2, 3))
    views = views[:, :, ::stride, ::stride, ::dilation, ::dilation]
    parts = zip(np.split(views, groups, axis=1), np.split(weight, groups, axis=0), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", v, w) for v, w in parts], axis=1)


def padded(x: Array, top: int, bottom: int, left: int, right: int, **how: Any) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), **how)


def stretched(x: Array, axis: int, size: int, *, corners: bool = False) -> Array:
    """Bilinear resizing of one axis, from its definition: between the middles of pixels, or the outermost ones."""
    length = x.shape[axis]
    places = np.linspace(0, length - 1, size) if corners else (np.arange(size) + 0.5) * length / size - 0.5
    return np.apply_along_axis(lambda line: np.interp(places, np.arange(length), line), axis, x)


ERF = np.vectorize(math.erf)
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(0, 3, (1, 4, 7, 7)).astype(np.float32)
FLAT = RANDOM.normal(0, 2, (1, 12)).astype(np.float32)
W3 = RANDOM.normal(0, 1, (6, 4, 3, 3)).astype(np.float32)
DEPTHWISE = RANDOM.normal(0, 1, (4, 1, 3, 3)).astype(np.float32)
DENSE = RANDOM.normal(0, 1, (5, 12)).astype(np.float32)
COLUMN = RANDOM.uniform(0.5, 2, (4,)).astype(np.float32)
BIAS = RANDOM.normal(0, 1, (6,)).astype(np.float32)

# Each: how coremltools' builder writes it, and what NumPy makes of the same.
OPERATORS: dict[str, tuple[Callable[[Any, Any, Any], Any], Callable[[], Array]]] = {
    "conv valid": (
        lambda mb, x, f: mb.conv(x=x, weight=W3, bias=BIAS, pad_type="valid", strides=[2, 2]),
        lambda: convolved(X, W3, 2) + BIAS[:, None, None],
    ),
    "conv same": (
        lambda mb, x, f: mb.conv(x=x, weight=W3, pad_type="same"),
        lambda: convolved(padded(X, 1, 1, 1, 1), W3),
    ),
    "conv same, uneven": (
        lambda mb, x, f: mb.conv(x=x, weight=W3[..., :2, :2], pad_type="same"),
        lambda: convolved(padded(X, 0, 1, 0, 1), W3[..., :2, :2]),
    ),
    "conv same_lower, uneven": (
        lambda mb, x, f: mb.conv(x=x, weight=W3[..., :2, :2], pad_type="same_lower"),
        lambda: convolved(padded(X, 1, 0, 1, 0), W3[..., :2, :2]),
    ),
    "conv custom": (
        lambda mb, x, f: mb.conv(x=x, weight=W3, pad_type="custom", pad=[2, 1, 0, 3], strides=[2, 2]),
        lambda: convolved(padded(X, 2, 1, 0, 3), W3, 2),
    ),
    "conv dilated": (
        lambda mb, x, f: mb.conv(x=x, weight=W3, pad_type="valid", dilations=[2, 2]),
        lambda: convolved(X, W3, dilation=2),
    ),
    "conv depthwise": (
        lambda mb, x, f: mb.conv(x=x, weight=DEPTHWISE, pad_type="valid", groups=4),
        lambda: convolved(X, DEPTHWISE, groups=4),
    ),
    "linear": (
        lambda mb, x, f: mb.linear(x=f, weight=DENSE, bias=BIAS[:5]),
        lambda: FLAT @ DENSE.T + BIAS[:5],
    ),
    "matmul": (lambda mb, x, f: mb.matmul(x=f, y=DENSE, transpose_y=True), lambda: FLAT @ DENSE.T),
    "batch_norm": (
        lambda mb, x, f: mb.batch_norm(
            x=x, mean=BIAS[:4], variance=COLUMN, gamma=COLUMN[::-1], beta=BIAS[1:5], epsilon=0.1
        ),
        lambda: (
            (X - BIAS[:4, None, None]) / np.sqrt(COLUMN[:, None, None] + 0.1) * COLUMN[::-1, None, None]
            + BIAS[1:5, None, None]
        ),
    ),
    "avg_pool": (
        lambda mb, x, f: mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
        lambda: sliding(padded(X, 1, 1, 1, 1), 3, 2, np.mean),
    ),
    "avg_pool without padding": (
        lambda mb, x, f: mb.avg_pool(
            x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="same", exclude_padding_from_average=True
        ),
        lambda: sliding(padded(X, 1, 1, 1, 1, constant_values=np.nan), 3, 2, np.nanmean),
    ),
    "max_pool": (
        lambda mb, x, f: mb.max_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid"),
        lambda: sliding(X, 2, 2, np.max),
    ),
    "add": (lambda mb, x, f: mb.add(x=x, y=COLUMN[:, None, None]), lambda: X + COLUMN[:, None, None]),
    "sub": (lambda mb, x, f: mb.sub(x=2.5, y=x), lambda: 2.5 - X),
    "mul": (lambda mb, x, f: mb.mul(x=x, y=x), lambda: X * X),
    "real_div": (lambda mb, x, f: mb.real_div(x=x, y=COLUMN[:, None, None]), lambda: X / COLUMN[:, None, None]),
    "maximum": (lambda mb, x, f: mb.maximum(x=x, y=0.5), lambda: np.maximum(X, 0.5)),
    "minimum": (lambda mb, x, f: mb.minimum(x=x, y=0.5), lambda: np.minimum(X, 0.5)),
    "relu": (lambda mb, x, f: mb.relu(x=x), lambda: np.maximum(X, 0)),
    "relu6": (lambda mb, x, f: mb.relu6(x=x), lambda: np.clip(X, 0, 6)),
    "clip": (lambda mb, x, f: mb.clip(x=x, alpha=-1.5, beta=2.0), lambda: np.clip(X, -1.5, 2)),
    "round": (lambda mb, x, f: mb.round(x=x), lambda: np.rint(X)),
    "sigmoid": (lambda mb, x, f: mb.sigmoid(x=x), lambda: 1 / (1 + np.exp(-X))),
    "tanh": (lambda mb, x, f: mb.tanh(x=x), lambda: np.tanh(X)),
    "leaky_relu": (lambda mb, x, f: mb.leaky_relu(x=x, alpha=0.2), lambda: np.where(X > 0, X, 0.2 * X)),
    "elu": (lambda mb, x, f: mb.elu(x=x, alpha=0.7), lambda: np.where(X > 0, X, 0.7 * np.expm1(X))),
    "prelu": (
        lambda mb, x, f: mb.prelu(x=x, alpha=COLUMN),
        lambda: np.where(X > 0, X, COLUMN[:, None, None] * X),
    ),
    "clamped_relu": (
        lambda mb, x, f: mb.clamped_relu(x=x, alpha=0.1, beta=2.0),
        lambda: np.minimum(2, np.where(X > 0, X, 0.1 * X)),
    ),
    "sigmoid_hard": (
        lambda mb, x, f: mb.sigmoid_hard(x=x, alpha=0.3, beta=0.4),
        lambda: np.clip(0.3 * X + 0.4, 0, 1),
    ),
    "silu": (lambda mb, x, f: mb.silu(x=x), lambda: X / (1 + np.exp(-X))),
    "gelu": (lambda mb, x, f: mb.gelu(x=x, mode="EXACT"), lambda: X / 2 * (1 + ERF(X / 2**0.5))),
    "gelu by tanh": (
        lambda mb, x, f: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda: X / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X**3))),
    ),
    "gelu by sigmoid": (
        lambda mb, x, f: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda: X / (1 + np.exp(-1.702 * X)),
    ),
    "scaled_tanh": (lambda mb, x, f: mb.scaled_tanh(x=x, alpha=1.5, beta=0.5), lambda: 1.5 * np.tanh(X / 2)),
    "linear_activation": (lambda mb, x, f: mb.linear_activation(x=x, alpha=0.3, beta=0.2), lambda: 0.3 * X + 0.2),
    "softplus": (lambda mb, x, f: mb.softplus(x=x), lambda: np.log1p(np.exp(X))),
    "softsign": (lambda mb, x, f: mb.softsign(x=x), lambda: X / (1 + np.abs(X))),
    "erf": (lambda mb, x, f: mb.erf(x=x), lambda: ERF(X)),
    "abs": (lambda mb, x, f: mb.abs(x=x), lambda: np.abs(X)),
    "ceil": (lambda mb, x, f: mb.ceil(x=x), lambda: np.ceil(X)),
    "floor": (lambda mb, x, f: mb.floor(x=x), lambda: np.floor(X)),
    "square": (lambda mb, x, f: mb.square(x=x), lambda: X * X),
    "rsqrt": (lambda mb, x, f: mb.rsqrt(x=mb.square(x=x), epsilon=0.1), lambda: (X * X + 0.1) ** -0.5),
    "inverse": (lambda mb, x, f: mb.inverse(x=mb.square(x=x), epsilon=0.1), lambda: 1 / (X * X + 0.1)),
    "log": (lambda mb, x, f: mb.log(x=mb.square(x=x), epsilon=0.1), lambda: np.log(X * X + 0.1)),
    "pow": (lambda mb, x, f: mb.pow(x=x, y=3.0), lambda: X**3),
    "exp": (lambda mb, x, f: mb.exp(x=x), lambda: np.exp(X)),
    "sqrt": (lambda mb, x, f: mb.sqrt(x=mb.mul(x=x, y=x)), lambda: np.abs(X)),
    "identity": (lambda mb, x, f: mb.identity(x=x), lambda: X),
    "softmax": (
        lambda mb, x, f: mb.softmax(x=x, axis=1),
        lambda: np.exp(X) / np.exp(X).sum(axis=1, keepdims=True),
    ),
    "reduce_mean": (lambda mb, x, f: mb.reduce_mean(x=x, axes=[-1, 2]), lambda: X.mean(axis=(2, 3))),
    "reduce_sum": (
        lambda mb, x, f: mb.reduce_sum(x=x, axes=[1], keep_dims=True),
        lambda: X.sum(axis=1, keepdims=True),
    ),
    "reduce_max": (lambda mb, x, f: mb.reduce_max(x=x, axes=[3]), lambda: X.max(axis=3)),
    "pad": (
        lambda mb, x, f: mb.pad(x=x, pad=[0, 1, 2, 0], mode="constant", constant_val=1.5),
        lambda: padded(X, 0, 1, 2, 0, constant_values=1.5),
    ),
    "pad reflect": (
        lambda mb, x, f: mb.pad(x=x, pad=[1, 2, 2, 1], mode="reflect"),
        lambda: padded(X, 1, 2, 2, 1, mode="reflect"),
    ),
    "pad replicate": (
        lambda mb, x, f: mb.pad(x=x, pad=[1, 2, 2, 1], mode="replicate"),
        lambda: padded(X, 1, 2, 2, 1, mode="edge"),
    ),
    "reduce_min": (lambda mb, x, f: mb.reduce_min(x=x, axes=[2]), lambda: X.min(axis=2)),
    "slice_by_index": (
        lambda mb, x, f: mb.slice_by_index(
            x=x,
            begin=[0, 1, -1, 0],
            end=[1, 3, 0, 5],
            stride=[1, 1, -2, 2],
            begin_mask=[True, False, False, False],
            end_mask=[True, False, True, False],
        ),
        lambda: X[:, 1:3, ::-2, 0:5:2],
    ),
    "slice_by_index and squeeze": (
        lambda mb, x, f: mb.slice_by_index(
            x=x,
            begin=[0, -1, 0, 2],
            end=[0, 0, 0, 3],
            begin_mask=[True, False, True, False],
            end_mask=[True, False, True, False],
            squeeze_mask=[False, True, False, True],
        ),
        lambda: X[:, -1, :, 2],
    ),
    "slice_by_size": (
        lambda mb, x, f: mb.slice_by_size(x=x, begin=[0, 1, 2, 0], size=[1, 2, -1, 7]),
        lambda: X[:, 1:3, 2:],
    ),
    "split": (
        lambda mb, x, f: mb.concat(values=mb.split(x=x, num_splits=2, axis=1)[::-1], axis=1),
        lambda: np.concatenate([X[:, 2:], X[:, :2]], axis=1),
    ),
    "split by sizes": (
        lambda mb, x, f: mb.split(x=x, split_sizes=[2, 4, 1], axis=-1)[1],
        lambda: X[..., 2:6],
    ),
    "upsample_nearest_neighbor": (
        lambda mb, x, f: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        lambda: X.repeat(2, axis=2).repeat(3, axis=3),
    ),
    "upsample_bilinear": (
        lambda mb, x, f: mb.upsample_bilinear(
            x=x, scale_factor_height=2.0, scale_factor_width=2.0, align_corners=False
        ),
        lambda: stretched(stretched(X, 2, 14), 3, 14),
    ),
    "upsample_bilinear to corners": (
        lambda mb, x, f: mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=2.0, align_corners=True),
        lambda: stretched(stretched(X, 2, 14, corners=True), 3, 14, corners=True),
    ),
    "resize_bilinear": (
        lambda mb, x, f: mb.resize_bilinear(
            x=x, target_size_height=14, target_size_width=21, sampling_mode="UNALIGN_CORNERS"
        ),
        lambda: stretched(stretched(X, 2, 14), 3, 21),
    ),
    "transpose": (lambda mb, x, f: mb.transpose(x=x, perm=[0, 2, 3, 1]), lambda: X.transpose(0, 2, 3, 1)),
    "reshape": (lambda mb, x, f: mb.reshape(x=x, shape=[1, 7, -1]), lambda: X.reshape(1, 7, -1)),
    "expand_dims": (lambda mb, x, f: mb.expand_dims(x=f, axes=[1, -1]), lambda: FLAT[:, None, :, None]),
    "squeeze": (lambda mb, x, f: mb.squeeze(x=mb.expand_dims(x=f, axes=[1, 3]), axes=[1, 3]), lambda: FLAT),
    "concat": (lambda mb, x, f: mb.concat(values=[x, X], axis=1), lambda: np.concatenate([X, X], axis=1)),
    "cast": (
        lambda mb, x, f: mb.cast(x=mb.cast(x=x, dtype="int32"), dtype="fp32"),
        lambda: np.trunc(X),
    ),
}


@pytest.fixture(scope="module")
def operator_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    """All operators in one program, executed once."""
    from coremltools.converters.mil import Builder as mb

    def everything(x: Any, f: Any) -> Any:
        return tuple(write(mb, x, f) for write, _ in OPERATORS.values())

    program = built(everything, {"x": X.shape, "f": FLAT.shape}, False, tmp_path_factory.mktemp("operators"))
    tested = {operation.type for operation in program.operations}
    assert tested == {name.split()[0] for name in OPERATORS} == set(TRANSLATED) - {"classify"}
    return dict(zip(OPERATORS, run(program, x=X, f=FLAT), strict=True))


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_is_what_numpy_makes_of_it(name: str, operator_results: dict[str, Array]) -> None:
    expected = OPERATORS[name][1]()
    assert operator_results[name].shape == expected.shape
    np.testing.assert_allclose(operator_results[name], expected, rtol=2e-5, atol=2e-5)


def test_half_precision_rounds_after_every_operation(tmp_path: Path) -> None:
    from coremltools.converters.mil import Builder as mb

    def steps(x: Any, y: Any) -> Any:
        return mb.add(x=mb.mul(x=mb.add(x=x, y=y), y=x), y=mb.mul(x=y, y=y))

    x = np.random.default_rng(0).normal(0, 40, (64, 64)).astype(np.float32)
    y = np.random.default_rng(1).normal(0, 0.02, (64, 64)).astype(np.float32)
    x[0, 0], y[0, 0] = 300, 0
    (result,) = run(built(steps, {"x": x.shape, "y": y.shape}, True, tmp_path), x=x, y=y)
    with np.errstate(over="ignore"):  # NumPy rounds each float16 operation once, as IEEE 754 asks
        a, b = x.astype(np.float16), y.astype(np.float16)
        expected = (a + b) * a + b * b
        rounded_at_the_end = ((a.astype(np.float32) + b) * a + b.astype(np.float32) * b).astype(np.float16)
    assert np.isinf(expected[0, 0]), "beyond 65504"
    np.testing.assert_array_equal(result, expected.astype(np.float32))
    assert (rounded_at_the_end != expected).mean() > 0.1, "the photo must tell the two apart"


@pytest.mark.parametrize(
    ("mixes", "write"),
    [
        (False, lambda mb, x: mb.reshape(x=mb.reduce_mean(x=x, axes=[2]), shape=[1, 12])),
        (False, lambda mb, x: mb.softmax(x=mb.transpose(x=x, perm=[0, 2, 1]), axis=-1)),
        (True, lambda mb, x: mb.reduce_mean(x=x, axes=[0])),
        (True, lambda mb, x: mb.softmax(x=x, axis=0)),
        (True, lambda mb, x: mb.reshape(x=x, shape=[2, 30])),
        (True, lambda mb, x: mb.concat(values=[x, np.ones((1, 12, 5), np.float32)], axis=1)),
        (True, lambda mb, x: mb.add(x=x, y=mb.expand_dims(x=x, axes=[0]))),
        (True, lambda mb, x: mb.squeeze(x=x, axes=[0])),
        (True, lambda mb, x: mb.transpose(x=x, perm=[1, 0, 2])),
        (True, lambda mb, x: mb.matmul(x=x, y=x, transpose_y=True)),
    ],
)
def test_photos_share_a_run_only_where_rows_stay_apart(
    mixes: bool, write: Callable[[Any, Any], Any], tmp_path: Path
) -> None:
    import onnxruntime
    from coremltools.converters.mil import Builder as mb

    program = built(lambda x: write(mb, x), {"x": (1, 12, 5)}, False, tmp_path)
    translation = onnx_from_program(program, program.outputs)
    assert translation.by_row is not mixes
    if not mixes:
        x = RANDOM.normal(size=(3, 12, 5)).astype(np.float32)
        session = onnxruntime.InferenceSession(translation.model)
        singly = [session.run(None, {"x": row[None]})[0] for row in x]
        np.testing.assert_allclose(session.run(None, {"x": x})[0], np.concatenate(singly), rtol=1e-6)
