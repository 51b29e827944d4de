"""Who may ask what: a key's scopes against the scope that a view asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

Scope = Literal["predict", "compare", "admin"]
SCOPES: tuple[Scope, ...] = ("predict", "compare", "admin")
_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_scope"


def requires(scope: Scope) -> Callable[[_View], _View]:
    """Mark a view as open only to keys with `scope`; without a mark a view is open to everybody.

    The mark is read before the request's body is, and survives ``functools.wraps``, so it may stand above or below
    the route's own decorators::

        @api.post("/v1/predict")
        @requires("predict")
        def predict() -> Response: ...
    """

    def mark(view: _View) -> _View:
        setattr(view, _MARK, scope)
        return view

    return mark
