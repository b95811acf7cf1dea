"""The networks that the lecture notes name, each a `StackConfig` in one line.

Inputs and outputs are the data's: "784" and "10" in the names are MNIST's. ReLU and He unless
changed: `net6(dropout=0.2)`, `wide(learning_rate=0.1)`.
"""

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


def slide_mlp(**changes: Any) -> StackConfig:
    """64 ReLU - dropout 0.5 - 64 ReLU - dropout 0.5 - 10, the slides' Keras sample."""
    return StackConfig(units=(64, 64), dropout=0.5).replace(**changes)


def _sgd(units: tuple[int, ...], changes: dict[str, Any]) -> StackConfig:
    return StackConfig(units=units, optimizer="sgd", learning_rate=0.01).replace(**changes)
