"""Lifting, the rest: a model's loss and optimiser as a blueprint's words and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.losses import SmoothedCrossentropy
from kerasreg.population.lifting_layers import PROBABILITIES, Chain

if TYPE_CHECKING:
    import keras

Values = dict[tuple[int, str], float]


def read_loss(model: keras.Model, chain: Chain) -> tuple[str, Values, bool]:
    """The blueprint's name of the loss, its values, and whether a last activation is folded in.

    Raises:
        UserError: A loss that a population does not have, or that does not fit the last layer.
    """
    if model._compile_loss is None or model._compile_loss._user_loss_weights is not None:
        raise UserError("loss: expected one loss without loss_weights.")
    loss, from_logits, smoothing = loss_kind(model.loss)
    values = {(-1, "label_smoothing"): smoothing}
    last = chain.last_activation
    if loss == "softmax" and chain.width < 2:
        chain.refuse_last(f"a categorical loss needs at least 2 outputs, got {chain.width}")
    if loss != "softmax" and chain.width != 1:
        chain.refuse_last(f"the loss needs 1 output here, got {chain.width}")
    if loss in ("softmax", "binary"):
        wanted = PROBABILITIES[loss == "binary"]
        if last == wanted:
            return loss, values, True
        if last in PROBABILITIES:
            chain.refuse_last(f"the loss goes with {wanted}, got {last}")
        if not from_logits:
            chain.refuse_last(f"expected {wanted} at the end, or a loss with from_logits=True")
    elif last == "softmax":
        chain.refuse_last("a softmax needs a categorical cross-entropy")
    return loss, values, False


def loss_kind(given: Any, reduction: str = "sum_over_batch_size") -> tuple[str, bool, float]:
    """The blueprint's name of a Keras loss, whether it takes logits, and its label smoothing.

    Raises:
        UserError: A loss, or an option of it, that a population does not have.
    """
    from keras import losses

    if isinstance(given, list | tuple | dict):
        raise UserError(f"loss: expected one loss, got {given!r}.")
    loss = losses.get(given)
    functions = {
        losses.sparse_categorical_crossentropy: "softmax",
        losses.categorical_crossentropy: "softmax",
        losses.binary_crossentropy: "binary",
        losses.mean_squared_error: "mse",
        losses.mean_absolute_error: "mae",
        losses.huber: "huber",
    }
    classes = {
        losses.SparseCategoricalCrossentropy: "softmax",
        losses.CategoricalCrossentropy: "softmax",
        SmoothedCrossentropy: "softmax",
        losses.BinaryCrossentropy: "binary",
        losses.MeanSquaredError: "mse",
        losses.MeanAbsoluteError: "mae",
        losses.Huber: "huber",
    }
    if not isinstance(loss, losses.Loss):
        if loss not in functions:
            raise UserError(f"loss: a population has no {_name(loss)!r}.")
        return functions[loss], False, 0.0
    if type(loss) not in classes:
        raise UserError(f"loss: a population has no {type(loss).__name__!r}.")
    # Keras leaves Huber's delta out of its configuration.
    config = {**loss.get_config(), **getattr(loss, "_fn_kwargs", {})}
    for name, wanted in (
        ("reduction", reduction),
        ("axis", -1),
        ("ignore_class", None),
        ("delta", 1.0),
    ):
        if config.get(name, wanted) != wanted:
            raise UserError(
                f"loss: expected {name}={wanted!r} of {type(loss).__name__}, got {config[name]!r}."
            )
    from_logits = config.get("from_logits", isinstance(loss, SmoothedCrossentropy))
    return classes[type(loss)], from_logits, float(config.get("label_smoothing", 0.0))


def read_optimizer(model: keras.Model) -> tuple[str, bool, Values]:
    """The blueprint's update rule, whether decay touches everything, and the rule's values.

    Raises:
        UserError: An optimiser, or an option of it, that a population does not have.
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
    if kind not in rules:
        raise UserError(f"optimizer: a population has no {kind.__name__!r}.")
    if not isinstance(optimizer._learning_rate, Variable):
        raise UserError("optimizer: expected a number as learning_rate, got a schedule.")
    for name in (
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "loss_scale_factor",
        "gradient_accumulation_steps",
        "centered",
        "amsgrad",
    ):
        if getattr(optimizer, name, None):
            raise UserError(f"optimizer: {kind.__name__} with {name} is not supported.")
    if kind is optimizers.RMSprop and optimizer.momentum:
        raise UserError("optimizer: RMSprop with momentum is not supported.")
    if int(optimizer.iterations):
        raise UserError(
            f"optimizer: expected an untrained model, but its {kind.__name__} has made "
            f"{int(optimizer.iterations)} steps."
        )
    rule = rules[kind]
    if rule == "sgd" and optimizer.momentum:
        rule = "nesterov" if optimizer.nesterov else "momentum"
    values = {
        "learning_rate": optimizer.learning_rate,
        "weight_decay": optimizer.weight_decay or 0.0,
        "momentum": getattr(optimizer, "momentum", 0.0),
        "rho": getattr(optimizer, "rho", 0.0),
        "initial_accumulator": getattr(optimizer, "initial_accumulator_value", 0.0),
        "epsilon": getattr(optimizer, "epsilon", 0.0),
        "beta_1": getattr(optimizer, "beta_1", 0.0),
        "beta_2": getattr(optimizer, "beta_2", 0.0),
    }
    return (
        rule,
        _decays_all(model),
        {(-1, name): float(value) for name, value in values.items()},
    )


def _decays_all(model: keras.Model) -> bool:
    """Whether biases and normalisation parameters decay like the kernels."""
    # Read whatever the decay is, so that a trial without one shares the others' structure.
    optimizer = model.optimizer
    decays = {True: set(), False: set()}
    for variable in model.trainable_variables:
        decays[variable.name == "kernel"].add(bool(optimizer._use_weight_decay(variable)))
    if optimizer.weight_decay and (decays[True] != {True} or len(decays[False]) > 1):
        raise UserError(
            "optimizer: weight decay must leave no kernel out, and either all or none of the "
            "biases and normalisation parameters."
        )
    return decays[False] == {True}


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
