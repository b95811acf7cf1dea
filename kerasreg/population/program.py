"""The compiled program of a blueprint: many steps a call, and evaluation.

One trace serves any count of members, rows and steps: all of them are dynamic. What the
trace depends on stands in `ProgramKey`, and programs are kept for the process.
"""

from dataclasses import dataclass
from functools import lru_cache

import tensorflow as tf

from kerasreg.population.blueprint import NORMALIZATION_KINDS, Blueprint
from kerasreg.population.forward import forward, penalty, row_losses, row_metrics
from kerasreg.population.optimizers import SLOTS, update_all


@dataclass(frozen=True)
class ProgramKey:
    """What a compiled program depends on.

    Attributes:
        blueprint: The structure.
        names: Of the values that members may differ in: (layer, name), with layer -1 for those of
            the optimiser and the loss; a penalty or dropout that no member has is left out of the
            program.
        streams: Whether members see different batches or masks (more than one seed or fold).
        folds: Whether members are evaluated on different rows (more than one fold).
        weighted: Whether rows have weights.
        dtype: `"float32"` or `"float64"`.
        fused: Whether XLA compiles what it can make faster.
    """

    blueprint: Blueprint
    names: tuple[tuple[int, str], ...]
    streams: bool
    folds: bool
    weighted: bool
    dtype: str
    fused: bool = False


def _function(python_function, **options):
    """`tf.function` without the warning that it is made often: each structure has its own."""
    made = tf.function(python_function, **options)
    made._omit_frequent_tracing_warning = True
    return made


class Program:
    """The functions compiled for one `ProgramKey`.

    Shapes: S streams, M members, B batch rows, T steps, P parameters in the blueprint's order.
    """

    def __init__(self, key: ProgramKey):
        self.key = key
        self.blueprint = key.blueprint
        self.dtype = tf.as_dtype(key.dtype)
        self.parameters = key.blueprint.parameters()
        self.slots = SLOTS[key.blueprint.optimizer]
        self.dropouts = tuple(layer for layer, name in key.names if name == "rate")
        self._widths = key.blueprint.widths()
        arrays = [tf.TensorSpec([None, *p.shape], self.dtype) for p in self.parameters]
        self._trainable = [i for i, p in enumerate(self.parameters) if p.trainable]
        slots = [[arrays[i]] * len(self.slots) for i in self._trainable]
        values = [tf.TensorSpec([None, 1, 1], self.dtype) for _ in key.names]
        index = tf.TensorSpec([None], tf.int32)
        inputs = tf.TensorSpec([None, key.blueprint.features], self.dtype)
        classes = key.blueprint.loss in ("softmax",)
        targets = tf.TensorSpec([None], tf.int32 if classes else self.dtype)
        weights = tf.TensorSpec([None], self.dtype)
        count = tf.TensorSpec([], tf.int32)
        self.train = _function(
            self._train,
            autograph=False,
            input_signature=[
                arrays,
                slots,
                values,
                index,
                inputs,
                targets,
                weights,
                tf.TensorSpec([None, None, None], tf.int32),
                tf.TensorSpec([None, len(key.blueprint.layers)], tf.int32),
                count,
                count,
            ],
        )
        self.evaluate = _function(
            self._evaluate,
            autograph=False,
            input_signature=[
                arrays,
                values,
                index,
                inputs,
                targets,
                weights,
                tf.TensorSpec([None, None], tf.int32),
            ],
        )
        self.penalty = _function(self._penalty, autograph=False, input_signature=[arrays, values])
        rows = tf.TensorSpec([None, None, key.blueprint.features], self.dtype)
        self.predict = _function(
            self._predict, autograph=False, input_signature=[arrays, values, rows]
        )
        # Fused by XLA, an optimiser reads and writes each array once. Fusing the whole step pays
        # where element-wise work dominates. Draws are made outside: XLA's are slow on a CPU.
        self._update_all, self._fused_step = self._update, self.step
        if key.fused and _fuse_whole_step(key.blueprint):
            self._fused_step = _function(self.step, autograph=False, jit_compile=True)
        elif key.fused:
            self._update_all = _function(self._update, autograph=False, jit_compile=True)

    def named(self, arrays: list[tf.Tensor]) -> dict:
        names = [(p.layer, p.name) for p in self.parameters]
        return dict(zip(names, arrays, strict=True))

    def named_values(self, arrays: list[tf.Tensor]) -> dict:
        return dict(zip(self.key.names, arrays, strict=True))

    def spread(self, x: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        """(S, ...) -> (M, ...): each member its stream's slice; (1, ...) stays shared."""
        return tf.gather(x, stream) if self.key.streams else x

    def uniforms(self, seeds: tf.Tensor, step: tf.Tensor, rows: tf.Tensor) -> dict:
        """By dropout layer, the draws of every stream: (S, rows, units).

        They are made as (units, rows), so that a narrower layer's are their beginning.
        """
        draws = {}
        for layer in self.dropouts:
            shape = [self._widths[layer], rows]

            def draw(seed: tf.Tensor, shape: list = shape) -> tf.Tensor:
                pair = tf.stack([seed, step])
                return tf.random.stateless_uniform(shape, pair, dtype=tf.float32)

            column = seeds[:, layer]
            if self.key.streams:
                draws[layer] = tf.map_fn(
                    draw, column, fn_output_signature=tf.TensorSpec([shape[0], None], tf.float32)
                )
            else:
                draws[layer] = draw(column[0])[None]
            draws[layer] = tf.cast(tf.transpose(draws[layer], [0, 2, 1]), self.dtype)
        return draws

    def gradients(
        self,
        arrays: list[tf.Tensor],
        values: list[tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        weights: tf.Tensor | None,
        uniforms: dict[int, tf.Tensor],
    ) -> tuple[list[tf.Tensor], dict[tuple[int, str], tf.Tensor]]:
        """Gradients of the data loss by trainable parameter, and new moving statistics.

        The loss is averaged over rows and summed over members, so each member's gradient is what
        it would be alone.
        """
        named, by_name = self.named(arrays), self.named_values(values)
        trainable = [arrays[i] for i in self._trainable]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trainable)
            logits, statistics = forward(self.blueprint, named, by_name, x, uniforms)
            losses = row_losses(
                self.blueprint.loss, y, logits, by_name.get((-1, "label_smoothing"))
            )
            if weights is not None:
                losses = losses * tf.cast(weights, losses.dtype)
            total = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
        return tape.gradient(total, trainable), statistics

    def _update(self, arrays, gradients, slots, values, count, progress):
        rule, by_name = self.blueprint.optimizer, self.named_values(values)
        trainable = [self.parameters[i] for i in self._trainable]
        return update_all(rule, trainable, arrays, gradients, slots, by_name, count, progress)

    def step(
        self,
        arrays: list[tf.Tensor],
        slots: list[list[tf.Tensor]],
        values: list[tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        weights: tf.Tensor | None,
        uniforms: dict[int, tf.Tensor],
        count: tf.Tensor,
        progress: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[list[tf.Tensor]]]:
        """One update of every member, the `count`-th from 1, at `progress` (see `update_all`)."""
        gradients, statistics = self.gradients(arrays, values, x, y, weights, uniforms)
        new, slots = self._update_all(
            [arrays[i] for i in self._trainable],
            gradients,
            slots,
            values,
            tf.cast(count, self.dtype),
            progress,
        )
        new = iter(new)
        arrays = [
            next(new) if p.trainable else statistics[p.layer, p.name] for p in self.parameters
        ]
        return arrays, slots

    def _train(self, arrays, slots, values, stream, x, y, weights, order, seeds, first, planned):
        """Run T steps.

        Args:
            arrays, slots, values: The members' state.
            stream: (M,) each member's stream.
            x, y, weights: All rows; weights are read only if the key is weighted.
            order: (T, S, B) rows of each step.
            seeds: (S, layers) dropout seeds.
            first: Index of the first step: draws depend on it.
            planned: How many steps schedules are laid out for.
        """
        steps = tf.shape(order)[0]
        shapes = [p.shape for p in self.parameters]

        def body(k, arrays, slots):
            rows = self.spread(order[k], stream)
            xb, yb = tf.gather(x, rows), tf.gather(y, rows)
            wb = tf.gather(weights, rows) if self.key.weighted else None
            uniforms = self.uniforms(seeds, first + k, tf.shape(rows)[1])
            uniforms = {layer: self.spread(u, stream) for layer, u in uniforms.items()}
            progress = tf.minimum(tf.cast((first + k) / planned, tf.float64), 1)
            arrays, slots = self._fused_step(
                arrays, slots, values, xb, yb, wb, uniforms, first + k + 1, progress
            )
            for array, shape in zip(arrays, shapes, strict=True):
                array.set_shape([None, *shape])
            for index, group in zip(self._trainable, slots, strict=True):
                for array in group:
                    array.set_shape([None, *shapes[index]])
            return k + 1, arrays, slots

        _, arrays, slots = tf.while_loop(
            lambda k, *_: k < steps, body, (tf.constant(0), arrays, slots), parallel_iterations=1
        )
        return arrays, slots

    def _evaluate(self, arrays, values, fold, x, y, weights, rows):
        """Sums over rows (folds, r) in inference mode: data loss and metric, (M,) each, float64.

        Rows' weights weigh the loss only, as in Keras. Rows of -1 are none.
        """
        if self.key.folds:
            rows = tf.gather(rows, fold)
        present, rows = rows >= 0, tf.maximum(rows, 0)
        xb, yb = tf.gather(x, rows), tf.gather(y, rows)
        named, by_name = self.named(arrays), self.named_values(values)
        logits, _ = forward(self.blueprint, named, by_name, xb)
        losses = row_losses(self.blueprint.loss, yb, logits)
        metrics = row_metrics(self.blueprint.loss, yb, logits)
        if self.key.weighted:
            losses = losses * tf.cast(tf.gather(weights, rows), losses.dtype)
        measured = (tf.cast(losses, tf.float64), tf.cast(metrics, tf.float64))
        return tuple(
            tf.reduce_sum(tf.where(present, each, tf.zeros_like(each)), 1) for each in measured
        )

    def _penalty(self, arrays, values):
        by_name = self.named_values(values)
        total = penalty(self.blueprint, self.named(arrays), by_name)
        return tf.zeros([tf.shape(arrays[0])[0]], self.dtype) if total is None else total

    def _predict(self, arrays, values, x):
        return forward(self.blueprint, self.named(arrays), self.named_values(values), x)[0]


def _fuse_whole_step(blueprint: Blueprint) -> bool:
    """Whether XLA compiles forward and backward too: with normalisation, or small kernels."""
    if any(spec.kind in NORMALIZATION_KINDS for spec in blueprint.layers):
        return True
    return max(p.shape[0] * p.shape[1] for p in blueprint.parameters()) <= 2**14


@lru_cache(maxsize=64)
def program(key: ProgramKey) -> Program:
    """The program of `key`, traced on first use and kept for the process."""
    return Program(key)
