"""The parts of a multipart form, with or without a file name, and in words why a form cannot be read (RFC 7578)."""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser
from werkzeug.http import parse_options_header

from dermport.errors import RequestError

MAX_PARTS = 64
_BLOCK = 1 << 16
_LET_THE_LIBRARY = "Let the HTTP library write the header and the body together, and set no Content-Type yourself."
_NAMES_SHOWN, _NAME_SHOWN = 5, 40


@dataclass(frozen=True)
class Part:
    """A part of a form.

    Attributes:
        name: The field.
        data: Its bytes, with its Content-Transfer-Encoding undone.
    """

    name: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """A form's parts, in the order sent."""

    parts: tuple[Part, ...]

    def values(self, name: str) -> tuple[bytes, ...]:
        """Return what the parts of that name hold."""
        return tuple(part.data for part in self.parts if part.name == name)

    @property
    def told(self) -> str:
        """Which parts there are, for people."""
        names = [repr(part.name[:_NAME_SHOWN]) for part in self.parts[:_NAMES_SHOWN]]
        more = ", ..." if len(self.parts) > _NAMES_SHOWN else ""
        return f"its parts are {', '.join(names)}{more}" if names else "it has no parts"


def read_form(content_type: str, body: bytes) -> Form:
    """Return the parts of a form.

    Args:
        content_type: The request's header, which names the boundary.
        body: The request's body.

    Raises:
        RequestError: 400 "bad-form", with what is wrong, as more than :data:`MAX_PARTS` parts; 415, a part is packed,
            or a form itself.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise _bad("The Content-Type names no boundary: it is missing.", _LET_THE_LIBRARY)
    if not boundary.isascii() or b"--" + boundary.encode() not in body:
        what = f"no line --{boundary[:_NAME_SHOWN]!r}, the boundary that its Content-Type names" if body else "no bytes"
        raise _bad(f"The form's body has {what}.", _LET_THE_LIBRARY)
    # Latin-1 can hold any byte of a file name, which nobody looks at.
    parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS, max_header_count=16, header_charset="latin-1")
    try:
        return Form(tuple(_parts(parser, body)))
    except ParserLimitReached as error:
        raise _bad(
            f"The form is too large: {_reason(error)}.", f"Send at most {MAX_PARTS} parts with short heads."
        ) from error
    except MultipartError as error:
        if b"--" + boundary.encode() + b"--" not in body:
            raise _bad("The body ended before its closing boundary.", "Send it again, whole.") from error
        raise _bad(f"The form cannot be read: {_reason(error)}.", _LET_THE_LIBRARY) from error


def _parts(parser: PushMultipartParser, body: bytes) -> Iterator[Part]:
    blocks = (body[start : start + _BLOCK] for start in range(0, len(body), _BLOCK))
    with parser:
        for block in blocks:
            if parser.closed:
                break
            for event in parser.parse(block):
                if isinstance(event, MultipartSegment):
                    segment, data = event, bytearray()
                elif event is not None:
                    data += event
                else:
                    yield _part(segment, bytes(data))


def _part(segment: MultipartSegment, data: bytes) -> Part:
    name = (segment.name or "").encode("latin-1").decode("utf-8", "replace")
    shown = repr(name[:_NAME_SHOWN])
    if (segment.content_type or "").startswith("multipart/"):
        raise RequestError(
            f"The part {shown} is a form of its own ({segment.content_type}).",
            code="nested-form",
            status=415,
            remedy="Send each file as a part of the one form; parts may have the same name.",
        )
    refuse_packed(segment.header("Content-Encoding", ""), f"the part {shown}")
    encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
    try:
        return Part(name, _TRANSFERS[encoding](data))
    except KeyError:
        raise _bad(f"The part {shown} has the Content-Transfer-Encoding {encoding[:_NAME_SHOWN]!r}.", _PLAIN) from None
    except binascii.Error as error:
        raise _bad(f"The part {shown} says that it is base64, and is not.", _PLAIN) from error


def refuse_packed(encoding: str, what: str = "the body") -> None:
    """Raise RequestError 415 where a Content-Encoding is other than identity: nothing is unpacked here."""
    named = encoding.strip().lower()
    if named not in ("", "identity"):
        raise RequestError(
            f"The Content-Encoding of {what} is {named[:_NAME_SHOWN]!r}; only identity is read.",
            code="unsupported-encoding",
            status=415,
            remedy="Send it as it is: photos are packed already.",
        )


def _from_base64(data: bytes) -> bytes:
    return base64.b64decode(b"".join(data.split()), validate=True)


_TRANSFERS: dict[str, Callable[[bytes], bytes]] = {
    **dict.fromkeys(("", "7bit", "8bit", "binary"), bytes),
    "base64": _from_base64,
    "quoted-printable": quopri.decodestring,
}
_PLAIN = "Send its bytes as they are, without Content-Transfer-Encoding (RFC 7578, 4.7)."


def _reason(error: MultipartError) -> str:
    text = str(error.args[0])
    return text[:1].lower() + text[1:]


def _bad(message: str, remedy: str) -> RequestError:
    return RequestError(message, code="bad-form", status=400, remedy=remedy)
