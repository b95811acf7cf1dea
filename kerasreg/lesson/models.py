"""The networks that the lecture notes name, each a `StackConfig` in one line.

Inputs and outputs are the data's: "784" and "10" in the names are MNIST's. ReLU and He unless
changed: `net6(dropout=0.2)`, `wide(learning_rate=0.1)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasreg.stacks import StackConfig


def net6(**changes: Any) -> StackConfig:
    """784-[100]x6-10, the overfitting net of chapter 6: SGD with learning rate 0.01."""
    return _sgd((100,) * 6, changes)


def net5(**changes: Any) -> StackConfig:
    """784-[100]x5-10, the batch normalisation net of chapter 6: SGD with learning rate 0.01."""
    return _sgd((100,) * 5, changes)


def net4(**changes: Any) -> StackConfig:
    """784-[100]x4-10, the optimiser and initialisation net of chapter 6: SGD, rate 0.01."""
    return _sgd((100,) * 4, changes)


def wide(**changes: Any) -> StackConfig:
    """784-512-512-10, wide enough for high dropout rates: SGD with learning rate 0.1."""
    return _sgd((512, 512), {"learning_rate": 0.1, **changes})


def lecture_mlp(rate: float = 0.3, **changes: Any) -> StackConfig:
    """784-512-512-512-512-10 with dropout after each hidden layer: Adam, learning rate 0.001."""
    return StackConfig(units=(512,) * 4, dropout=rate).replace(**changes)


def slide_mlp(**changes: Any) -> StackConfig:
    """64 ReLU - dropout 0.5 - 64 ReLU - dropout 0.5 - 10, the slides' Keras sample."""
    return StackConfig(units=(64, 64), dropout=0.5).replace(**changes)


def graded_mlp(
    layer_sizes: Sequence[int] = (3, 7, 7, 3, 2, 1),
    keep: Sequence[float] | None = None,
    **changes: Any,
) -> StackConfig:
    """3-7-7-3-2-1 with a probability of keeping for each layer.

    Args:
        layer_sizes: Input, hidden layers, output. Build it for the same input and output:
            `build_stack(graded_mlp(), 3, 1)`.
        keep: Probability of keeping for the input and each hidden layer; None asks
            `kerasreg.layers.suggest_keep_rates`, which gives (1.0, 0.7, 0.5, 0.7, 1.0).
        **changes: Fields of the `StackConfig`.
    """
    from kerasreg.layers import suggest_keep_rates

    keep = suggest_keep_rates(layer_sizes) if keep is None else keep
    # One minus 0.7 is 0.30000000000000004; rates are written as a person would.
    rates = [round(1 - value, 12) for value in keep]
    return StackConfig(
        units=tuple(layer_sizes[1:-1]), input_dropout=rates[0], dropout=tuple(rates[1:])
    ).replace(**changes)


def _sgd(units: tuple[int, ...], changes: dict[str, Any]) -> StackConfig:
    return StackConfig(units=units, optimizer="sgd", learning_rate=0.01).replace(**changes)
