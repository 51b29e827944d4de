"""What a Keras model computes, layer by layer, and where it is rounded to int8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dermport.errors import BundleError

if TYPE_CHECKING:
    import keras

LOW, HIGH = -128, 127
REMEDY = "Make the bundle again from its parent; a quantised model is not to be edited."
_DIVISIONS, _CLIP, _ROUND, _MULTIPLY = ("TrueDivide", "Divide"), ("Clip",), ("Round",), ("Multiply",)
_KEEPING = ("ZeroPadding2D", "Dropout", "Identity")  # what gives the codes that it was given, or zeros


@dataclass(frozen=True)
class Edge:
    """A tensor as its reader gets it.

    Attributes:
        name: The layer that produced it.
        quantised: Whether it was rounded to int8 on its way.
    """

    name: str
    quantised: bool = False


@dataclass(frozen=True)
class TracedLayer:
    """A layer of the model (of a copy of it, whose weights are not to be read) with what it reads."""

    layer: Any
    inputs: tuple[Edge, ...]

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class, e.g. ``"DepthwiseConv2D"``."""
        return type(self.layer).__name__


@dataclass
class Trace:
    """A functional model's layers in the order in which they run.

    Attributes:
        steps: The layers, without the operations that round.
        scales: The scale of each tensor that is rounded to int8, by the layer that produces it.
        roundings: The names of the operations that do nothing but round.
    """

    steps: list[TracedLayer] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)
    roundings: set[str] = field(default_factory=set)
    _edges: dict[int, Edge] = field(default_factory=dict)
    _writers: dict[int, tuple[Any, tuple[Any, ...]]] = field(default_factory=dict)
    _results: list[Any] = field(default_factory=list)  # kept, so that no id is given to another tensor

    @classmethod
    def of(cls, model: keras.Model) -> Trace:
        """Follow `model` from its input to its output.

        Raises:
            BundleError: Rounding that is not a whole chain, or a tensor that is read both rounded and unrounded.
        """
        import keras

        trace = cls()
        keras.models.clone_model(model, call_function=trace._call)
        trace._check()
        return trace

    def _call(self, operation: Any, *inputs: Any, **options: Any) -> Any:
        result = operation(*inputs, **options)
        self._results.append((inputs, result))
        self._writers[id(result)] = (operation, inputs)
        if not self._ends_chain(operation, inputs, result):
            self._add(operation, inputs, result)
        return result

    def _ends_chain(self, operation: Any, inputs: tuple[Any, ...], result: Any) -> bool:
        """Note the rounding that a multiplication ends; false where it is none."""
        clip, clipped = self._before(operation, inputs, _MULTIPLY)
        rounding, rounded = self._before(clip, clipped, _CLIP)
        division, divided = self._before(rounding, rounded, _ROUND)
        if not _is(division, _DIVISIONS) or (clip.x_min, clip.x_max) != (LOW, HIGH) or divided[1] != inputs[1]:
            return False
        edge = self._edge(divided[0])
        if edge.quantised or edge.name in self.scales:
            raise BundleError(f"What the layer {edge.name} gives is quantised twice.", remedy=REMEDY)
        self.scales[edge.name] = float(inputs[1])
        self.roundings |= {step.name for step in (division, rounding, clip, operation)}
        self._edges[id(result)] = Edge(edge.name, quantised=True)
        return True

    def _before(self, operation: Any, inputs: tuple[Any, ...], kind: tuple[str, ...]) -> tuple[Any, tuple[Any, ...]]:
        """Return what writes the first input of an operation of that kind; (None, ()) of another kind."""
        return self._writers.get(id(inputs[0]), (None, ())) if _is(operation, kind) else (None, ())

    def _add(self, operation: Any, inputs: tuple[Any, ...], result: Any) -> None:
        import keras

        tensors = [tensor for tensor in keras.tree.flatten(inputs) if keras.backend.is_keras_tensor(tensor)]
        step = TracedLayer(operation, tuple(self._edge(tensor) for tensor in tensors))
        self.steps.append(step)
        self._edges[id(result)] = step.inputs[0] if step.kind in _KEEPING else Edge(step.name)

    def _edge(self, tensor: Any) -> Edge:
        return self._edges.get(id(tensor), Edge(str(tensor.name)))  # an input has its own name

    def _check(self) -> None:
        self.steps = [step for step in self.steps if step.name not in self.roundings]
        for step in self.steps:
            if _is(step.layer, _ROUND):
                raise BundleError(
                    f"The rounding {step.name} is no whole chain of divide, round, clip, multiply.", remedy=REMEDY
                )
            for edge in step.inputs:
                if edge.name in self.scales and not edge.quantised and step.kind not in _KEEPING:
                    raise BundleError(
                        f"The layer {step.name} reads {edge.name} unrounded, others read it rounded.", remedy=REMEDY
                    )


def rounds(model: keras.Model) -> bool:
    """Return whether anything in a model is rounded."""
    return any(_is(operation, _ROUND) for operation in getattr(model, "operations", ()))


def _is(operation: Any, kinds: tuple[str, ...]) -> bool:
    return type(operation).__name__ in kinds
