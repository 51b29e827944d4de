"""``bentoml serve benchmarks.peers.bentoml.server:Photos``.

Workers are processes, one a core, each with one thread for blocking work (BentoML's default); a positional-only
argument is the body itself ("root input"), and a photo arrives as a ``Path``.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType

from benchmarks.peers.model import Settings

settings = Settings.read()


@bentoml.service(workers=settings.workers, logging={"access": {"enabled": False}})
class PhotoService:
    def __init__(self) -> None:
        self.model = settings.model()

    @bentoml.api(route="/v1/predict")
    def predict(self, photo: Annotated[Path, ContentType("image/*")], /) -> dict[str, Any]:
        return self.model.answer(photo.read_bytes())
