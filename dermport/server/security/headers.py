"""What every answer tells a browser: do nothing that was not meant."""

from __future__ import annotations

from flask import Flask, Response

# An answer is data: whatever a browser takes it for, it loads and runs nothing.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# A page of ours: scripts, styles and pictures from here alone; LiteRT.js compiles WebAssembly.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": DATA_POLICY,
}

_LOWER = {name.lower(): (name, value) for name, value in _DEFAULTS.items()}


def register(app: Flask) -> None:
    """Give every answer of `app` strict headers; a view that sets one of them itself (a page, a file) keeps its own."""
    app.after_request(_complete)


def _complete(response: Response) -> Response:
    headers = response.headers
    there = {name.lower() for name, _ in headers}
    missing = [field for lower, field in _LOWER.items() if lower not in there]
    headers[len(headers) :] = missing  # at once: each `setdefault` looks through all of them
    return response
