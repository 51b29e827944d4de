"""``python -m benchmarks.peers.mosec.server``, with mosec's own settings in ``MOSEC_...`` variables.

A separate stage for preprocessing pays where the model runs on a GPU; here both want the same cores, so one stage has
as many processes as cores and photos pass between processes once.
"""

# mypy: disable-error-code="import-not-found, misc"

from typing import Any

from mosec import Server, Worker

from benchmarks.peers.model import Settings


class PhotoWorker(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.model = Settings.read().model()

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> dict[str, Any]:
        return self.model.answer(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(PhotoWorker, num=Settings.read().workers, route="/v1/predict")
    server.run()
