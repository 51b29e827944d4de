"""A ``tensorrt`` module whose every name and signature is the real bindings', and whose objects need no GPU.

NVIDIA's bindings import without a GPU, and all that can be known of their API is in them: classes, properties, enum
members, and each method's signature, which pybind11 writes into its docstring. What they cannot do is make a Builder
or an engine. So those classes are replaced by doubles that take every attribute access and every call to the real
class: a name that it lacks is an AttributeError, a call that none of its signatures accepts is a TypeError, and what
a call returns is of the type that the signature promises. Everything else (enums, loggers) is the real thing.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NATIVE = (
    "Builder",
    "INetworkDefinition",
    "IBuilderConfig",
    "IOptimizationProfile",
    "OnnxParser",
    "Runtime",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ITimingCache",
    "ITensor",
    "ILayer",
)
_SPECIAL = ("__len__", "__getitem__", "__enter__", "__exit__")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature; `kind` is the type as pybind11 spells it."""

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True)
class Signature:
    """One overload of a method, without self."""

    parameters: tuple[Parameter, ...]
    returns: str


def signatures(name: str, doc: str) -> list[Signature]:
    """Read the signatures in a pybind11 docstring."""
    found = re.findall(rf"^(?:\d+\. )?{re.escape(name)}\((.*)\) -> (.+)$", doc, re.MULTILINE)
    return [
        Signature(tuple(_parameter(text) for text in _split(inside)[1:]), returns.strip()) for inside, returns in found
    ]


def _split(text: str) -> list[str]:
    """Split at the commas that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(<{") - (character in "])>}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _parameter(text: str) -> Parameter:
    name, _, rest = text.partition(": ")
    kind, has_default, _ = rest.partition(" = ")
    return Parameter(name, kind.strip(), bool(has_default))


class Double:
    """The base of every double; `_trt` is the module it belongs to, `_real` the class that it stands for."""

    _trt: TensorRT
    _real: type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "values", {})
        if args or kwargs:
            self._trt.bind(self._real.__name__, "__init__", self._real.__init__.__doc__ or "", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._real, name)  # AttributeError where the real class has no such name
        where = f"{self._real.__name__}.{name}"
        if isinstance(member, property):
            return self._trt.read(self, where, member)
        return lambda *args, **kwargs: self._trt.call(self, where, member, args, kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        member = getattr(self._real, name)
        if not isinstance(member, property) or member.fset is None:
            raise AttributeError(f"{self._real.__name__}.{name} cannot be set")
        self._trt.record(f"{self._real.__name__}.{name}=", value)
        self.values[name] = value


class Memory(Double, bytes):
    """IHostMemory: its buffer is these bytes."""

    def __init__(self, *_: Any) -> None:
        object.__setattr__(self, "values", {})


class TensorRT(types.ModuleType):
    """The double of the module.

    Args:
        real: The real bindings.
        answers: ``"Class.member"`` to what it gives: a value, or a function of the object and the arguments.

    Attributes:
        calls: Every name that was touched, with the arguments of calls, in order.
    """

    def __init__(self, real: types.ModuleType, answers: dict[str, Any]) -> None:
        super().__init__("tensorrt")
        self.real, self.answers, self.calls = real, answers, []
        self.__version__ = real.__version__
        self.doubles = {name: self._double(name) for name in NATIVE}

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__["doubles"].get(name) or getattr(self.__dict__["real"], name)
        if not name.startswith("__"):
            self.record(name)
        return value

    def make(self, name: str, *args: Any) -> Any:
        """Return a double of a native class without asking for its constructor."""
        double = self.doubles[name].__new__(self.doubles[name], *args)
        object.__setattr__(double, "values", {})
        return double

    def record(self, name: str, *args: Any) -> None:
        """Remember that a name was touched."""
        self.calls.append((name, args))

    def read(self, owner: Double, where: str, member: property) -> Any:
        """Return a property: what was set, else its answer, else a value of its type."""
        self.record(where)
        name = where.partition(".")[2]
        if name in owner.values:
            return owner.values[name]
        returns = (member.fget.__doc__ or "").rpartition("-> ")[2].strip()
        return self._answer(owner, where, (), returns)

    def call(self, owner: Double, where: str, member: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Hold a call against the method's signatures and return what it gives."""
        class_name, _, name = where.partition(".")
        bound, returns = self.bind(class_name, name, member.__doc__ or "", args, kwargs)
        return self._answer(owner, where, bound, returns)

    def bind(
        self, class_name: str, name: str, doc: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], str]:
        """Return the arguments in the order of the first signature that accepts them, and what that returns."""
        reasons = []
        known = signatures(name, doc)
        for signature in known:
            try:
                bound = self._bound(signature, args, kwargs)
            except TypeError as reason:
                reasons.append(str(reason))
            else:
                self.record(f"{class_name}.{name}", *bound)
                return bound, signature.returns
        raise TypeError(f"{class_name}.{name}{args}{kwargs or ''}: {'; '.join(reasons) or 'it has no signature'}")

    def _bound(self, signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        names = [parameter.name for parameter in signature.parameters]
        if len(args) > len(names) or set(kwargs) - set(names[len(args) :]):
            raise TypeError(f"takes {names}")
        given = dict(zip(names, args, strict=False)) | kwargs
        for parameter in signature.parameters:
            if parameter.name not in given and not parameter.optional:
                raise TypeError(f"lacks {parameter.name}")
            if parameter.name in given and not self._accepts(parameter.kind, given[parameter.name]):
                raise TypeError(f"{parameter.name} is no {parameter.kind}: {given[parameter.name]!r}")
        return tuple(given[name] for name in names if name in given)

    def _accepts(self, kind: str, value: Any) -> bool:
        if named := re.fullmatch(r"tensorrt\.tensorrt\.(\w+)|nv\w+::(?:v_1_0::)?(\w+)", kind):
            return self._is_a(named[1] or named[2], value)
        return _PLAIN[kind](value)  # KeyError: a type that nobody has thought about yet

    def _is_a(self, name: str, value: Any) -> bool:
        if name == "Dims" and _is_ints(value):  # pybind11 converts sequences of integers
            return True
        return isinstance(value, (self.doubles.get(name, ()), getattr(self.real, name)))

    def _answer(self, owner: Double, where: str, args: tuple[Any, ...], returns: str) -> Any:
        if where in self.answers:
            answer = self.answers[where]
            return answer(owner, *args) if callable(answer) else answer
        name = returns.rpartition(".")[2]
        if name in NATIVE:
            return self.make(name)
        return {"bool": True, "int": 0, "str": "", "float": 0.0}.get(returns)

    def _double(self, name: str) -> type:
        real = getattr(self.real, name)
        base = Memory if name == "IHostMemory" else Double
        special = {item: _special(item) for item in _SPECIAL if item in dir(real) and not hasattr(base, item)}
        special |= {item: _special(item) for item in ("__enter__", "__exit__") if item in dir(real)}
        return type(name, (base,), {"_trt": self, "_real": real, **special})


def _special(item: str) -> Callable[..., Any]:
    def method(self: Double, *args: Any) -> Any:
        where = f"{self._real.__name__}.{item}"
        self._trt.record(where)
        if item == "__enter__":
            return self
        answer = self._trt.answers.get(where)
        return answer(self, *args) if callable(answer) else answer

    return method


def _is_ints(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(hasattr(item, "__index__") for item in value)


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _is_int(value: Any) -> bool:
    return hasattr(value, "__int__")


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "typing.SupportsInt": _is_int,
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "tuple": lambda value: isinstance(value, tuple),
    "list": lambda value: isinstance(value, list),
    "List[int]": _is_ints,
    "buffer": _is_buffer,
    "typing_extensions.Buffer": _is_buffer,
    "object": lambda _: True,
}
