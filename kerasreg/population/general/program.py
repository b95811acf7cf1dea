"""The compiled program of a structure: one member's step, mapped over the members.

Members are mapped outside, steps inside: a member's arrays stay where they are for all steps of a
call, every member computes exactly what it would compute alone, and one trace serves any number of
members, rows and steps.
"""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.population.general.fusing import is_fused
from kerasreg.population.general.rows import NestedRows
from kerasreg.population.general.step import MemberStep, naming
from kerasreg.population.general.template import State, Template

#: Rows of one evaluation slice.
SLICE_ROWS = 256


def _function(python_function, signature):
    """`tf.function` without the warning that it is made often: each structure has its own."""
    made = tf.function(python_function, input_signature=signature, autograph=False)
    made._omit_frequent_tracing_warning = True
    return made


class Program:
    """The functions of one structure.

    Shapes: M members, V values, S streams (orders of rows), F folds, T steps, B rows of a batch.

    Args:
        template: The structure's model.
        rows: Any rows of the inputs' and targets' kind.
        fused: Whether XLA compiles a member's step; None to go by the structure.

    Raises:
        UserError: A model, loss or metric of the user's that fails on such rows, or as a graph.

    Attributes:
        directions: What is measured, as Keras logs it, and which way it is better.
    """

    def __init__(self, template: Template, rows: NestedRows, fused: bool | None = None):
        self.template, self._pack = template, rows.pack
        batch = rows.pack([leaf[:2] for leaf in rows.leaves()])
        fused = is_fused(template.model) if fused is None else fused
        self._step = MemberStep(template, batch, fused)
        self.directions = {"loss": "min", **self._step.directions}
        variables = (
            template.weights,
            template.others,
            template.seeds,
            template.optimizer.variables,
        )
        self._specs = State(*([tf.TensorSpec(v.shape, v.dtype) for v in p] for p in variables))
        state = State(*([_spread(spec) for spec in part] for part in self._specs))
        values = tf.TensorSpec([None, len(template.active)], tf.float64)
        index = tf.TensorSpec([None], tf.int32)
        leaves = [tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype) for leaf in rows.leaves()]
        order = tf.TensorSpec([None, None, None], tf.int32)
        chosen = tf.TensorSpec([None, None], tf.int32)
        self.train = _function(self._train, [state, values, index, leaves, order])
        self.measure = _function(self._measure, [state, values, index, leaves, chosen])
        name = template.model.name
        with naming(f"model {name!r}: it cannot be compiled as a function of its weights"):
            self.train.get_concrete_function()
            self.measure.get_concrete_function()

    def _train(self, state, values, stream, rows, order) -> State:
        """Run T steps.

        Args:
            state: `State` of stacked arrays, (M, ...) each.
            values: (M, V) float64.
            stream: (M,) each member's stream.
            rows: All rows, as `NestedRows.leaves` has them.
            order: (T, S, B) the rows of each step.
        """
        steps = tf.shape(order)[0]

        def member(inputs):
            state, values, stream = inputs
            self.template.bind(values)

            def body(k, state):
                batch = self._taken(rows, order[k, stream])
                new = self._step.train(State(*state), *batch)
                shaped = (
                    [tf.ensure_shape(a, spec.shape) for a, spec in zip(*part, strict=True)]
                    for part in zip(new, self._specs, strict=True)
                )
                return k + 1, State(*shaped)

            start = (tf.constant(0), State(*state))
            return tf.while_loop(lambda k, _: k < steps, body, start, parallel_iterations=1)[1]

        return self._mapped(member, (state, values, stream), self._specs)

    def _measure(self, state, values, fold, rows, chosen) -> tf.Tensor:
        """What every member's step measures on rows (F, R) of its fold: (M, names) float64.

        Rows of -1, at the end, are none.
        """
        counts = tf.reduce_sum(tf.cast(chosen >= 0, tf.int32), axis=1)

        def member(inputs):
            state, values, fold = inputs
            state = State(*state)
            self.template.bind(values)
            count = counts[fold]

            def body(start, sums, states):
                stop = tf.minimum(start + SLICE_ROWS, count)
                batch = self._taken(rows, chosen[fold, start:stop])
                return start + SLICE_ROWS, *self._step.measure(state, sums, states, *batch)

            start = (tf.constant(0), *self._step.measured_start())
            _, sums, states = tf.while_loop(
                lambda start, *_: start < count, body, start, parallel_iterations=1
            )
            return self._step.results(sums, states, count)

        spec = tf.TensorSpec([len(self._step.directions)], tf.float64)
        return self._mapped(member, (state, values, fold), spec)

    def _taken(self, rows, index: tf.Tensor) -> tuple[Any, Any, Any]:
        """`(x, y, weights)` of some rows."""
        return self._pack([tf.gather(leaf, index) for leaf in rows])

    def _mapped(self, member, inputs, specs):
        return tf.map_fn(
            member, inputs, parallel_iterations=os.cpu_count(), fn_output_signature=specs
        )


def _spread(spec: tf.TensorSpec) -> tf.TensorSpec:
    """Of the members' arrays, one member's given."""
    return tf.TensorSpec([None, *spec.shape], spec.dtype)


def prediction(template: Template):
    """A compiled function of a member's `State`, its values and inputs: outputs, NumPy arrays."""

    def predict(state, values, x):
        template.bind(values)
        with template.scope(State(*state), training=False):
            return template.call(x, training=False)[0]

    compiled = _function(predict, None)

    def in_slices(state: State, values, x: Any) -> Any:
        rows = len(keras.tree.flatten(x)[0])
        outputs = []
        for start in range(0, rows, SLICE_ROWS):
            part = _slice(x, start, start + SLICE_ROWS)
            outputs.append(keras.tree.map_structure(np.asarray, compiled(state, values, part)))
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *outputs)

    return in_slices


def _slice(x: Any, start: int, stop: int) -> Any:
    return keras.tree.map_structure(lambda array: tf.constant(array[start:stop]), x)
