"""``uvicorn benchmarks.peers.fastapi.server:app --workers N``.

Blocking work belongs in a plain ``def`` endpoint, which runs in Starlette's pool of threads
(https://fastapi.tiangolo.com/async/). The lock keeps a worker process at one photo at a time, as the session is
single-threaded and the cores are shared out by the workers.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"

import threading
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from benchmarks.peers.model import Settings

app = FastAPI()
model = Settings.read().model()
one_at_a_time = threading.Lock()


async def photo(request: Request) -> bytes:
    body: bytes = await request.body()
    return body


@app.post("/v1/predict")
def predict(data: Annotated[bytes, Depends(photo)]) -> dict[str, Any]:
    with one_at_a_time:
        return model.whole_answer(data)
