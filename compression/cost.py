"""What a network costs: see :mod:`training.model.cost`."""

from training.model.cost import Cost, cost_of, layer_cost, widths

__all__ = ["Cost", "cost_of", "layer_cost", "widths"]
