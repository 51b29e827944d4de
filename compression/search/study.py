"""The record of a search: an Optuna study in SQLite, which a killed search goes on with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import UnavailableError
from bundle.hashing import sha256_bytes
from compression.search.candidate import Candidate, Structure
from compression.search.record import Measured

if TYPE_CHECKING:
    import optuna

FILE = "study.db"
_NAME = "dermport-search"
_RECORD, _REPEATS, _REFUSED = "measured", "repeats", "refused"
_STARTUP = 10  # trials before the sampler learns from them; until then it draws at random
_ATTEMPTS = 20  # of the sampler at a candidate that is new, before one is drawn from what is left


class Study:
    """The trials of a search.

    The sampler is Optuna's tree-structured Parzen estimator for several objectives (Ozaki et al. 2022, "Multiobjective
    tree-structured Parzen estimator", JAIR 73): balanced accuracy is to be large, latency and bytes are to be small.
    It is seeded anew for each candidate, so that a search that was killed goes on as it would have.

    Args:
        path: The database.
        space: All candidates that there are.
        seed: Of the sampler.

    Raises:
        UnavailableError: Optuna is not installed.
    """

    def __init__(self, path: Path, space: Sequence[Candidate], seed: int) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._space, self._seed = space, seed
        self._study = optuna.create_study(
            storage=f"sqlite:///{path.resolve()}",
            study_name=_NAME,
            directions=("maximize", "minimize", "minimize"),
            load_if_exists=True,
        )
        self._close_dead()

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What was measured so far, in order."""
        import optuna

        trials = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        return tuple(Measured.model_validate_json(trial.user_attrs[_RECORD]) for trial in trials)

    def ask(self, first: Sequence[Candidate]) -> tuple[optuna.Trial, Candidate] | None:
        """Return the next candidate, with the trial to be told about it; None when the whole space is measured.

        Args:
            first: Candidates that come before the sampler's own.
        """
        known = {one.candidate for one in self.measured} | set(self.refused)
        left = [candidate for candidate in self._space if candidate not in known]
        if not left:
            return None
        if wanted := next((candidate for candidate in first if candidate not in known), None):
            return self._enqueued(wanted)
        for attempt in range(_ATTEMPTS):
            trial, candidate = self._sampled(len(known), attempt)
            if candidate in left:
                return trial, candidate
            self._repeated(trial, candidate)
        return self._enqueued(left[_draw(f"{self._seed}:{len(known)}:left") % len(left)])

    def tell(self, trial: optuna.Trial, measured: Measured) -> None:
        """Store what was measured of a candidate."""
        trial.set_user_attr(_RECORD, measured.model_dump_json())
        values = (measured.balanced_accuracy, measured.latency.ratio, float(measured.artifact_bytes))
        self._study.tell(trial, values)

    @property
    def refused(self) -> dict[Candidate, str]:
        """Candidates that cannot be made, with the reason."""
        trials = self._study.get_trials(deepcopy=False)
        said = [trial.user_attrs[_REFUSED] for trial in trials if _REFUSED in trial.user_attrs]
        names = {candidate.name: candidate for candidate in self._space}
        return {names[one["name"]]: one["why"] for one in said}

    def refuse(self, trial: optuna.Trial, candidate: Candidate, why: str) -> None:
        """Store that a candidate cannot be made; it is not asked for again."""
        trial.set_user_attr(_REFUSED, {"name": candidate.name, "why": why})
        self._failed(trial)

    def _enqueued(self, candidate: Candidate) -> tuple[optuna.Trial, Candidate]:
        self._study.enqueue_trial(_parameters(candidate))
        return self._asked()

    def _sampled(self, known: int, attempt: int) -> tuple[optuna.Trial, Candidate]:
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that options of the sampler are experimental
            self._study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=_STARTUP, multivariate=True, seed=_draw(f"{self._seed}:{known}:{attempt}")
            )
        return self._asked()

    def _asked(self) -> tuple[optuna.Trial, Candidate]:
        trial = self._study.ask()
        values: dict[str, Any] = {name: trial.suggest_categorical(name, choices) for name, choices in self._choices()}
        structure = Structure(values["start"], values["size"], values["keep"])
        return trial, self._possible(Candidate(structure, values["export"]))

    def _choices(self) -> list[tuple[str, list[Any]]]:
        rows = [_parameters(candidate) for candidate in self._space]
        return [(name, sorted({row[name] for row in rows})) for name in rows[0]]

    def _possible(self, candidate: Candidate) -> Candidate:
        """Return a candidate of the space: of a start that cannot be changed, the start itself."""
        if candidate in self._space:
            return candidate
        same = [one for one in self._space if one.structure.start == candidate.structure.start]
        return next((one for one in same if one.export == candidate.export), same[0])

    def _repeated(self, trial: optuna.Trial, candidate: Candidate) -> None:
        trial.set_user_attr(_REPEATS, candidate.name)
        self._failed(trial)

    def _failed(self, trial: optuna.Trial) -> None:
        import optuna

        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _close_dead(self) -> None:
        """End the trials that a killed run left open, so that their candidates are asked for again."""
        import optuna

        for state in (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING):
            for trial in self._study.get_trials(deepcopy=False, states=(state,)):
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UnavailableError("Optuna is not installed.", remedy="pip install 'dermport[compress]'") from error
    return optuna


def _parameters(candidate: Candidate) -> dict[str, Any]:
    structure = candidate.structure
    return {"start": structure.start, "size": structure.size, "keep": structure.keep, "export": candidate.export}


def _draw(text: str) -> int:
    return int(sha256_bytes(text.encode())[:8], 16)
