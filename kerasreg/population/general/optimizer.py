"""Any Keras optimiser as a function of a member's arrays, gradients and values.

The optimiser's own `apply` runs, in a `keras.StatelessScope`. What Keras' TensorFlow backend
overrides for `tf.distribute` works on `tf.Variable`s only; the backend-independent methods of the
base class take its place.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.general.description import describe
from kerasreg.population.general.layer_values import kind_of
from kerasreg.population.general.loss_scaling import LossScaling
from kerasreg.population.general.value import Value

#: Names of the attributes that are values, by Keras' class; those of every optimiser below.
_VALUES: dict[str, tuple[str, ...]] = {
    "SGD": ("momentum",),
    "RMSprop": ("rho", "momentum", "epsilon"),
    "Adam": ("beta_1", "beta_2", "epsilon"),
    "AdamW": ("beta_1", "beta_2", "epsilon"),
    "Adamax": ("beta_1", "beta_2", "epsilon"),
    "Nadam": ("beta_1", "beta_2", "epsilon"),
    "Lamb": ("beta_1", "beta_2", "epsilon"),
    "Lion": ("beta_1", "beta_2"),
    "Adagrad": ("epsilon",),
    "Adadelta": ("rho", "epsilon"),
}
_EVERY = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "ema_momentum")
_SCHEDULES: dict[str, tuple[str, ...]] = {
    "ExponentialDecay": ("initial_learning_rate", "decay_steps", "decay_rate"),
    "InverseTimeDecay": ("initial_learning_rate", "decay_steps", "decay_rate"),
    "PolynomialDecay": ("initial_learning_rate", "decay_steps", "end_learning_rate", "power"),
    "CosineDecay": ("initial_learning_rate", "decay_steps", "alpha"),
}


def read_optimizer(model: keras.Model) -> tuple[tuple, dict[str, float]]:
    """Description and values of a model's optimiser.

    Raises:
        UserError: An optimiser, or an option of it, that cannot be mapped.
    """
    optimizer, scaling = inner_optimizer(model), None
    if model.optimizer is not optimizer:
        scaling = (model.optimizer.initial_scale, model.optimizer.dynamic_growth_steps)
    _check(optimizer)
    config = dict(optimizer.get_config())
    config.pop("name", None)
    values = {}
    for name in _value_names(optimizer):
        number = config.pop(name)
        values[f"optimizer/{name}"] = float(number or 0.0)
        if name != "weight_decay":
            # Keras keeps no momentum, and clips nothing, where the number is 0.
            config[name] = bool(number)
    schedule = optimizer._learning_rate
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        settings = dict(schedule.get_config())
        for name in _SCHEDULES.get(kind_of(schedule) or "", ()):
            values[f"schedule/{name}"] = float(settings.pop(name))
        settings.pop("name", None)
        config["learning_rate"] = (describe(type(schedule)), describe(settings))
    else:
        config.pop("learning_rate")
        values["optimizer/learning_rate"] = float(schedule.numpy())
    decayed = tuple(bool(optimizer._use_weight_decay(v)) for v in model.trainable_variables)
    return (describe(type(optimizer)), describe(config), decayed, scaling), values


def inner_optimizer(model: keras.Model) -> Any:
    """The optimiser that takes the steps, whether or not its loss is scaled."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def copy_of(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """A fresh optimiser with another's settings."""
    config = dict(optimizer.get_config())
    if not isinstance(optimizer._learning_rate, keras.Variable):
        # A schedule of the user's may have no registered name.
        config["learning_rate"] = optimizer._learning_rate
    return type(optimizer).from_config(config)


class MappedOptimizer:
    """The optimiser of a template, without state of its own.

    Args:
        model: The template.
        values: What stands for the optimiser's values, by key: numbers or `Value`s.

    Attributes:
        variables: What a member's slots are values of, iterations and learning rate included.
    """

    def __init__(self, model: keras.Model, values: Mapping[str, float | Value]):
        source = inner_optimizer(model)
        self._scaling = None if source is model.optimizer else LossScaling(model.optimizer)
        config = dict(source.get_config())
        for name in _value_names(source):
            if isinstance(values[f"optimizer/{name}"], Value):
                config[name] = config[name] or 0.5
            elif name == "weight_decay":
                config[name] = None
        schedule = source._learning_rate
        if "optimizer/learning_rate" not in values:
            schedule = copy.copy(schedule)
            for name in _SCHEDULES.get(kind_of(schedule) or "", ()):
                object.__setattr__(schedule, name, values[f"schedule/{name}"])
            config["learning_rate"] = schedule
        decayed = [bool(source._use_weight_decay(v)) for v in model.trainable_variables]
        self._optimizer = _stateless(type(source)).from_config(config)
        self._trainable = list(model.trainable_variables)
        self._optimizer.build(self._trainable)
        object.__setattr__(
            self._optimizer,
            "_use_weight_decay",
            lambda variable: decayed[self._optimizer._get_variable_index(variable)],
        )
        for name in _value_names(source):
            if isinstance(values[f"optimizer/{name}"], Value):
                object.__setattr__(self._optimizer, name, values[f"optimizer/{name}"])
        self._own = list(self._optimizer.variables)
        self.variables = self._own + (self._scaling.variables if self._scaling else [])
        self._starts = [self._start(variable) for variable in self.variables]

    @property
    def learning_rate_slot(self) -> int:
        """Where among a member's slots its learning rate is, unless that is a schedule."""
        rate = self._optimizer._learning_rate
        return next(i for i, variable in enumerate(self.variables) if variable is rate)

    def scaled(self, loss: tf.Tensor, slots: Sequence[tf.Tensor]) -> tf.Tensor:
        """The loss to differentiate: times a scale that `apply` takes out again."""
        if self._scaling:
            return loss * tf.cast(slots[-2], loss.dtype)
        return self._optimizer.scale_loss(loss)

    def apply(
        self,
        gradients: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        slots: Sequence[tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One member's weights and slots after a step."""
        if not self._scaling:
            return self._stepped(gradients, weights, slots)
        return self._scaling.apply(self._stepped, gradients, weights, slots)

    def _stepped(
        self,
        gradients: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        slots: Sequence[tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        known = [*zip(self._trainable, weights, strict=True)]
        known += zip(self._own, slots, strict=True)
        with keras.StatelessScope(known) as scope:
            self._optimizer.apply(gradients)
        return (
            [scope.get_current_value(variable) for variable in self._trainable],
            [scope.get_current_value(variable) for variable in self._own],
        )

    def finished(self, weights: Sequence[Any], slots: Sequence[Any]) -> list[Any]:
        """The weights that training would end with now: with `use_ema`, their averages."""
        averages = getattr(self._optimizer, "_model_variables_moving_average", None)
        if not averages:
            return list(weights)
        where = {id(variable): slot for variable, slot in zip(self.variables, slots, strict=True)}
        return [
            weight if average is None else where[id(average)]
            for weight, average in zip(weights, averages, strict=True)
        ]

    def initial_slots(
        self, weights: Sequence[np.ndarray], learning_rate: float | None
    ) -> list[np.ndarray]:
        """A member's slots before the first step."""
        slots = []
        for variable, start in zip(self.variables, self._starts, strict=True):
            if learning_rate is not None and variable is self._optimizer._learning_rate:
                slots.append(np.array(learning_rate, variable.dtype))
            elif isinstance(start, int):
                slots.append(np.array(weights[start]))
            else:
                slots.append(start)
        return slots

    def _start(self, variable: keras.Variable) -> np.ndarray | int:
        """A slot's first array; the index of the weight that it is a copy of."""
        array = variable.numpy()
        if not array.ndim or (array == array.flat[0]).all():
            return array
        for index, weight in enumerate(self._trainable):
            if weight.shape == variable.shape and np.array_equal(array, weight.numpy()):
                return index
        _refuse(self._optimizer, f"the start of its variable {variable.name!r} is unknown")


def _value_names(optimizer: keras.optimizers.Optimizer) -> list[str]:
    """Values that an optimiser has; momentum and clipping only where they are in use."""
    names = (*_VALUES.get(kind_of(optimizer) or "", ()), *_EVERY)
    present = [name for name in names if hasattr(optimizer, name)]
    return [name for name in present if name == "weight_decay" or getattr(optimizer, name)]


def _check(optimizer: Any) -> None:
    if optimizer is None:
        raise UserError("model: expected a compiled Keras model; call model.compile(...) first.")
    for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        if getattr(optimizer, name, None):
            _refuse(optimizer, f"{name} is not supported")
    if kind_of(optimizer) == "ScheduleFreeAdamW":
        # Its `momentum_old` is the variable itself, which has changed when it is read.
        _refuse(optimizer, "Keras' TensorFlow backend computes it from arrays it has overwritten")
    rate = getattr(optimizer, "_learning_rate", None)
    schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    if not schedule and not isinstance(rate, keras.Variable):
        _refuse(optimizer, "expected a number or a LearningRateSchedule as learning_rate")
    if int(optimizer.iterations):
        _refuse(
            optimizer, f"expected an untrained model, got one of {int(optimizer.iterations)} steps"
        )


def _refuse(optimizer: Any, reason: str) -> NoReturn:
    raise UserError(f"optimizer {type(optimizer).__name__}: {reason}.")


class _Stateless(keras.optimizers.Optimizer):
    """Keras' optimiser without what its TensorFlow backend overrides.

    In a class that derives from an optimiser and from this, `super()` finds these methods.
    """


_base = next(c for c in keras.optimizers.Optimizer.__mro__ if c.__name__ == "BaseOptimizer")
for _name in (
    *("assign", "assign_add", "assign_sub", "_var_key", "_apply_weight_decay", "_clip_by_norm"),
    *("_backend_update_step", "_overwrite_model_variables_with_average_value"),
):
    setattr(_Stateless, _name, getattr(_base, _name))


@cache
def _stateless(kind: type) -> type:
    """An optimiser's class whose updates go through `keras.Variable`s."""
    return type(kind.__name__, (kind, _Stateless), {})
