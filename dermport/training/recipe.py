"""How a model is trained: every choice that changes the weights, as frozen data that a resumed run is held against.

The command line makes its options of it: a choice is one line here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from dermport.errors import UsageError
from dermport.options import Option, Seed, check_fields

if TYPE_CHECKING:
    from dermport.bundle.manifest import Preprocessing

Crop = Literal["full-frame", "centre-square"]  # dermport.bundle.manifest's, without pydantic: --help reads this module
FineTune = Literal["last4", "all", "none"]
Balance = Literal["none", "sqrt", "full"]
Distribute = Literal["none", "mirrored"]

_PHOTOS, _PHASES = "Photos", "Training"
# Left out of a recipe's JSON at their defaults: a run that was begun before they came can go on.
_LATER = ("fused_norm", "distribute", "mixup")
_EPOCHS = {"last4": 20, "all": 14, "none": 0}


@dataclass(frozen=True)
class TrainingRecipe:
    """The options of one training; each says what it is.

    Raises:
        UsageError: A value is out of range, or nothing would be trained.
    """

    weights: Annotated[str, Option("What the trunk starts from: imagenet (downloaded), none, or a FILE.")] = "imagenet"
    alpha: Annotated[float, Option("Width multiplier of MobileNetV2 (Sandler et al. 2018).", gt=0, le=2)] = 1.0
    size: Annotated[
        int, Option("Side of the model's input.", ge=32, le=1024, unit="pixels", name="input-size", panel=_PHOTOS)
    ] = 224
    crop: Annotated[Crop, Option("What of a photo the model sees.", panel=_PHOTOS)] = "full-frame"
    epochs: Annotated[int, Option("Epochs of the classification layer, trunk frozen.", ge=0, panel=_PHASES)] = 50
    learning_rate: Annotated[float, Option("Learning rate of these (Adam).", gt=0, name="lr", panel=_PHASES)] = 1e-3
    dropout: Annotated[float, Option("Share of features dropped while training.", ge=0, lt=1, panel=_PHASES)] = 0.2
    views: Annotated[
        int, Option("Views of each photo in these: itself and augmented copies.", ge=1, le=8, panel=_PHASES)
    ] = 2
    fine_tune: Annotated[
        FineTune,
        Option(
            "Then: the trunk's last four layers, as published; all layers, for the best model; or none.", panel=_PHASES
        ),
    ] = "last4"
    fine_tune_epochs: Annotated[int | None, Option("Default: 20 for last4, 14 for all.", ge=0, panel=_PHASES)] = None
    fine_tune_rate: Annotated[
        float | None,
        Option(
            "Default: 0.0001 for last4, 0.0005 for all (there the peak of its schedule), 0.012 from scratch.",
            gt=0,
            name="fine-tune-lr",
            panel=_PHASES,
        ),
    ] = None
    # Of a single photo, batch normalisation has no statistics.
    batch: Annotated[int, Option("Photos a step.", ge=2, panel=_PHASES)] = 32
    balance: Annotated[Balance, Option("Class weights: equal, 1/sqrt(count), 1/count.", panel=_PHASES)] = "sqrt"
    label_smoothing: float = 0.05
    """Share of each target that is spread over all classes while all layers are trained; no option."""
    patience: Annotated[
        int, Option("Stop a phase after so many epochs without a better one; 0: never.", ge=0, panel=_PHASES)
    ] = 0
    seed: Seed = 0
    fused_norm: Annotated[
        bool,
        Option(
            "Train all layers with TensorFlow's fused batch normalisation: faster, rounded otherwise.", panel=_PHASES
        ),
    ] = False
    distribute: Annotated[
        Distribute,
        Option(
            "mirrored: share each batch of training all layers among this machine's GPUs (tf.distribute).",
            panel=_PHASES,
        ),
    ] = "none"
    mixup: Annotated[
        float | None,
        Option(
            "While all layers are trained, blend photos in pairs by Beta(x, x); 0: never. Default: 0.2, from scratch "
            "0.",
            ge=0,
            panel=_PHASES,
        ),
    ] = None

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.head_epochs or self.tuning_epochs):
            raise UsageError(
                "Nothing would be trained.",
                remedy="{weights} none needs {fine_tune} all; otherwise ask for at least one epoch.",
                of=TrainingRecipe,
            )
        if self.from_scratch and self.fine_tune != "all":
            raise UsageError(
                "{weights} none leaves the trunk random unless all of it is trained.",
                remedy="Add {fine_tune} all, or name the weights to start from.",
                of=TrainingRecipe,
            )

    @property
    def from_scratch(self) -> bool:
        """Whether the trunk starts from random numbers."""
        return self.weights == "none"

    @cached_property
    def weights_description(self) -> str:
        """What ``bundle.json`` says of the weights: imagenet, none, or the file's name and sha256, read once.

        Raises:
            DataError: The file does not exist.
        """
        from dermport.training.model.weights import describe_weights

        return describe_weights(self.weights)

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
        return {"fused_norm": self.fused_norm, "distribute": self.distribute}

    @property
    def preprocessing(self) -> Preprocessing:
        """What the photos go through."""
        from dermport.bundle.manifest import Preprocessing

        return Preprocessing(size=self.size, crop=self.crop)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON document, its weights described.

        Raises:
            DataError: The weights file does not exist.
        """
        defaults = {one.name: one.default for one in fields(self)}
        values = {**asdict(self), "weights": self.weights_description}
        return {name: v for name, v in values.items() if name not in _LATER or v != defaults[name]}
