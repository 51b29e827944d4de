"""The record of a search: an Optuna study in SQLite, which a killed search goes on with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.bundle.hashing import sha256_bytes
from dermport.compression.search.candidate import Candidate, MeasuredCandidate, Structure
from dermport.errors import UnavailableError

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
    It is seeded anew for each candidate, so that a search that was killed goes on as it would have. Of candidates that
    are under way it thinks badly until they are measured, so that it looks elsewhere (the "constant liar": Ginsbourger
    et al. 2010, "Kriging is well-suited to parallelize optimization"). One process alone asks and tells.

    Args:
        path: The database.
        space: All candidates that there are.
        seed: Of the sampler.

    Raises:
        UnavailableError: Optuna is not installed.
    """

    _under_way: dict[Candidate, optuna.Trial]

    def __init__(self, path: Path, space: Sequence[Candidate], seed: int) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._space, self._seed = space, seed
        self._under_way = {}
        self._study = optuna.create_study(
            storage=f"sqlite:///{path.resolve()}",
            study_name=_NAME,
            directions=("maximize", "minimize", "minimize"),
            load_if_exists=True,
        )
        self._interrupted = self._close_dead()

    @property
    def measured(self) -> tuple[MeasuredCandidate, ...]:
        """What was measured so far, in the order in which it was told."""
        import optuna

        trials = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        told = (MeasuredCandidate.model_validate_json(trial.user_attrs[_RECORD]) for trial in trials)
        return tuple(sorted(told, key=lambda one: one.number))

    @property
    def under_way(self) -> int:
        """How many candidates were asked and not told yet."""
        return len(self._under_way)

    @property
    def left(self) -> tuple[Candidate, ...]:
        """What is neither measured nor refused nor under way, in the space's order."""
        known = self._known()
        return tuple(candidate for candidate in self._space if candidate not in known)

    def _known(self) -> set[Candidate]:
        return {one.candidate for one in self.measured} | set(self.refused) | set(self._under_way)

    def ask(self, first: Sequence[Candidate]) -> Candidate | None:
        """Return the next candidate, which is then under way; None when there is none but those.

        What a killed run was at comes before everything else.

        Args:
            first: Candidates that come before the sampler's own.
        """
        left = self.left
        if not left:
            return None
        trial, candidate = self._next(left, first)
        self._under_way[candidate] = trial
        return candidate

    def _next(self, left: Sequence[Candidate], first: Sequence[Candidate]) -> tuple[optuna.Trial, Candidate]:
        if wanted := next((candidate for candidate in (*self._interrupted, *first) if candidate in left), None):
            return self._enqueued(wanted)
        known = len(self._known())
        for attempt in range(_ATTEMPTS):
            trial, candidate = self._sampled(known, attempt)
            if candidate in left:
                return trial, candidate
            self._repeated(trial, candidate)
        return self._enqueued(left[_draw(f"{self._seed}:{known}:left") % len(left)])

    def tell(self, measured: MeasuredCandidate) -> MeasuredCandidate:
        """Store what was measured of a candidate that is under way, and return it with its number."""
        numbered = measured.model_copy(update={"number": len(self.measured) + 1})
        trial = self._under_way.pop(measured.candidate)
        trial.set_user_attr(_RECORD, numbered.model_dump_json())
        values = (measured.balanced_accuracy, measured.latency.ratio, float(measured.artifact_bytes))
        self._study.tell(trial, values)
        return numbered

    @property
    def refused(self) -> dict[Candidate, str]:
        """Candidates that cannot be made, with the reason."""
        trials = self._study.get_trials(deepcopy=False)
        said = [trial.user_attrs[_REFUSED] for trial in trials if _REFUSED in trial.user_attrs]
        names = {candidate.name: candidate for candidate in self._space}
        return {names[one["name"]]: one["why"] for one in said}

    def refuse(self, candidate: Candidate, why: str) -> None:
        """Store that a candidate that is under way cannot be made; it is not asked for again."""
        trial = self._under_way.pop(candidate)
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
                n_startup_trials=_STARTUP,
                multivariate=True,
                constant_liar=True,
                seed=_draw(f"{self._seed}:{known}:{attempt}"),
            )
        return self._asked()

    def _asked(self) -> tuple[optuna.Trial, Candidate]:
        trial = self._study.ask()
        values: dict[str, Any] = {name: trial.suggest_categorical(name, choices) for name, choices in self._choices()}
        return trial, self._candidate(values)

    def _candidate(self, values: Mapping[str, Any]) -> Candidate:
        structure = Structure(values["start"], values["size"], values["keep"])
        return self._possible(Candidate(structure, values["export"]))

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

    def _close_dead(self) -> tuple[Candidate, ...]:
        """End the trials that a killed run left open; return their candidates, as far as they were chosen."""
        import optuna

        state = optuna.trial.TrialState
        dead = self._study.get_trials(deepcopy=False, states=(state.RUNNING, state.WAITING))
        for trial in dead:
            self._study.tell(trial.number, state=state.FAIL)
        names = [name for name, _ in self._choices()]
        return tuple(self._candidate(trial.params) for trial in dead if all(name in trial.params for name in names))


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
