"""``python -m benchmarks.peers.litserve.server``.

LitServer's documentation: on a CPU, ``workers_per_device`` is the number of cores; ``num_api_servers`` is left at its
default, the number of workers; ``fast_queue`` (ZeroMQ) is for more than a hundred requests a second.
"""

# mypy: disable-error-code="import-not-found, misc"

from typing import Annotated, Any

import litserve
from fastapi import Body

from benchmarks.peers.model import Settings


class PhotoAPI(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = Settings.read().model()

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        return request

    def predict(self, x: bytes) -> dict[str, Any]:
        return self.model.answer(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    settings = Settings.read()
    server = litserve.LitServer(
        PhotoAPI(api_path="/v1/predict"),
        accelerator="cpu",
        workers_per_device=settings.workers,
        fast_queue=True,
    )
    server.run(host="127.0.0.1", port=settings.port, log_level="warning", generate_client_file=False)
