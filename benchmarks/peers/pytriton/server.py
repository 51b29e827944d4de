"""``python -m benchmarks.peers.pytriton.server``: NVIDIA's Triton, with Python callables behind it.

"Multi-instance": a list of callables, one a core, each with its own session; no batches, as they do not pay on a CPU.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.model import Model, Settings


class PhotoFunction:
    def __init__(self, model: Model) -> None:
        self.model = model

    def __call__(self, requests: list[Request]) -> list[dict[str, np.ndarray]]:
        return [self.answer(request["photo"][0]) for request in requests]

    def answer(self, photo: bytes) -> dict[str, np.ndarray]:
        answer = self.model.answer(photo)
        probabilities = np.array(list(answer["probabilities"].values()), np.float32)
        labels = np.char.encode(np.array([answer["label"], *answer["probabilities"]]), "utf-8")
        return {"label": labels[:1], "labels": labels[1:], "probabilities": probabilities}


if __name__ == "__main__":
    settings = Settings.read()
    config = TritonConfig(
        http_address="127.0.0.1", http_port=settings.port, allow_grpc=False, allow_metrics=False, log_verbose=0
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="photos",
            infer_func=[PhotoFunction(settings.model()) for _ in range(settings.workers)],
            inputs=[Tensor(name="photo", dtype=np.bytes_, shape=(1,))],
            outputs=[
                Tensor(name="label", dtype=np.bytes_, shape=(1,)),
                Tensor(name="labels", dtype=np.bytes_, shape=(-1,)),
                Tensor(name="probabilities", dtype=np.float32, shape=(-1,)),
            ],
            config=ModelConfig(batching=False),
        )
        triton.serve()
