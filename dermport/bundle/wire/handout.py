"""What a server says of a model's release to phones, and of who gets which version.

A release manifest travels as the payload of a signed envelope (:mod:`dermport.bundle.signature`) of type
:data:`RELEASE_TYPE`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dermport.bundle.export_record import Status
from dermport.bundle.manifest import Abstention, Decision, Preprocessing, TaskSpec
from dermport.bundle.notice import NOTICE
from dermport.bundle.signature import Envelope
from dermport.bundle.wire.base import Message
from dermport.contract import Name, Sha256

RELEASE_TYPE = "application/vnd.dermport.release+json"
ROOT_TYPE = "application/vnd.dermport.root+json"
LARGEST_SEQUENCE = 2**53 - 1
"""What a JavaScript number holds exactly."""
MOST_ROOTS = 256
"""How many roots are handed out at a time, as TUF bounds what a phone takes."""
SHA256_HEADER = "X-Dermport-Sha256"
Platform = Literal["ios", "android", "web"]
PLATFORM_TARGETS: dict[Platform, str] = {"ios": "coreml", "android": "tflite", "web": "tflite"}
"""The export target whose artifacts a platform runs."""
PLATFORM_PRECISION = "fp16"
"""What a platform gets where no precision is asked for."""


def _stays_below(path: str) -> str:
    if any(part in ("", ".", "..") for part in path.split("/")) or set(path) & set("\\:\0"):
        raise ValueError("it leads out of its folder")
    return path


SafePath = Annotated[str, AfterValidator(_stays_below), Field(description="POSIX path that stays below its folder")]
AppVersion = Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,9}){0,3}$", description="up to four numbers, e.g. 2.10.1")]


RawKey = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", description="base64 of the 32 bytes of an Ed25519 public key")
]
Until = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC, so that text compares as time")
]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$", max_length=32)]


class ReleaseArtifact(Message):
    """The model in the form that some platforms run: a file, or a folder such as an .mlpackage."""

    target: str
    precision: str
    platforms: tuple[Platform, ...]
    path: SafePath
    bytes: int
    sha256: Annotated[Sha256, Field(description="names the artifact everywhere; of a single file, its own")]
    policy: Annotated[str, Field(description="the class of bounds by which its answers are judged")]
    parity: Annotated[Status | None, Field(description="how `dermport verify` judged it; never fail")]


class ReleaseFile(Message):
    """A file to fetch from ``/v1/models/<name>/<version>/files/<path>``; golden files have no target."""

    path: SafePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    media_type: str
    target: str | None = None
    precision: str | None = None
    platforms: tuple[Platform, ...] = ()


class GoldenVector(Message):
    """A prepared photo, and what the original model answers to it."""

    input_sha256: Sha256
    probabilities: tuple[float, ...]


class GoldenVectors(Message):
    """What a phone tests itself with."""

    tensors: Annotated[SafePath, Field(description="NumPy's .npy, uint8 [N, S, S, 3], in the order of `vectors`")]
    vectors: Annotated[tuple[GoldenVector, ...], Field(min_length=1)]


class ReleaseManifest(Message):
    """Everything that a phone must know of a model's version that the server offers."""

    schema_version: Annotated[Literal["dermport-release/1"], Field(alias="schema")] = "dermport-release/1"
    name: Name
    version: Version
    sha256: Annotated[Sha256, Field(description="of model.keras, which names the model on every device")]
    released: Annotated[str, Field(description="when the model was made, UTC, ISO 8601")]
    task: TaskSpec
    preprocessing: Preprocessing
    decision: Annotated[Decision | None, Field(description="null: the model knows labels alone")] = None
    abstention: Annotated[
        Abstention | None, Field(description="when the model cannot tell; null: it answers every photo")
    ] = None
    artifacts: tuple[ReleaseArtifact, ...]
    files: tuple[ReleaseFile, ...]
    golden: GoldenVectors
    notice: str = NOTICE
    sequence: Annotated[
        int | None,
        Field(
            ge=1,
            le=LARGEST_SEQUENCE,
            description="rises whenever the server offers something else: a phone takes no lower one than it saw; null "
            "from servers before there were roots",
        ),
    ] = None
    expires: Annotated[Until | None, Field(description="from then on no phone installs it; renewed before")] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> ReleaseManifest:
        if (self.sequence is None) != (self.expires is None):
            raise ValueError("a manifest has both a sequence and an end, or neither")
        return self


class RootDocument(Message):
    """Which keys may sign: version n is signed by a root key of its own and by one of version n - 1.

    It travels as the payload of a signed envelope of type :data:`ROOT_TYPE`. Version 1 is signed by the release key,
    too, for phones that pinned that one. After TUF's root role (https://theupdateframework.github.io/specification/latest/).
    """

    schema_version: Annotated[Literal["dermport-root/1"], Field(alias="schema")] = "dermport-root/1"
    version: Annotated[int, Field(ge=1, le=LARGEST_SEQUENCE)]
    expires: Annotated[Until, Field(description="from then on no phone installs what these keys sign")]
    root_keys: Annotated[tuple[RawKey, ...], Field(min_length=1, max_length=8, description="any of them signs roots")]
    release_keys: Annotated[
        tuple[RawKey, ...], Field(min_length=1, max_length=8, description="any of them signs release manifests")
    ]


class RootsAnswer(Message):
    """The answer to ``GET /v1/roots``."""

    roots: Annotated[
        tuple[Envelope, ...],
        Field(max_length=MOST_ROOTS, description="of dermport-root/1 documents, in the order of their versions"),
    ]


class PublicKey(Message):
    """An Ed25519 public key in every form in which somebody wants it."""

    key_id: Annotated[str, Field(description="first 16 hexadecimal digits of the sha256 of the raw public key")]
    algorithm: Literal["Ed25519"] = "Ed25519"
    pem: Annotated[str, Field(description="SubjectPublicKeyInfo")]
    raw: Annotated[str, Field(description="base64 of the 32 bytes")]


class SigningKeyAnswer(PublicKey):
    """The answer to ``GET /v1/signing-key``: the key that signs manifests, and the root key, which a phone pins."""

    root: Annotated[
        PublicKey | None, Field(description="says which key signs manifests; null from servers before there were roots")
    ] = None


Reason = Literal["live", "roll-out", "not-in-roll-out", "paused", "app-too-old", "candidate-unavailable"]


class LatestAnswer(Message):
    """The answer to ``GET /v1/models/latest``: the version that a phone should have, and why."""

    name: Name
    version: Version
    sha256: Annotated[Sha256, Field(description="of model.keras")]
    platform: Platform
    manifest: Annotated[str, Field(description="path below the server's address")]
    update: Annotated[bool, Field(description="whether it is another one than the phone said it has")]
    reason: Reason
    why: Annotated[str, Field(description="the same for people")]


class ModelKey(Message):
    """A model's name and version."""

    name: Name
    version: Annotated[str, Field(min_length=1, max_length=32)]


class ActivationAnswer(Message):
    """Which model answers from now on."""

    name: Name
    version: str
    runtime: Annotated[str, Field(description="what runs it")]
    remembered: Annotated[bool, Field(description="whether the server, started again, goes on with it")]


class ActivationEntry(ModelKey):
    """A model that was made live."""

    activated: Annotated[str, Field(description="UTC, ISO 8601")]
    who: Annotated[str, Field(description="id of the API key that asked for it, or what else made it live")]


class ActivationsAnswer(Message):
    """The answer to ``GET /v1/admin/models/activations``, newest first."""

    activations: tuple[ActivationEntry, ...]
    rollback: Annotated[ModelKey | None, Field(description="what a rollback makes live; null where nothing is known")]


class KnownModels(Message):
    """Every model that the server knows after it has looked into its folders again."""

    models: tuple[ModelKey, ...]


class RolloutWish(Message):
    """A roll-out as an administrator asks for it; it takes the place of the model's earlier one on that platform."""

    model: Name
    platform: Platform
    candidate: Annotated[str, Field(min_length=1, max_length=32, description="the version that is rolled out")]
    percentage: Annotated[int, Field(ge=0, le=100, description="share of the devices that get it")]
    minimum_app_version: AppVersion | None = None
    paused: bool = False
    pause_reason: Annotated[str, Field(max_length=1000)] = ""


class RolloutState(RolloutWish):
    """A roll-out as it is stored."""

    updated: Annotated[str, Field(description="UTC, ISO 8601")]


class RolloutsAnswer(Message):
    """Every roll-out, sorted by model and platform."""

    rollouts: tuple[RolloutState, ...]
