"""How a model is trained: every choice that changes the weights, as frozen data that a resumed run is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from dermport.bundle.manifest import Crop, Preprocessing
from dermport.errors import UsageError

FineTune = Literal["last4", "all", "none"]
Balance = Literal["none", "sqrt", "full"]
Distribute = Literal["none", "mirrored"]
Precision = Literal["float32", "mixed_bfloat16"]

# Left out of a recipe's JSON at their defaults: a run that was begun before they came can go on.
_LATER = ("fused_norm", "precision", "xla", "distribute", "mixup")
_EPOCHS = {"last4": 20, "all": 14, "none": 0}


@dataclass(frozen=True)
class Recipe:
    """The options of one training.

    Attributes:
        weights: What the trunk starts from: ``imagenet`` (Keras' own download), ``none``, or a weights file.
        alpha: Width multiplier of MobileNetV2 (Sandler et al. 2018).
        size: Side of the input, pixels.
        crop: What of the photo is seen.
        epochs: Epochs of the classification layer with the trunk frozen.
        learning_rate: Of these (Adam).
        dropout: Share of the trunk's features dropped while training.
        views: Views of each photo in the feature cache: the photo itself and `views` - 1 augmented copies.
        fine_tune: What is trained after that: the trunk's ``last4`` layers, ``all``, or ``none``.
        fine_tune_epochs: Epochs of that; None for the choice's own number.
        fine_tune_rate: Learning rate of that (the peak of its schedule for ``all``); None for the choice's own.
        batch: Photos a step.
        balance: Weights of the classes: equal, 1/sqrt(count) or 1/count.
        label_smoothing: Share of each target that is spread over all classes while ``all`` is trained.
        mixup: While ``all`` is trained, photos are blended in pairs with shares drawn from Beta(mixup, mixup); 0 for
            not at all, None for the choice's own.
        patience: Epochs without a better validation figure after which a phase stops; 0 for never.
        seed: Of everything random.
        fused_norm: Whether ``all`` is trained with fused batch normalisation (TensorFlow's): faster, rounded otherwise.
        precision: In which ``all`` is trained; weights, their averages and the saved model are float32.
        xla: Whether ``all`` is trained by compiled steps (on a GPU).
        distribute: Whether ``all`` is trained on every device of this machine at once.
    """

    weights: str = "imagenet"
    alpha: float = 1.0
    size: int = 224
    crop: Crop = "full-frame"
    epochs: int = 50
    learning_rate: float = 1e-3
    dropout: float = 0.2
    views: int = 2
    fine_tune: FineTune = "last4"
    fine_tune_epochs: int | None = None
    fine_tune_rate: float | None = None
    batch: int = 32
    balance: Balance = "sqrt"
    label_smoothing: float = 0.05
    patience: int = 0
    seed: int = 0
    fused_norm: bool = False
    precision: Precision = "float32"
    xla: bool = False
    distribute: Distribute = "none"
    mixup: float | None = None

    def __post_init__(self) -> None:
        checks = {
            "--alpha": 0 < self.alpha <= 2,
            "--input-size": 32 <= self.size <= 1024,
            "--epochs": self.epochs >= 0,
            "--fine-tune-epochs": self.tuning_epochs >= 0,
            "--batch": self.batch >= 2,  # batch normalisation has no statistics of a single photo
            "--views": 1 <= self.views <= 8,
            "--patience": self.patience >= 0,
            "--lr": self.learning_rate > 0,
            "--fine-tune-lr": self.tuning_rate > 0,
            "--dropout": 0 <= self.dropout < 1,
            "--mixup": self.blending >= 0,
        }
        if refused := [option for option, allowed in checks.items() if not allowed]:
            raise UsageError(f"{' and '.join(refused)} cannot be meant: out of range.")
        if not (self.head_epochs or self.tuning_epochs):
            raise UsageError(
                "Nothing would be trained.",
                remedy="--weights none needs --fine-tune all; otherwise ask for at least one epoch.",
            )
        if self.from_scratch and self.fine_tune != "all":
            raise UsageError(
                "--weights none leaves the trunk random unless all of it is trained.",
                remedy="Add --fine-tune all, or name the weights to start from.",
            )

    @property
    def from_scratch(self) -> bool:
        """Whether the trunk starts from random numbers."""
        return self.weights == "none"

    @property
    def head_epochs(self) -> int:
        """Epochs of the frozen phase: none on a random trunk, whose features say nothing."""
        return 0 if self.from_scratch else self.epochs

    @property
    def tuning_epochs(self) -> int:
        """Epochs of the fine-tuning phase."""
        if self.fine_tune == "none" or self.fine_tune_epochs is None:
            return _EPOCHS[self.fine_tune]
        return self.fine_tune_epochs

    @property
    def tuning_rate(self) -> float:
        """Learning rate of the fine-tuning phase."""
        own = {"last4": 1e-4, "all": 1.2e-2 if self.from_scratch else 5e-4, "none": 1.0}[self.fine_tune]
        return own if self.fine_tune_rate is None else self.fine_tune_rate

    @property
    def blending(self) -> float:
        """What mixup is drawn with, 0 for none: from scratch a trunk rather learns too little than photos by heart."""
        own = 0.0 if self.from_scratch else 0.2
        return own if self.mixup is None else self.mixup

    @property
    def computed(self) -> dict[str, Any]:
        """How ``all`` is computed, as :func:`dermport.training.phases.twin.trained_in_place_of` takes it."""
        return {"fused_norm": self.fused_norm, "precision": self.precision, "distribute": self.distribute}

    @property
    def preprocessing(self) -> Preprocessing:
        """What the photos go through."""
        return Preprocessing(size=self.size, crop=self.crop)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON document."""
        defaults = {one.name: one.default for one in fields(self)}
        return {name: v for name, v in asdict(self).items() if name not in _LATER or v != defaults[name]}
