"""What the phone did with the photo: each usual mistake is made here, and held against the phone's tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from dermport.bundle.causes import FaultCode
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.wire import Fault
from dermport.server.comparing.candidate_faults import (
    CandidateFault,
    PhotoRenderer,
    turn_array,
    turn_back,
    turned_words,
)
from dermport.server.comparing.faults import fault, of_tensor
from dermport.server.comparing.likeness import Tensor, blocks, difference, distance, is_way, same_detail
from dermport.server.comparing.rendering import rendering_faults

# A mistake is named where it leaves less than this share of the difference, in mean levels. What it leaves is the
# phone's own decoder and rounding.
_NEAR = 0.6
# Another order of channels, turn or crop leaves far less: photos are not grey, and not symmetric.
_CLEAR = 0.5
_RENDERINGS: tuple[FaultCode, ...] = ("resized-otherwise", "draft-decoding")
_Made = tuple[CandidateFault, Tensor]
_TURNS: tuple[FaultCode, ...] = ("orientation-ignored", "turned")


@dataclass(frozen=True)
class DiagnosisInputs:
    """What is known of the two tensors.

    Attributes:
        input_sha256: Of the phone's tensor, as it says.
        server: The server's tensor, uint8 [S, S, 3].
        sent: The tensor that the phone sent, whether it has that sha256 or not; None for none.
        photo: The photo that arrived; None for none.
        spec: How it should be prepared.
        photo_changed: Whether another photo arrived than the phone answered; None where that is not known.
        came_before: Whether that sha256 is the one of a photo that came before.
    """

    input_sha256: str
    server: Tensor
    sent: Tensor | None
    photo: bytes | None
    spec: Preprocessing
    photo_changed: bool | None
    came_before: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What the tests showed.

    Attributes:
        faults: The mistakes, the first one first.
        tensor: The phone's tensor, sent or found; None where it is not known.
    """

    faults: tuple[Fault, ...]
    tensor: Tensor | None


def diagnose(known: DiagnosisInputs) -> Diagnosis:
    """Find which mistakes make the phone's tensor of the photo.

    With the tensor, mistakes are also named where they come near it, one upon the other. With its sha256 alone,
    they must give its very bytes, and then the tensor is known.
    """
    renderer = None if known.photo is None else PhotoRenderer(known.photo, known.spec)
    sent = known.sent
    if sent is not None and sha256_bytes(sent.tobytes()) == known.input_sha256:
        return Diagnosis(tuple(_ByTensor(known, sent, renderer).faults()), sent)
    return _by_hash(known, renderer)


def _by_hash(known: DiagnosisInputs, renderer: PhotoRenderer | None) -> Diagnosis:
    for tensor in (known.server, known.sent):
        if tensor is not None and (form := form_of(tensor, known.input_sha256)):
            words = f"The phone's input_sha256 is that of the right pixels in another form: {form}."
            return Diagnosis((fault("hash-of-another-form", words, True),), tensor)
    candidates = renderer.candidates() if renderer else iter(())
    for candidate, tensor in _all_made(known.server, candidates):
        for order in ORDERS:
            if sha256_bytes((found := reordered(tensor, order)).tobytes()) == known.input_sha256:
                named = (*_swapped(order), *([] if candidate is None else [_named(candidate, known, renderer)]))
                return Diagnosis(named, found)
    if known.came_before:
        return Diagnosis((fault("stale-photo", "The phone's tensor is that of a photo that came before.", True),), None)
    return Diagnosis((), None)


def _all_made(server: Tensor, candidates: Iterator[CandidateFault]) -> Iterator[tuple[CandidateFault | None, Tensor]]:
    """Yield the right tensor, then the wrong ones."""
    yield None, server
    for candidate in candidates:
        if (tensor := candidate.make()) is not None:
            yield candidate, tensor


def _swapped(order: tuple[int, ...]) -> tuple[Fault, ...]:
    words = f"with its channels swapped ({order_words(order)})"
    return () if order == RGB else (of_tensor("channels-swapped", words, None),)


def _named(candidate: CandidateFault, known: DiagnosisInputs, renderer: PhotoRenderer | None) -> Fault:
    lost = candidate.code == "turned" and known.photo_changed is True and renderer and renderer.orientation == 1
    return of_tensor("orientation-lost" if lost else candidate.code, candidate.words, None)


class _ByTensor:
    """The inquiry where the phone's tensor is here: what is found is undone, and the rest looked at."""

    def __init__(self, known: DiagnosisInputs, phone: Tensor, renderer: PhotoRenderer | None) -> None:
        self._known, self._phone, self._renderer = known, phone, renderer
        self._orientation = renderer.orientation if renderer else 1

    def faults(self) -> Iterator[Fault]:
        """Yield the mistakes."""
        server = self._known.server
        order, turn = self._order_and_turn()
        rest = reordered(self._phone, tuple(int(i) for i in np.argsort(order)))
        if order != RGB:
            words = f"with its channels swapped ({order_words(order)})"
            yield of_tensor("channels-swapped", words, difference(rest, self._turned(turn)))
        if turn != self._orientation:
            yield self._turn_fault(turn, rest)
            if np.array_equal(rest, self._turned(turn)):
                return
            rest = turn_array(turn_back(rest, turn), self._orientation)
        if not np.array_equal(rest, server):
            yield from self._rest(np.ascontiguousarray(rest))

    def _order_and_turn(self) -> tuple[tuple[int, ...], int]:
        """Return the order of channels and the orientation under which the two tensors look the most alike."""
        plain, phone = blocks(self._known.server), blocks(self._phone)
        stored = turn_back(plain, self._orientation)
        found = {
            (order, turn): float(np.abs(turn_array(stored, turn)[:, :, list(order)] - phone).mean())
            for turn in range(1, 9)
            for order in ORDERS
        }
        none = (RGB, self._orientation)
        best = min(found, key=lambda key: found[key])
        if found[best] > _CLEAR * found[none]:
            return none
        alike = turn_array(turn_back(self._phone, best[1]), self._orientation)
        return none if same_detail(alike, self._known.server) is False else best

    def _turned(self, turn: int) -> Tensor:
        """Return the photo's tensor under another orientation."""
        if turn == self._orientation:
            return self._known.server
        if self._renderer is not None:
            return self._renderer.oriented(turn)
        return turn_array(turn_back(self._known.server, self._orientation), turn)

    def _turn_fault(self, turn: int, rest: Tensor) -> Fault:
        left = difference(rest, self._turned(turn))
        if self._orientation != 1 and turn == 1:
            return of_tensor("orientation-ignored", "with its EXIF orientation ignored", left)
        if self._orientation != 1:
            words = f"turned as EXIF orientation {turn} says, instead of {self._orientation}"
            return of_tensor("turned", words, left)
        lost = self._known.photo_changed is True
        return of_tensor("orientation-lost" if lost else "turned", turned_words(turn), left)

    def _rest(self, rest: Tensor) -> Iterator[Fault]:
        """Yield what explains an upright tensor, its channels in order."""
        made: list[_Made] = []
        for candidate, tensor in self._candidates():
            made.append((candidate, tensor))
            if np.array_equal(tensor, rest):
                yield of_tensor(candidate.code, candidate.words, difference(rest, tensor))
                return
        best = self._at_large(rest, made) or self._near(rest, made)
        if best is not None:
            yield of_tensor(best[0].code, best[0].words, difference(rest, best[1]))
        if best is None or best[0].code not in _RENDERINGS:
            reference = self._known.server if best is None else best[1]
            yield from rendering_faults(rest, reference, self._known.photo_changed, self._known.came_before)

    def _at_large(self, rest: Tensor, made: Sequence[_Made]) -> _Made | None:
        """Return the mistake that explains the colours of blocks, which no resizing filter changes."""
        plain, phone = blocks(self._known.server), blocks(rest)
        for candidate, tensor in made:
            wrong = blocks(tensor)
            told = (
                is_way(phone - plain, wrong - plain)
                if candidate.code == "profile-honoured"
                else np.abs(phone - wrong).mean() < _CLEAR * np.abs(phone - plain).mean()
            )
            if candidate.code not in _RENDERINGS and told and self._may_be_near(candidate, rest, tensor):
                return candidate, tensor
        return None

    def _near(self, rest: Tensor, made: Sequence[_Made]) -> _Made | None:
        """Return the rendering that comes the nearest, if it comes near."""
        best, bound = None, _NEAR * distance(rest, self._known.server)
        for candidate, tensor in made:
            left = distance(rest, tensor)
            if candidate.code in _RENDERINGS and left < bound and self._may_be_near(candidate, rest, tensor):
                best, bound = (candidate, tensor), left
        return best

    def _may_be_near(self, candidate: CandidateFault, rest: Tensor, tensor: Tensor) -> bool:
        """Whether nearness is evidence: not between two photos, nor where the photo may be one compressed anew."""
        changed = self._known.photo_changed
        sure = changed is False or (changed is None and candidate.code not in _RENDERINGS)
        return sure and same_detail(rest, tensor) is not False

    def _candidates(self) -> Iterator[_Made]:
        for candidate in self._renderer.candidates() if self._renderer else ():
            if candidate.code not in _TURNS and (tensor := candidate.make()) is not None:
                yield candidate, tensor


RGB = (0, 1, 2)
ORDERS = tuple(sorted(permutations(RGB), key=lambda order: (order != RGB, order != (2, 1, 0))))
_LETTERS = "RGB"


def order_words(order: tuple[int, ...]) -> str:
    """Return an order of channels as letters, e.g. ``BGR``."""
    return "".join(_LETTERS[channel] for channel in order)


def reordered(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return a tensor, uint8 [S, S, 3], whose channel i is the given one's channel ``order[i]``."""
    return np.ascontiguousarray(tensor[:, :, list(order)])


def form_of(tensor: Tensor, sha256: str) -> str | None:
    """Return in which other form the tensor's pixels have this sha256, in words; None where in none."""
    return next((words for words, data in _forms(tensor) if sha256_bytes(data) == sha256), None)


def _forms(tensor: Tensor) -> Iterator[tuple[str, bytes]]:
    opaque = np.full((*tensor.shape[:2], 1), 255, np.uint8)
    yield "RGBA bytes, as a canvas gives them", np.concatenate([tensor, opaque], axis=2).tobytes()
    yield "float32 of 0..255", tensor.astype(np.float32).tobytes()
    yield "float32 of 0..1", (tensor.astype(np.float32) / np.float32(255)).tobytes()
    yield "float32 of -1..1", (tensor.astype(np.float32) / np.float32(127.5) - np.float32(1)).tobytes()
    yield "planes (channels first)", np.ascontiguousarray(tensor.transpose(2, 0, 1)).tobytes()
