"""Which rails of a Jetson together are what it draws.

Sources: "Software-Based Power Consumption Modeling" of the Jetson Linux Developer Guide, e.g.
https://docs.nvidia.com/jetson/archives/r36.3/DeveloperGuide/SD/PlatformPowerAndPerformance/JetsonOrinNanoSeriesJetsonOrinNxSeriesAndJetsonAgxOrinSeries.html
"""

from __future__ import annotations

from collections.abc import Collection

from dermport.errors import UnavailableError

# The first line whose rails are all there is taken: an input rail includes the others, which else are added up.
_TOTALS: tuple[tuple[str, ...], ...] = (
    ("VDD_IN",),  # Orin Nano, Orin NX, Xavier NX, TX2
    ("POM_5V_IN",),  # Nano
    ("VIN",),  # Thor: the board's input
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),  # AGX Orin; VDDQ_VDD2_1V8AO is part of VIN_SYS_5V0
    ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"),  # Thor, where its input's sensor is hidden
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),  # AGX Xavier
)


def total_rails(names: Collection[str]) -> tuple[str, ...]:
    """Return the rails whose powers add up to what the module draws.

    Raises:
        UnavailableError: No such set of rails is known.
    """
    for rails in _TOTALS:
        if set(rails) <= set(names):
            return rails
    raise UnavailableError(f"Which of the rails {', '.join(sorted(names))} make the whole module is not known.")
