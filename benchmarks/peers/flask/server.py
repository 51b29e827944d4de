"""``gunicorn benchmarks.peers.flask.server:app`` and ``granian benchmarks.peers.flask.server:app``.

What a user writes first: one view, one model a worker process, and a lock, as the session is single-threaded and the
cores are shared out by the workers.
"""

import threading
from typing import Any

from flask import Flask, request

from benchmarks.peers.model import Settings

app = Flask(__name__)
model = Settings.read().model()
one_at_a_time = threading.Lock()


@app.post("/v1/predict")
def predict() -> dict[str, Any]:
    photo = request.get_data()
    with one_at_a_time:
        return model.whole_answer(photo)
