"""One member's training step and its measurement, as Keras computes them.

Both are traced once for a structure; `program` maps them over the members.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.general.layer_values import drawing_outside
from kerasreg.population.general.template import State, Template


class MemberStep:
    """What one member does with a batch.

    Args:
        batch: A few rows `(x, y, weights)`: what Keras learns from them about metrics and losses
            (that `"accuracy"` is of class numbers, say) it learns here.
        fused: Whether XLA compiles the training step, see `fusing`.
    """

    def __init__(self, template: Template, batch: tuple[Any, Any, Any], fused: bool):
        self.template, self._fused = template, fused
        model = template.model
        x, y, weights = batch
        names = getattr(model, "output_names", None)
        given = model._compile_loss
        self._loss = type(given)(given._user_loss, given._user_loss_weights, output_names=names)
        with naming(f"model {model.name!r}: it cannot be called on these rows"):
            outputs = model(x, training=False) if model._call_has_training_arg else model(x)
        given = model._compile_metrics
        self._metrics = None
        with naming(f"y: model {model.name!r} has no loss or metrics for {_kind(y)}"):
            self._loss(y, outputs, weights)
            if given is not None:
                self._metrics = type(given)(
                    given._user_metrics, given._user_weighted_metrics, output_names=names
                )
                self._metrics.update_state(y, outputs, weights)
                self._metrics.reset_state()
        self._parts = [metric.name for metric in self._loss.metrics]
        found = self._metrics.result() if self._metrics else {}
        metrics = self._metrics.metrics if self._metrics else []
        self._measured = {
            name: metric
            for (name, value), metric in zip(found.items(), metrics, strict=True)
            if not len(value.shape)
        }
        for name in self._measured:
            if name in ("loss", "data_loss", "penalty", *self._parts):
                raise UserError(
                    f"metrics: expected none named {name!r}, which a population measures itself "
                    "(loss = data_loss + penalty), got one; give it another name, such as "
                    f"name='my_{name}'."
                )
        self._states = list(self._metrics.variables) if self._metrics else []

    @property
    def directions(self) -> dict[str, str | None]:
        """What `results` gives, as Keras logs it, and which way it is better where it is known."""
        ways = {"up": "max", "down": "min"}
        losses = dict.fromkeys(("data_loss", "penalty", *self._parts), "min")
        return losses | {
            name: ways.get(getattr(metric, "_direction", None))
            for name, metric in self._measured.items()
        }

    def train(self, state: State, x: Any, y: Any, weights: Any) -> State:
        """The member after one step on a batch."""
        if not self._fused:
            return self._trained(state, x, y, weights)

        def trained() -> tuple:
            return tuple(self._trained(state, x, y, weights))

        with drawing_outside(tf.shape(keras.tree.flatten(x)[0])[0]):
            return State(*tf.function(trained, jit_compile=True, autograph=False)())

    def _trained(self, state: State, x: Any, y: Any, weights: Any) -> State:
        template = self.template
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.weights)
            with template.scope(state, training=True) as scope:
                outputs, penalty = template.call(x, training=True)
                data_loss = self._loss(y, outputs, weights)
                others = [scope.get_current_value(v) for v in template.others]
                seeds = [scope.get_current_value(v) for v in template.seeds]
            total = data_loss + tf.cast(penalty, data_loss.dtype)
            total = template.optimizer.scaled(total, state.slots)
        gradients = tape.gradient(total, state.weights)
        # An embedding's gradient is of some rows only.
        gradients = [g if g is None else tf.convert_to_tensor(g) for g in gradients]
        arrays, slots = template.optimizer.apply(gradients, state.weights, state.slots)
        return State(arrays, others, seeds, slots)

    def measured_start(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums and states of the metrics before the first row."""
        sums = tf.zeros([2 + len(self._parts)], tf.float64)
        with keras.StatelessScope() as scope:
            if self._metrics:
                self._metrics.reset_state()
            states = [scope.get_current_value(variable) for variable in self._states]
        return sums, [tf.convert_to_tensor(state) for state in states]

    def measure(
        self,
        state: State,
        sums: tf.Tensor,
        states: Sequence[tf.Tensor],
        x: Any,
        y: Any,
        weights: Any,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums and states after some more rows, in inference mode."""
        rows = tf.cast(tf.shape(keras.tree.flatten(x)[0])[0], tf.float64)
        fresh = [(v, tf.zeros(v.shape, v.dtype)) for v in self._loss.variables]
        more = [*zip(self._states, states, strict=True), *fresh]
        with self.template.scope(state, training=False, more=more) as scope:
            outputs, penalty = self.template.call(x, training=False)
            data_loss = self._loss(y, outputs, weights)
            # Each part's loss is the mean of one batch.
            parts = [metric.result() for metric in self._loss.metrics]
            if self._metrics:
                self._metrics.update_state(y, outputs, weights)
            states = [scope.get_current_value(variable) for variable in self._states]
        values = tf.stack([tf.cast(v, tf.float64) for v in (data_loss, penalty, *parts)])
        return sums + rows * values, states

    def results(self, sums: tf.Tensor, states: Sequence[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
        """What was measured over `rows` rows, in the order of `directions`, float64."""
        means = sums / tf.cast(rows, tf.float64)
        with keras.StatelessScope([*zip(self._states, states, strict=True)]):
            found = self._metrics.result() if self._metrics else {}
        values = [tf.cast(found[name], tf.float64) for name in self._measured]
        return tf.concat([means, tf.stack(values)], 0) if values else means


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turn an error of the user's model, loss or metrics into a `UserError` that says `what`."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[:3]) or type(error).__name__
        raise UserError(f"{what}: {reason}") from error
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        raise UserError(f"{what}: {error.message}") from error


def _kind(y: Any) -> str:
    if isinstance(y, dict):
        return f"a dict of {', '.join(map(repr, y))}"
    if isinstance(y, list | tuple):
        return f"a {type(y).__name__} of {len(y)} arrays"
    return f"{y.dtype} targets of shape {('rows', *y.shape[1:])}".replace("'", "")
