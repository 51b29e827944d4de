"""The energy counters of NVIDIA cards, by NVIDIA's management library (NVML).

Source: https://docs.nvidia.com/deploy/nvml-api, "nvmlDeviceGetTotalEnergyConsumption": millijoules since the driver was
loaded, of cards since Volta.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from dermport.errors import UnavailableError


class NvidiaCards:
    """The cards of this machine that count their energy; use it in a ``with`` block.

    Raises:
        UnavailableError: On entering, if nvidia-ml-py, the driver or such a card is missing.
    """

    def __enter__(self) -> NvidiaCards:
        try:
            import pynvml
        except ImportError as error:
            raise UnavailableError(
                "nvidia-ml-py is not installed.", remedy="pip install 'dermport[nvidia]' measures NVIDIA cards."
            ) from error
        self._nvml: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise UnavailableError(f"NVIDIA's driver does not answer: {error}.") from error
        count = pynvml.nvmlDeviceGetCount()
        self._cards = {f"gpu-{index}": pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)}
        if not self.read():
            pynvml.nvmlShutdown()
            raise UnavailableError("No NVIDIA card here counts its energy.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nvml.nvmlShutdown()

    def read(self) -> dict[str, float]:
        """Return the energy of each card since its driver was loaded, joules; one that does not count is absent."""
        joules = {}
        for name, card in self._cards.items():
            try:
                joules[name] = self._nvml.nvmlDeviceGetTotalEnergyConsumption(card) / 1000
            except self._nvml.NVMLError:
                continue
        return joules
