"""What stands behind Flask's proxies: to look through one takes longer than most of what is asked of it."""

from __future__ import annotations

from typing import TypeVar, cast

_Proxied = TypeVar("_Proxied")


def plain(proxy: _Proxied) -> _Proxied:
    """Return what ``flask.request`` or ``flask.g`` stands for in the present request."""
    return cast(_Proxied, proxy._get_current_object())  # type: ignore[attr-defined]  # to mypy it is no proxy
