"""The values that members may differ in: hyperparameters by (layer, name), and as arrays.

Those of the optimiser and the loss have layer -1.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kerasreg.population.blueprint import NORMALIZATION_KINDS, Blueprint
from kerasreg.population.optimizers import VALUES
from kerasreg.population.widths import masked_layers
from kerasreg.stacks import StackConfig

Name = tuple[int, str]
Values = Mapping[Name, float]

# Keras' defaults, which a StackConfig does not change.
ADAM = {"beta_1": 0.9, "beta_2": 0.999}
EPSILON = 1e-7
#: Values that a program leaves out when they are 0 for every member.
OPTIONAL = (
    *("l1", "l2", "rate", "weight_decay", "label_smoothing"),
    *("cosine", "global_clipnorm", "width"),
)


def values_of_config(config: StackConfig, blueprint: Blueprint) -> dict[tuple[int, str], float]:
    """A config's values by (layer, name)."""
    values: dict[tuple[int, str], float] = {}
    for layer, spec in enumerate(blueprint.layers):
        if spec.kind == "dense":
            values[layer, "l1"] = config.kernel_l1[spec.index - 1]
            values[layer, "l2"] = config.kernel_l2[spec.index - 1]
        elif spec.kind == "dropout":
            rate = config.dropout_rates[spec.index - 1] if spec.index else config.input_dropout
            values[layer, "rate"] = rate
        elif spec.kind in NORMALIZATION_KINDS:
            values[layer, "epsilon"] = config.norm_epsilon
            values[layer, "momentum"] = config.norm_momentum
    optimizer = {
        "learning_rate": config.learning_rate,
        "cosine": float(config.schedule == "cosine"),
        "global_clipnorm": config.global_clipnorm,
        "weight_decay": config.weight_decay,
        "label_smoothing": config.label_smoothing,
        "momentum": config.momentum,
        "rho": config.rho,
        "initial_accumulator": config.initial_accumulator,
        "epsilon": EPSILON,
        **ADAM,
    }
    return values | {(-1, name): value for name, value in optimizer.items()}


def value_names(blueprint: Blueprint) -> list[tuple[int, str]]:
    """Names of every value that a blueprint's members may differ in."""
    names = []
    for layer, spec in enumerate(blueprint.layers):
        if spec.kind == "dense":
            names += [(layer, "l1"), (layer, "l2")]
        elif spec.kind == "dropout":
            names.append((layer, "rate"))
        elif spec.kind == "batch":
            names += [(layer, "epsilon"), (layer, "momentum"), (layer, "1 - momentum")]
        elif spec.kind in ("layer", "group"):
            names.append((layer, "epsilon"))
    names += [(layer, "width") for layer in masked_layers(blueprint)]
    rule = ("learning_rate", "cosine", "global_clipnorm", "weight_decay", "label_smoothing")
    return names + [(-1, name) for name in (*rule, *VALUES[blueprint.optimizer])]


def active_names(members: Sequence[Values], blueprint: Blueprint) -> tuple[Name, ...]:
    """The names that a program of these members takes: all but optional ones that are 0 for all."""
    return tuple(
        (layer, name)
        for layer, name in value_names(blueprint)
        if name not in OPTIONAL or any(values.get((layer, name)) for values in members)
    )


def stack_values(members: Sequence[Values], names: Sequence[Name], dtype: str) -> list[np.ndarray]:
    """An array (members, 1, 1) for each name; `1 - NAME` is computed before rounding."""
    arrays = []
    for layer, name in names:
        source = name.removeprefix("1 - ")
        values = np.array([values[layer, source] for values in members], np.float64)
        values = values if source == name else 1 - values
        arrays.append(values.astype(dtype).reshape(-1, 1, 1))
    return arrays
