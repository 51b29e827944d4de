"""Documents in TOML that come with dermport by name, or are a file of somebody's own: recipes and protocols."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dermport.bundle.toml import TOMLDecodeError, loads
from dermport.contract import Contract
from dermport.errors import UsageError

SUFFIX = ".toml"
Document = TypeVar("Document", bound=Contract)


@dataclass(frozen=True)
class NamedDocuments:
    """Documents of one kind.

    Attributes:
        kind: In words, e.g. ``"recipe"``.
        package: Whose resources they are.
        folder: Within the package.
    """

    kind: str
    package: str
    folder: str

    def names(self) -> tuple[str, ...]:
        """Return the names of those that come with dermport, sorted."""
        files = (path.name for path in self._resources().iterdir())
        return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))

    def load(
        self,
        name: str,
        model: type[Document],
        changes: Sequence[str] = (),
        *,
        change: Callable[[dict[str, Any], str], None],
    ) -> Document:
        """Return a document by name, or one from a TOML file.

        Args:
            name: One of :meth:`names`, or a file's path.
            model: What it is validated as.
            changes: Of its options, as a person types them.
            change: Makes one of these in the document.

        Raises:
            UsageError: There is no such document, it is not valid, or a change names nothing in it.
        """
        document = self._read(name)
        for one in changes:
            change(document, one)
        try:
            return model.model_validate_json(json.dumps(document))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise UsageError(f"The {self.kind} {name} is not valid: {where}: {first['msg']}.") from error

    def _read(self, name: str) -> dict[str, Any]:
        if name in self.names():
            text = self._resources().joinpath(name + SUFFIX).read_text(encoding="utf-8")
        elif Path(name).is_file():
            text = Path(name).read_text(encoding="utf-8")
        else:
            raise UsageError(
                f"There is no {self.kind} {name!r}.",
                remedy=f"{self.kind.capitalize()}s: {', '.join(self.names())}; or name a FILE{SUFFIX} of your own.",
            )
        try:
            return loads(text)
        except TOMLDecodeError as error:
            raise UsageError(f"The {self.kind} {name} is not TOML: {error}.") from error

    def _resources(self) -> Any:
        return resources.files(self.package) / self.folder


def value_of(text: str) -> Any:
    """Return what a person typed for an option: a value as in JSON, other words as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
