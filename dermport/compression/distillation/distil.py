"""The step `distil`: whatever network it is given learns from a teacher."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dermport.compression.distillation.architectures import ARCHITECTURES, TeacherTraining, trained_teacher
from dermport.compression.distillation.objective import Objective
from dermport.compression.distillation.phase import CachedTargets, DistillationPhase, OnlineTargets, SoftTargets
from dermport.compression.distillation.teacher import PARENT, Pixels, Teacher, find_teacher
from dermport.compression.distillation.teacher_outputs import Views, cached_outputs
from dermport.compression.fine_tune import STRENGTH, TrainingStep, augmented
from dermport.compression.step import StepContext, StepResult
from dermport.training.parts import PartPhotos
from dermport.training.phases.loop import Inputs

if TYPE_CHECKING:
    import keras

_TEACHER = (
    "parent, a bundle's folder, a .keras FILE, or an architecture that is trained first "
    "(MobileNetV2-1.4, EfficientNetB0, EfficientNetB3, DenseNet121 …)"
)


class Distil(TrainingStep):
    """Train all layers on the labels and on a teacher's answers; the best epoch by the labels is kept.

    A live teacher is the default: no photo is shown twice alike, and the teacher sees even blended ones. To a student
    of half the width at 192 pixels its parent adds 0.38 of the processor's time (0.60 s a step alone, 0.82 s with it).
    Kept answers cost `views` passes once, and nothing for the next student: for teachers far larger than their student,
    or many students.
    """

    kind: Literal["distil"] = "distil"
    teacher: Annotated[str, Field(min_length=1, description=_TEACHER)] = PARENT
    teacher_pixels: Annotated[Pixels, Field(description="values that a .keras FILE takes")] = "0..255"
    teacher_training: Annotated[TeacherTraining, Field(description="of an architecture")] = TeacherTraining()
    teacher_mode: Annotated[
        Literal["live", "kept"],
        Field(description="live: the teacher sees each batch; kept: its answers to `views` of each photo are kept"),
    ] = "live"
    views: Annotated[int, Field(ge=1, le=64, description="augmented copies of each photo, for kept answers")] = 8
    temperature: Annotated[float, Field(gt=0)] = 2.0
    weight: Annotated[float, Field(ge=0, le=1, description="share of the teacher's answers in the loss")] = 0.7
    features: Annotated[float, Field(ge=0, description="weight of the teacher's pooled features; 0: none")] = 0.0

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Train the network; see :class:`dermport.compression.step.CompressionStep`."""
        teacher = self._teacher(context)
        objective = Objective(context.classes, self.temperature, self.weight, self.label_smoothing, self.features)
        soft_targets, inputs = self._soft_targets(teacher, objective, context)
        with self.in_place_of(network) as student:
            optimizer, loop = self.prepared(student, context)
            model = objective.model(student, teacher.width, context.seed)
            objective.compile(model, optimizer)
            phase = DistillationPhase(
                self.kind,
                f"Learning from {teacher.name}",
                model,
                self.epochs,
                inputs,
                context.parts.validation.tensors,
                self.mixup,
                network=student,
                soft_targets=soft_targets,
            )
            history = loop.run(phase)
            agreement = _agreement(teacher, phase, context)
        note = f"learned from {teacher.name} (sha256 {teacher.sha256[:12]}), T {self.temperature:g}"
        return StepResult(network, agreement, (note,), history)

    def _teacher(self, context: StepContext) -> Teacher:
        if self.teacher in ARCHITECTURES:
            return trained_teacher(self.teacher, self.teacher_training, context)
        return find_teacher(self.teacher, self.teacher_pixels, context)

    def _soft_targets(self, teacher: Teacher, objective: Objective, context: StepContext) -> tuple[SoftTargets, Inputs]:
        """Return where the teacher's answers come from, and what the student is shown."""
        train = context.parts.train
        theirs = _prepared_for(teacher, train)
        if self.teacher_mode == "live":
            own = None if theirs is train else augmented(theirs.tensors, self.augmentation)
            return OnlineTargets(teacher, objective, own), augmented(train.tensors, self.augmentation)
        views = Views(self.views, STRENGTH[self.augmentation], context.seed)
        folder = context.cache / "answers"
        answers = cached_outputs(
            folder, teacher, theirs, views, features=bool(self.features), progress=context.progress
        )
        kept = CachedTargets(answers, objective, views)
        return kept, kept.inputs(train.tensors)


def _prepared_for(teacher: Teacher, photos: PartPhotos) -> PartPhotos:
    """Return the photos as the teacher takes them; `photos` themselves where that is how the student does."""
    same = teacher.preprocessing == photos.preprocessing
    return photos if same else replace(photos, preprocessing=teacher.preprocessing)


def _agreement(teacher: Teacher, phase: DistillationPhase, context: StepContext) -> dict[str, float]:
    """Return, of the validation photos, the teacher's accuracy, and how often the student names the teacher's class."""
    photos = _prepared_for(teacher, context.parts.validation)
    taught = teacher.logits(photos.tensors).argmax(axis=1)
    learned = phase.logits().argmax(axis=1)
    return {
        "teacher_accuracy": float((taught == photos.targets).mean()),
        "agreement_with_teacher": float((taught == learned).mean()),
    }
