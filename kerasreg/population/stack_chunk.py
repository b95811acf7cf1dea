"""The chunk of stacks: members of one blueprint in one compiled program, epoch by epoch."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasreg.objectives import of_predictions
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.chunk import padded_rows, rounded
from kerasreg.population.members import InitialWeights, Member, initial_slots
from kerasreg.population.orders import batches_of_epoch, epoch_orders
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.program import Program, ProgramKey, program
from kerasreg.population.rows import Rows
from kerasreg.population.sizes import padded, padded_size, training_flops, worth_compiling
from kerasreg.population.values import stack_values
from kerasreg.scores import score, trained_classes
from kerasreg.seeds import derive

#: A compiled call should not last longer, so that signals are answered.
CALL_SECONDS = 0.4
#: Largest activation of one evaluation slice, in floats.
SLICE_FLOATS = 8_000_000


class StackChunk:
    """A `Chunk` of members of one blueprint and with equal counts of rows.

    The arrays may hold copies of the last member behind it, so that they have one of few lengths
    (`padded`); the copies are never read.

    Args:
        blueprint: What the members share.
        members: In the order of the arrays.
        rows: Training and validation rows of every fold.
        plan: Of it, rows a step, the epochs of schedules and what is measured.
        initial: Draws the initial arrays.
        dtype: Of the arrays.
        active: Names of the values that the program takes, see `values.active_names`.
        fused: See `ProgramKey`.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        members: Sequence[Member],
        rows: Rows,
        plan: TrainingPlan,
        initial: InitialWeights,
        dtype: str,
        active: Sequence[tuple[int, str]],
        fused: bool,
    ):
        self.blueprint = blueprint
        self.rows = rows
        self._plan = plan
        _, batches = batches_of_epoch(len(rows.train[members[0].fold]), 0, plan)
        self._planned = tf.constant(len(batches) * plan.horizon, tf.int32)
        self._scores = of_predictions(plan.objective, plan.monitor)
        self.dtype = dtype
        self.members = list(members)
        self.step = 0
        self.epoch = 0
        self._names, self._fused = tuple(active), fused
        present = self._padded_members()
        arrays = initial.stack(present)
        slots = initial_slots(blueprint, arrays, present, dtype)
        self.arrays = [tf.constant(a) for a in arrays]
        self.slots = [[tf.constant(a) for a in group] for group in slots]
        self._x = tf.constant(rows.x)
        self._y = tf.constant(rows.y)
        self._weights = tf.constant(rows.weights)
        self._seconds_a_step: float | None = None
        self._index()

    def _padded_members(self) -> list[Member]:
        return [self.members[k] for k in padded(range(len(self.members)))]

    def _index(self) -> None:
        """Lay out what depends on which members are present."""
        present = self._padded_members()
        self._lay_out_values()
        keys = [(m.seed, m.fold) for m in present]
        self._streams = sorted(set(keys))
        where = {key: i for i, key in enumerate(self._streams)}
        self.stream = tf.constant([where[key] for key in keys], tf.int32)
        self._folds = sorted({m.fold for m in self.members})
        place = {fold: i for i, fold in enumerate(self._folds)}
        self._fold = tf.constant([place[m.fold] for m in present], tf.int32)
        layers = range(len(self.blueprint.layers))
        self.seeds = tf.constant(
            [
                [derive(seed, "dropout", self.blueprint.layers[layer].index) for layer in layers]
                for seed, _ in self._streams
            ],
            tf.int32,
        )
        self.program: Program = program(
            ProgramKey(
                self.blueprint,
                self._names,
                len(self._streams) > 1,
                len(self._folds) > 1,
                self.rows.weighted,
                self.dtype,
                self._fused,
            )
        )

    def _lay_out_values(self) -> None:
        values = [member.values for member in self._padded_members()]
        self.values = [tf.constant(a) for a in stack_values(values, self._names, self.dtype)]

    def set_learning_rates(self, rates: Mapping[int, float]) -> None:
        """See `Chunk.set_learning_rates`."""
        for position, rate in rates.items():
            member = self.members[position]
            values = {**member.values, (-1, "learning_rate"): rate}
            self.members[position] = replace(member, values=values)
        self._lay_out_values()

    def train_epoch(self) -> None:
        """See `Chunk.train_epoch`; in calls of less than a second."""
        orders = epoch_orders(
            self._streams, self.rows.train, self.epoch, self._plan, self._steps_a_call
        )
        for order in orders:
            self._run(order)
        self.epoch += 1

    def _steps_a_call(self) -> int:
        if self._seconds_a_step is None:
            return 1
        return max(1, int(CALL_SECONDS / max(self._seconds_a_step, 1e-6)))

    def _run(self, order: np.ndarray) -> None:
        started = time.perf_counter()
        self.arrays, self.slots = self.program.train(
            self.arrays,
            self.slots,
            self.values,
            self.stream,
            self._x,
            self._y,
            self._weights,
            tf.constant(order, tf.int32),
            self.seeds,
            tf.constant(self.step, tf.int32),
            self._planned,
        )
        # The next call waits for this one anyway; reading here keeps the clock honest.
        self.arrays[-1].numpy()
        if self._seconds_a_step is not None or self.step > 0:
            self._seconds_a_step = (time.perf_counter() - started) / len(order)
        self.step += len(order)

    def evaluate(self) -> dict[str, np.ndarray]:
        """See `Chunk.evaluate`."""
        penalty = self.program.penalty(self.arrays, self.values).numpy().astype(np.float64)
        result = {}
        for prefix, parts in (("", self.rows.train), ("val_", self.rows.validation)):
            # As long as the longest of all folds: no result depends on who else is here.
            means = self._means(padded_rows(parts)[self._folds])
            data_loss, metric = map(rounded, means)
            result[prefix + "loss"] = data_loss + penalty
            result[prefix + "data_loss"] = data_loss
            result[prefix + "penalty"] = penalty
            result[prefix + self.blueprint.metric] = metric
        if self._scores:
            result |= self._scored()
        return result

    def _scored(self) -> dict[str, np.ndarray]:
        """What is measured of the predictions of each member's validation rows."""
        fold = self._fold.numpy()
        rows = padded_rows(self.rows.validation)[self._folds][fold]
        size = self._slice_size()
        parts = [
            self.program.predict(self.arrays, self.values, tf.gather(self._x, part)).numpy()
            for part in np.split(np.maximum(rows, 0), range(size, rows.shape[1], size), axis=1)
        ]
        outputs, trained = np.concatenate(parts, axis=1), None
        if self.blueprint.metric == "accuracy":
            y, weights = self.rows.y, self.rows.weights
            parts = [self.rows.train[fold] for fold in self._folds]
            trained = np.stack(
                [trained_classes(y[part], outputs.shape[2], weights[part]) for part in parts]
            )[fold]
        counts = (rows >= 0).sum(axis=1)
        scores = {f"val_{name}": np.empty(len(rows)) for name in self._scores}
        for count in np.unique(counts):
            those = np.flatnonzero(counts == count)
            given = self.rows.y[rows[those, :count]], outputs[those, :count]
            given = *given, None if trained is None else trained[those]
            for name in self._scores:
                scores[f"val_{name}"][those] = rounded(score(name, *given))
        return scores

    def _slice_size(self) -> int:
        """Most rows of one evaluation."""
        widest = max(*self.blueprint.widths(), self.blueprint.outputs)
        return max(1, SLICE_FLOATS // (widest * padded_size(len(self.members))))

    def _means(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Data loss and metric, (members,) each, as means over the `padded_rows` (folds, r)."""
        size = self._slice_size()
        data_loss = metric = 0.0
        for start in range(0, rows.shape[1], size):
            sums = self.program.evaluate(
                self.arrays,
                self.values,
                self._fold,
                self._x,
                self._y,
                self._weights,
                tf.constant(rows[:, start : start + size], tf.int32),
            )
            data_loss = data_loss + sums[0].numpy()
            metric = metric + sums[1].numpy()
        counts = (rows >= 0).sum(axis=1)[self._fold.numpy() if len(self._folds) > 1 else 0]
        return data_loss / counts, metric / counts

    def compact(self, keep: Sequence[int], epochs_left: int) -> bool:
        """See `Chunk.compact`; with XLA, another length is another compilation."""
        dropped = len(self.members) - len(keep)
        saved = padded_size(len(self.members)) - padded_size(len(keep))
        rows = len(self.rows.train[self._folds[0]])
        flops = training_flops(self.blueprint, rows, epochs_left) * saved
        few = dropped * 4 < len(self.members) or not worth_compiling(flops)
        if saved <= 0 or (self._fused and few):
            return False
        kept = tf.constant(padded(keep), tf.int32)
        self.arrays = [tf.gather(a, kept) for a in self.arrays]
        self.slots = [[tf.gather(a, kept) for a in group] for group in self.slots]
        self.members = [self.members[position] for position in keep]
        self._index()
        return True

    def state(self) -> dict[str, np.ndarray]:
        """See `Chunk.state`."""
        count = len(self.members)
        arrays = {f"array/{i}": a.numpy()[:count] for i, a in enumerate(self.arrays)}
        for i, group in enumerate(self.slots):
            arrays |= {f"slot/{i}/{j}": a.numpy()[:count] for j, a in enumerate(group)}
        return {"step": np.array(self.step), **arrays}

    def restore(self, state: Mapping[str, np.ndarray], epoch: int) -> None:
        """See `Chunk.restore`."""
        self.step, self.epoch = int(state["step"]), epoch
        index = padded(range(len(self.members)))
        self.arrays = [tf.constant(state[f"array/{i}"][index]) for i in range(len(self.arrays))]
        self.slots = [
            [tf.constant(state[f"slot/{i}/{j}"][index]) for j in range(len(group))]
            for i, group in enumerate(self.slots)
        ]

    def weights(self, positions: Sequence[int]) -> list[list[np.ndarray]]:
        """See `Chunk.weights`; in the blueprint's order."""
        arrays = [tf.gather(array, positions).numpy() for array in self.arrays]
        return [[array[k] for array in arrays] for k in range(len(positions))]
