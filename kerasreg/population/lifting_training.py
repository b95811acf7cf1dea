"""Lifting, the rest: a model's loss and optimiser as a blueprint's words and values."""

from typing import Any

import keras

from kerasreg.losses import SmoothedCrossentropy
from kerasreg.population.lifting_layers import PROBABILITIES, Chain, require

Values = dict[tuple[int, str], float]


def read_loss(model: keras.Model, chain: Chain) -> tuple[str, Values]:
    """The blueprint's name of the loss, and its values.

    Where the loss computes the last activation itself, it is taken off the chain.

    Raises:
        UserError: A loss that a stack does not have, or that does not fit the last layer.
    """
    compiled = model._compile_loss
    require(
        compiled is not None and compiled._user_loss_weights is None, "no loss, or loss_weights"
    )
    loss, from_logits, smoothing = loss_kind(model.loss)
    chain.require_last(chain.width > 1 if loss == "softmax" else chain.width == 1)
    last = chain.last_activation
    folded = last == {"softmax": "softmax", "binary": "sigmoid"}.get(loss)
    if loss in ("softmax", "binary"):
        chain.require_last(folded or (from_logits and last not in PROBABILITIES))
    else:
        chain.require_last(last != "softmax")
    if folded:
        chain.specs.pop()
    return loss, {(-1, "label_smoothing"): smoothing}


def loss_kind(given: Any, reduction: str = "sum_over_batch_size") -> tuple[str, bool, float]:
    """The blueprint's name of a Keras loss, whether it takes logits, and its label smoothing.

    Raises:
        UserError: A loss, or an option of it, that a stack does not have.
    """
    from keras import losses

    require(not isinstance(given, list | tuple | dict), "more than one loss")
    loss = losses.get(given)
    kinds = {
        losses.sparse_categorical_crossentropy: "softmax",
        losses.categorical_crossentropy: "softmax",
        losses.binary_crossentropy: "binary",
        losses.mean_squared_error: "mse",
        losses.mean_absolute_error: "mae",
        losses.huber: "huber",
        losses.SparseCategoricalCrossentropy: "softmax",
        losses.CategoricalCrossentropy: "softmax",
        SmoothedCrossentropy: "softmax",
        losses.BinaryCrossentropy: "binary",
        losses.MeanSquaredError: "mse",
        losses.MeanAbsoluteError: "mae",
        losses.Huber: "huber",
    }
    config: dict[str, Any] = {}
    key = loss
    if isinstance(loss, losses.Loss):
        # Keras leaves Huber's delta out of its configuration.
        config = {**loss.get_config(), **getattr(loss, "_fn_kwargs", {})}
        key = type(loss)
    options = {"reduction": reduction, "axis": -1, "ignore_class": None, "delta": 1.0}
    plain = all(config.get(name, wanted) == wanted for name, wanted in options.items())
    require(key in kinds and plain, f"the loss {getattr(key, '__name__', key)!r}")
    from_logits = config.get("from_logits", type(loss) is SmoothedCrossentropy)
    return kinds[key], from_logits, float(config.get("label_smoothing", 0.0))


def read_optimizer(model: keras.Model) -> tuple[str, bool, Values]:
    """The blueprint's update rule, whether decay touches everything, and the rule's values.

    Raises:
        UserError: An optimiser, or an option of it, that a stack does not have.
    """
    from keras import Variable, optimizers

    optimizer = model.optimizer
    kind = type(optimizer)
    rules = {
        optimizers.SGD: "sgd",
        optimizers.Adagrad: "adagrad",
        optimizers.RMSprop: "rmsprop",
        optimizers.Adam: "adam",
        optimizers.AdamW: "adam",
    }
    options = (
        *("clipnorm", "clipvalue", "global_clipnorm", "use_ema", "loss_scale_factor"),
        *("gradient_accumulation_steps", "centered", "amsgrad"),
    )
    plain = (
        kind in rules
        and isinstance(optimizer._learning_rate, Variable)  # not a schedule
        and not any(getattr(optimizer, name, None) for name in options)
        and not (kind is optimizers.RMSprop and optimizer.momentum)
        and not int(optimizer.iterations)
    )
    require(plain, f"the optimizer {kind.__name__}")
    rule = rules[kind]
    if rule == "sgd" and optimizer.momentum:
        rule = "nesterov" if optimizer.nesterov else "momentum"
    values = {
        "learning_rate": optimizer.learning_rate,
        "cosine": 0.0,
        "global_clipnorm": 0.0,
        "weight_decay": optimizer.weight_decay or 0.0,
        "initial_accumulator": getattr(optimizer, "initial_accumulator_value", 0.0),
    }
    for name in ("momentum", "rho", "epsilon", "beta_1", "beta_2"):
        values[name] = getattr(optimizer, name, 0.0)
    named = {(-1, name): float(value) for name, value in values.items()}
    return rule, _decays_all(model), named


def _decays_all(model: keras.Model) -> bool:
    """Whether biases and normalisation parameters decay like the kernels."""
    # Read whatever the decay is, so that a trial without one shares the others' structure.
    optimizer = model.optimizer
    decays = {True: set(), False: set()}
    for variable in model.trainable_variables:
        decays[variable.name == "kernel"].add(bool(optimizer._use_weight_decay(variable)))
    # No kernel left out, and of the others either all or none.
    uniform = decays[True] == {True} and len(decays[False]) < 2
    require(uniform or not optimizer.weight_decay, f"the optimizer {type(optimizer).__name__}")
    return decays[False] == {True}
