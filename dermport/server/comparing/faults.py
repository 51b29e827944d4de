"""The finer names of causes: which cause each belongs to, and what a phone's developer does about it."""

from __future__ import annotations

from collections.abc import Mapping

from dermport.bundle.causes import Cause, FaultCode
from dermport.bundle.wire import Fault, InputDifference

_PREPARE = (
    "Prepare photos as dermport-prep/1 says; the packages bring a port, "
    "and dermport/bundle/vectors the hashes to reach."
)
_LATEST = "Let the app ask GET /v1/models/latest, verify what it gets, and open the new file."
_FETCH = "Let the app fetch the file again, check its sha256 and the golden vectors, and only then use it."

_KNOWN: Mapping[FaultCode, tuple[Cause, str]] = {
    "channels-swapped": ("preprocessing", "Hand the channels on as red, green, blue (OpenCV and some bitmaps: BGR)."),
    "orientation-ignored": ("preprocessing", "Turn the decoded photo as EXIF tag 274 says before cropping."),
    "turned": ("preprocessing", "Turn the decoded photo once, as EXIF tag 274 says, and by nothing else."),
    "profile-honoured": (
        "preprocessing",
        "Decode the stored values: strip ICC, iCCP, gAMA, cHRM, sRGB and cICP before decoding, or turn colour "
        "management off.",
    ),
    "blank": ("preprocessing", "Wait until the photo is decoded and drawn before reading its pixels."),
    "crop-added": ("preprocessing", "Crop as the bundle's manifest says: full-frame takes the whole photo."),
    "crop-missing": ("preprocessing", "Crop to the centre square before resizing, as the bundle's manifest says."),
    "cropped-otherwise": ("preprocessing", "Crop as the bundle's manifest says, and by no view's or camera's frame."),
    "letterboxed": ("preprocessing", "Stretch the photo to the square; add no bars."),
    "draft-decoding": ("preprocessing", "Decode at full size: no inSampleSize, no draft mode, no thumbnail."),
    "resized-otherwise": ("preprocessing", f"Do not use the platform's own resizing. {_PREPARE}"),
    "colours-otherwise": ("preprocessing", f"Look for colour management, gamma or video range. {_PREPARE}"),
    "decoded-otherwise": ("preprocessing", f"Use libjpeg's accurate integer DCT and fancy upsampling. {_PREPARE}"),
    "hash-of-another-form": ("preprocessing", "Hash the S × S × 3 bytes: uint8, rows first, RGB, before normalising."),
    "another-photo": ("photo-changed", "Send the very bytes that the phone's model was given, and no other photo's."),
    "stale-photo": ("photo-changed", "Empty the input between photos; tie tensor, answer and photo to one request."),
    "re-compressed": ("photo-changed", "Send the file as it was taken: no re-encoding, no scaling before the upload."),
    "orientation-lost": ("photo-changed", "Send the file with its EXIF: what sends it must not strip the orientation."),
    "older-version": ("model", _LATEST),
    "newer-version": ("model", "Activate the phone's version on the server, or roll the phone back."),
    "other-model": ("model", f"Compare phones with the server whose model they run. {_LATEST}"),
    "damaged-file": ("artifact", _FETCH),
    "unknown-file": ("artifact", f"Serve the bundle that the phone's file belongs to. {_FETCH}"),
    "normalised-twice": ("runtime", "Feed raw pixels 0..255: normalisation is inside every artifact."),
    "fed-swapped-channels": ("runtime", "Feed the very tensor that was hashed: red, green, blue."),
    "another-file": ("runtime", "Close the old interpreter after an update, and report the sha256 of the open file."),
    "half-precision": (
        "runtime",
        "Allow no float16 where it matters (GPU delegate: precision loss off), or hand out an fp16 artifact.",
    ),
    "broken-runtime": (
        "runtime",
        "Run the golden vectors on the phone; fall back to the CPU where they fail, and fetch the file again.",
    ),
}


def fault(
    code: FaultCode, words: str, exact: bool, *, left: InputDifference | None = None, change: float | None = None
) -> Fault:
    """Return a named fault with its cause and remedy."""
    cause, remedy = _KNOWN[code]
    return Fault(code=code, cause=cause, exact=exact, left=left, change=change, words=words, remedy=remedy)


def near_words(left: InputDifference) -> str:
    """Return in words how much of a difference is left."""
    return f"on average {left.mean_level:.2g}, at most {left.max_level} of 255 levels"


def of_tensor(code: FaultCode, what: str, left: InputDifference | None) -> Fault:
    """Return a fault of preparation.

    Args:
        code: Its name.
        what: What it makes of "this photo", in words.
        left: What it leaves unexplained; None where it was shown by its hash.
    """
    exact = left is None or left.max_level == 0
    if left is None or exact:
        return fault(code, f"The phone's tensor equals this photo {what}.", True, left=left)
    words = f"The phone's tensor is near this photo {what} ({near_words(left)} remain)."
    return fault(code, words, False, left=left)
