"""The options of a training, listed once for every command that trains: ``train`` and ``cross-validate``."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dermport.cli.options import Data, Jobs, Out, Seed

if TYPE_CHECKING:
    from dermport.training.request import Request

_PHASES = "Training"
_PHOTOS = "Photos"


def training_request(
    data: Data,
    out: Out,
    name: Annotated[str, typer.Option("--name", help="The bundle's name. Default: the last part of --out.")] = "",
    task: Annotated[
        str, typer.Option("--task", help="ham7, cancer, or a grouping table of your own: FILE.toml[:NAME].")
    ] = "ham7",
    require_metadata: Annotated[
        bool,
        typer.Option("--require-metadata", help="Leave out photos with incomplete metadata.", rich_help_panel=_PHOTOS),
    ] = False,
    lesion_pattern: Annotated[
        str | None,
        typer.Option(
            "--lesion-pattern",
            help="For a folder per class: a regular expression whose first group, in a file's name, is the lesion.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    input_size: Annotated[
        int, typer.Option("--input-size", help="Side of the model's input, pixels.", rich_help_panel=_PHOTOS)
    ] = 224,
    crop: Annotated[
        Literal["full-frame", "centre-square"],
        typer.Option("--crop", help="What of a photo the model sees.", rich_help_panel=_PHOTOS),
    ] = "full-frame",
    weights: Annotated[
        str, typer.Option("--weights", help="What the trunk starts from: imagenet (downloaded), none, or a FILE.")
    ] = "imagenet",
    alpha: Annotated[float, typer.Option("--alpha", help="Width multiplier of MobileNetV2.")] = 1.0,
    epochs: Annotated[
        int,
        typer.Option("--epochs", help="Epochs of the classification layer, trunk frozen.", rich_help_panel=_PHASES),
    ] = 50,
    lr: Annotated[float, typer.Option("--lr", help="Learning rate of these (Adam).", rich_help_panel=_PHASES)] = 1e-3,
    views: Annotated[
        int,
        typer.Option(
            "--views", help="Views of each photo in these: itself and augmented copies.", rich_help_panel=_PHASES
        ),
    ] = 2,
    fine_tune: Annotated[
        Literal["last4", "all", "none"],
        typer.Option(
            "--fine-tune",
            help="Then: the trunk's last four layers, as published; all layers, for the best model; or none.",
            rich_help_panel=_PHASES,
        ),
    ] = "last4",
    fine_tune_epochs: Annotated[
        int | None,
        typer.Option("--fine-tune-epochs", help="Default: 20 for last4, 14 for all.", rich_help_panel=_PHASES),
    ] = None,
    fine_tune_lr: Annotated[
        float | None,
        typer.Option(
            "--fine-tune-lr",
            help="Default: 0.0001 for last4, 0.0005 for all, 0.012 from scratch.",
            rich_help_panel=_PHASES,
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="Photos a step.", rich_help_panel=_PHASES)] = 32,
    dropout: Annotated[
        float, typer.Option("--dropout", help="Share of features dropped while training.", rich_help_panel=_PHASES)
    ] = 0.2,
    balance: Annotated[
        Literal["none", "sqrt", "full"],
        typer.Option("--balance", help="Class weights: equal, 1/sqrt(count), 1/count.", rich_help_panel=_PHASES),
    ] = "sqrt",
    mixup: Annotated[
        float | None,
        typer.Option(
            "--mixup",
            help="While all layers are trained, blend photos in pairs by Beta(x, x); 0: never. Default: 0.2.",
            rich_help_panel=_PHASES,
        ),
    ] = None,
    patience: Annotated[
        int,
        typer.Option(
            "--patience",
            help="Stop a phase after so many epochs without a better one; 0: never.",
            rich_help_panel=_PHASES,
        ),
    ] = 0,
    target_sensitivity: Annotated[
        float, typer.Option("--target-sensitivity", help="What the decision's threshold is chosen for.")
    ] = 0.9,
    answer_rate: Annotated[
        float | None,
        typer.Option(
            "--answer-rate",
            help="Share of the validation photos to answer; of others the model cannot tell. Default: answers all.",
        ),
    ] = None,
    fused_norm: Annotated[
        bool,
        typer.Option(
            "--fused-norm",
            help="Train all layers with TensorFlow's fused batch normalisation: faster, rounded otherwise.",
            rich_help_panel=_PHASES,
        ),
    ] = False,
    precision: Annotated[
        Literal["float32", "mixed_bfloat16"],
        typer.Option(
            "--compute-precision",
            help="In which all layers are trained; mixed_bfloat16 is for GPUs. The saved model is float32.",
            rich_help_panel=_PHASES,
        ),
    ] = "float32",
    xla: Annotated[
        bool, typer.Option("--xla", help="Compile the steps that train all layers (GPU).", rich_help_panel=_PHASES)
    ] = False,
    distribute: Annotated[
        Literal["none", "mirrored"],
        typer.Option(
            "--distribute",
            help="mirrored: share each batch of training all layers among this machine's GPUs (tf.distribute).",
            rich_help_panel=_PHASES,
        ),
    ] = "none",
    seed: Seed = 0,
    jobs: Jobs = 0,
) -> Request:
    """Return what these options ask for."""
    from dermport.training.recipe import Recipe
    from dermport.training.request import Request

    recipe = Recipe(
        weights=weights,
        alpha=alpha,
        size=input_size,
        crop=crop,
        epochs=epochs,
        learning_rate=lr,
        dropout=dropout,
        views=views,
        fine_tune=fine_tune,
        fine_tune_epochs=fine_tune_epochs,
        fine_tune_rate=fine_tune_lr,
        batch=batch,
        balance=balance,
        patience=patience,
        seed=seed,
        mixup=mixup,
        fused_norm=fused_norm,
        distribute=distribute,
        precision=precision,
        xla=xla,
    )
    return Request(
        data,
        out,
        name or bundle_name(out),
        task,
        recipe,
        target_sensitivity,
        require_metadata,
        lesion_pattern,
        jobs or None,
        shlex.join(["dermport", *sys.argv[1:]]),
        answer_rate,
    )


def asks_training(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with the options of a training before its own; it is given their request as ``request``."""
    listed = _resolved(training_request)
    own = {name: one for name, one in _resolved(command).items() if name != "request"}

    @wraps(command)
    def asked(**options: Any) -> None:
        given = {name: options.pop(name) for name in listed}
        command(request=training_request(**given), **options)

    parameters = {**listed, **own}
    asked.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    asked.__annotations__ = {name: one.annotation for name, one in parameters.items()}
    return asked


def _resolved(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a function's parameters by name, by keyword, with their annotations evaluated."""
    # `Request` stands for the class, whose import would load pydantic for --help.
    signature = inspect.signature(function, locals={"Request": Any}, eval_str=True)
    return {name: one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, one in signature.parameters.items()}


def bundle_name(out: Path) -> str:
    """Return the folder's name as a bundle's name may be: small letters, digits and ``._-``."""
    return re.sub(r"[^a-z0-9._-]+", "-", out.resolve().name.lower()).lstrip("._-")[:64] or "model"
