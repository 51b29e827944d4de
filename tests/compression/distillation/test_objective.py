from __future__ import annotations

import numpy as np
import pytest

from dermport.compression.distillation.objective import Objective, standardised
from dermport.statistics.temperature import at_temperature

RANDOM = np.random.default_rng(0)
TEMPERATURE = 3.0


def _entropy(truth: np.ndarray, given: np.ndarray) -> np.ndarray:
    return -(truth * np.log(given)).sum(axis=1)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_loss_is_the_weighted_sum(classes: int) -> None:
    objective = Objective(classes, TEMPERATURE, weight=0.6, smoothing=0.1, features=0.5)
    student, teacher = RANDOM.normal(0, 2, (2, 6, classes))
    theirs, mapped = RANDOM.normal(0, 1, (2, 6, 4))
    labels = np.eye(classes)[RANDOM.integers(classes, size=6)]
    one = classes == 2
    logits = student[:, 1:] - student[:, :1] if one else student
    truth = np.concatenate([labels[:, 1:] if one else labels, objective.soft_targets(teacher, theirs)], axis=1)
    given = np.concatenate([logits, mapped], axis=1).astype(np.float32)
    found = np.asarray(objective._loss()(truth.astype(np.float32), given))
    soft, answers = at_temperature(teacher, TEMPERATURE), at_temperature(student, TEMPERATURE)
    divergence = _entropy(soft, answers) - _entropy(soft, soft)
    hard = _entropy(0.9 * labels + 0.1 / classes, at_temperature(student, 1))
    distance = np.square(standardised(theirs) - mapped).mean(axis=1)
    np.testing.assert_allclose(found, 0.4 * hard + 0.6 * 9 * divergence + 0.5 * distance, rtol=1e-4)
    right = np.asarray(objective._accuracy()(truth, given))
    np.testing.assert_array_equal(right, student.argmax(axis=1) == labels.argmax(axis=1))


def test_a_student_that_answers_as_its_teacher_does_loses_nothing() -> None:
    objective = Objective(5, TEMPERATURE, weight=1.0)
    logits = RANDOM.normal(0, 2, (6, 5)).astype(np.float32)
    truth = np.concatenate([np.eye(5)[[0] * 6], objective.soft_targets(logits, np.empty((6, 0)))], axis=1)
    np.testing.assert_allclose(np.asarray(objective._loss()(truth.astype(np.float32), logits + 7)), 0, atol=1e-5)
