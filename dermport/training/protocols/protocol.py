"""A published protocol as data: what the paper says, what it leaves open, and what was chosen there instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dermport.bundle.manifest import Crop, Preprocessing
from dermport.bundle.named_documents import NamedDocuments, value_of
from dermport.contract import Contract, Fraction, Name
from dermport.errors import UsageError
from dermport.training.augment import Augmentation

_PRESETS = NamedDocuments("protocol", "dermport.training.protocols", "presets")
SplitRule = Literal["by-photo", "by-lesion"]
Oversampling = Literal["none", "training", "before-split"]
Architecture = Literal["MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "SqueezeNet-like"]
_PUBLISHED, _HONEST = "as-published", "honest"


class Publication(Contract):
    """Where a protocol comes from, and what of it could be read."""

    title: str
    authors: str = ""
    year: int | None = None
    address: str = ""
    read: Annotated[str, Field(description="what of the publication could be read, and where")]


class Published(Contract):
    """One published figure."""

    figure: Annotated[str, Field(description="a key of training.protocols.figures.TITLES")]
    value: float
    source: Annotated[str, Field(description="where in the paper, and where we read it")]
    words: Annotated[str, Field(description="how it was said, where that matters")] = ""

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit that was published: how far the figure may have been rounded."""
        return float(0.5 * 10.0 ** -len(f"{self.value}".partition(".")[2]))


class Counts(Contract):
    """What is known of the paper's own photos, for the arithmetic of its figures."""

    photos: Annotated[int, Field(gt=0)]
    positive_at_most: Annotated[int, Field(ge=0, description="more photos of the positive class there cannot be")]
    source: str


class ProtocolData(Contract):
    """The paper's data set."""

    name: str
    readers: Annotated[tuple[str, ...], Field(description="layouts that it has; other data is called a stand-in")]
    task: str
    require_metadata: bool = False
    counts: Counts | None = None


class ProtocolSplit(Contract):
    """How photos are parted: fractions of training, validation and test; with folds, validation is one of them."""

    train: Fraction
    validation: Fraction
    test: Fraction
    folds: Annotated[int, Field(ge=0, le=20, description="0: no cross-validation")] = 0

    @model_validator(mode="after")
    def _sums(self) -> ProtocolSplit:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("the fractions do not sum to 1")
        if self.folds == 1 or (self.folds > 0) == (self.validation > 0):
            raise ValueError("either a validation fraction, or two or more folds")
        return self


class Arm(Contract):
    """One way to part the photos and to balance the classes."""

    name: Literal["as-published", "honest"]
    title: str
    split: SplitRule
    oversample: Oversampling = "none"


class Augmenting(Contract):
    """How photos are changed for the further views (see :class:`dermport.training.augment.Augmentation`)."""

    rotation: Annotated[float, Field(ge=0, le=180, description="degrees")] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    flips: bool = False

    @property
    def augmentation(self) -> Augmentation:
        """The same, as what augments takes it."""
        return Augmentation(self.rotation, self.zoom, self.shift, self.flips)


class Transfer(Contract):
    """MobileNetV2 with ImageNet's weights: the classification layer, then the trunk's last four layers with it."""

    kind: Literal["mobilenetv2-last-four"]
    alpha: Annotated[float, Field(gt=0, le=2)] = 1.0
    epochs: Annotated[int, Field(ge=1, description="of the classification layer, trunk frozen")]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    last_four_epochs: Annotated[int, Field(ge=0)]
    last_four_rate: Annotated[float, Field(gt=0)] = 1e-4
    batch: Annotated[int, Field(ge=2)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    views: Annotated[int, Field(ge=1, le=8, description="of each photo: itself, and augmented copies")] = 2
    patience: Annotated[int, Field(ge=0, description="epochs without a better one; 0: never")] = 0
    augmentation: Augmenting = Augmenting()


class SmallNetwork(Contract):
    """A small convolutional network from random numbers (see :func:`.training.protocols.networks.small_network`)."""

    kind: Literal["small-cnn"]
    filters: Annotated[tuple[int, ...], Field(min_length=1, description="of each convolution")]
    dense: tuple[int, ...] = ()
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    batch: Annotated[int, Field(ge=2)] = 128


class Backbones(Contract):
    """Several architectures, all layers of each trained alike (see :func:`.training.phases.recipes.all_phase`)."""

    kind: Literal["backbones"]
    architectures: Annotated[tuple[Architecture, ...], Field(min_length=1)]
    epochs: Annotated[int, Field(ge=0, description="0: nothing is trained, costs alone are counted")]
    learning_rate: Annotated[float | None, Field(gt=0, description="None: `dermport train`'s own for its start")] = None
    batch: Annotated[int, Field(ge=2)] = 32


Training = Annotated[Transfer | SmallNetwork | Backbones, Field(discriminator="kind")]


class Unstated(Contract):
    """What the paper, as far as it could be read, leaves open."""

    what: str
    chosen: str


class Protocol(Contract):
    """A protocol: everything that ``dermport reproduce`` needs but the photos."""

    name: Name
    title: str
    summary: str
    paper: Publication
    data: ProtocolData
    size: Annotated[int, Field(ge=32, le=1024, description="side of the input, pixels")]
    crop: Crop = "full-frame"
    split: ProtocolSplit
    training: Training
    arm: Annotated[tuple[Arm, ...], Field(min_length=1)]
    published: tuple[Published, ...] = ()
    silent: tuple[Unstated, ...] = ()

    @property
    def preprocessing(self) -> Preprocessing:
        """What the photos go through."""
        return Preprocessing(size=self.size, crop=self.crop)

    @property
    def fractions(self) -> dict[Literal["train", "validation", "test"], float]:
        """The parts' shares, as :func:`dermport.training.data.splits.split_dataset` takes them."""
        return {"train": self.split.train, "validation": self.split.validation, "test": self.split.test}

    @property
    def published_arm(self) -> Arm | None:
        """The arm that does as the paper does; None where it names no split."""
        return next((one for one in self.arm if one.name == _PUBLISHED), None)

    @property
    def honest_arm(self) -> Arm | None:
        """The arm whose test photos have no lesion in common with the training photos."""
        return next((one for one in self.arm if one.name == _HONEST), None)

    @model_validator(mode="after")
    def _arms(self) -> Protocol:
        if len({one.name for one in self.arm}) != len(self.arm):
            raise ValueError("two arms have the same name")
        if self.split.folds and any(one.oversample == "before-split" for one in self.arm):
            raise ValueError("folds of photos that were oversampled before they were parted are not foreseen")
        return self


def built_in() -> tuple[str, ...]:
    """Return the names of the protocols that come with dermport, sorted."""
    return _PRESETS.names()


def load_protocol(name: str, changes: Sequence[str] = ()) -> Protocol:
    """Return a built-in protocol by name, or one from a TOML file.

    Args:
        name: ``digiscope``, or ``path/to/protocol.toml``.
        changes: Options to change, each ``TABLE.OPTION=VALUE`` or ``OPTION=VALUE``; values as in JSON, other words are
            text.

    Raises:
        UsageError: There is no such protocol, it is not valid, or a change names nothing in it.
    """
    return _PRESETS.load(name, Protocol, changes, change=_change)


def _change(document: dict[str, Any], change: str) -> None:
    target, equals, text = change.partition("=")
    *tables, option = target.split(".")
    place: Any = document
    for table in tables:
        place = place.get(table) if isinstance(place, Mapping) else None
    if not equals or not option or not isinstance(place, dict):
        raise UsageError(
            f"--set {change} changes nothing in the protocol {document.get('name', '')}.",
            remedy="It takes OPTION=VALUE or TABLE.OPTION=VALUE, e.g. --set size=64 or --set training.epochs=2.",
        )
    place[option] = value_of(text)
