"""The chunk of the general path: members of any one structure, epoch by epoch."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasreg.objectives import of_predictions
from kerasreg.population.chunk import padded_rows, rounded
from kerasreg.population.general.initial_state import initial_state
from kerasreg.population.general.program import Program
from kerasreg.population.general.rows import NestedRows
from kerasreg.population.general.template import State
from kerasreg.population.members import Member
from kerasreg.population.orders import epoch_orders
from kerasreg.population.plan import TrainingPlan
from kerasreg.scores import score, trained_classes

#: A compiled call should not last longer, so that signals are answered.
CALL_SECONDS = 0.4


class GeneralChunk:
    """Members with equal counts of rows, see `kerasreg.population.chunk.Chunk`.

    Args:
        program: Of their structure.
        members: Before their first step.
        rows: All rows.
        plan: How they train.
        outputs: What a member with a `State` gives for some rows.
    """

    def __init__(
        self,
        program: Program,
        members: Sequence[Member],
        rows: NestedRows,
        plan: TrainingPlan,
        outputs: Callable[[Member, State, Any], Any],
    ):
        self._program = program
        self._rows = rows
        self._plan = plan
        self._members = list(members)
        self._epoch = 0
        self._outputs = outputs
        scores = of_predictions(plan.objective, plan.monitor)
        self._scores = [name for name in scores if name not in program.directions]
        states = [initial_state(program.template, member) for member in self._members]
        self._state = State(
            *(
                [tf.constant(np.stack(arrays)) for arrays in zip(*parts, strict=True)]
                for parts in zip(*states, strict=True)
            )
        )
        self._leaves = [tf.constant(leaf) for leaf in rows.leaves()]
        self._seconds_a_step: float | None = None
        self._index()

    def _index(self) -> None:
        """Lay out what depends on which members are present."""
        keys = [(member.seed, member.fold) for member in self._members]
        self._streams = sorted(set(keys))
        self._stream = tf.constant([self._streams.index(key) for key in keys], tf.int32)
        self._folds = sorted({member.fold for member in self._members})
        folds = [self._folds.index(member.fold) for member in self._members]
        self._fold = tf.constant(folds, tf.int32)
        active = self._program.template.active
        values = [[member.values[key] for key in active] for member in self._members]
        self._values = tf.constant(np.array(values, np.float64).reshape(len(keys), len(active)))

    def train_epoch(self) -> None:
        """One pass over every member's own rows, in calls of less than a second."""
        orders = epoch_orders(
            self._streams, self._rows.train, self._epoch, self._plan, self._steps_a_call
        )
        for order in orders:
            self._run(order)
        self._epoch += 1

    def _steps_a_call(self) -> int:
        if self._seconds_a_step is None:
            return 1
        return max(1, int(CALL_SECONDS / max(self._seconds_a_step, 1e-6)))

    def _run(self, order: np.ndarray) -> None:
        started = time.perf_counter()
        self._state = self._program.train(
            self._state, self._values, self._stream, self._leaves, tf.constant(order, tf.int32)
        )
        # The next call waits for this one anyway; reading here keeps the clock honest.
        self._state.slots[0].numpy()
        if self._seconds_a_step is not None or self._epoch > 0 or len(order) == 1:
            self._seconds_a_step = (time.perf_counter() - started) / len(order)

    def evaluate(self) -> dict[str, np.ndarray]:
        """Every metric of every member now, in inference mode: name -> (members,)."""
        result = {}
        for prefix, parts in (("", self._rows.train), ("val_", self._rows.validation)):
            chosen = tf.constant(padded_rows([parts[fold] for fold in self._folds]))
            measured = self._program.measure(
                self._state, self._values, self._fold, self._leaves, chosen
            ).numpy()
            loss, *names = self._program.directions
            columns = dict(zip(names, map(rounded, measured.T), strict=True))
            columns[loss] = columns["data_loss"] + columns["penalty"]
            result |= {prefix + name: column for name, column in columns.items()}
        return result | self._scored() if self._scores else result

    def _scored(self) -> dict[str, np.ndarray]:
        """What is measured of the predictions of each member's validation rows."""
        found: dict[str, list[float]] = {name: [] for name in self._scores}
        y, weights = self._rows.y, self._rows.weights
        for position, member in enumerate(self._members):
            state = State(*([array[position] for array in part] for part in self._state))
            rows, seen = self._rows.validation[member.fold], self._rows.train[member.fold]
            outputs, trained = self._outputs(member, state, self._rows.x[rows]), None
            if "accuracy" in self._program.directions:
                own = None if weights is None else weights[seen]
                trained = trained_classes(y[seen], outputs.shape[1], own)
            for name, values in found.items():
                values.append(score(name, y[rows], outputs[None], trained)[0])
        return {f"val_{name}": rounded(np.array(values)) for name, values in found.items()}

    def set_learning_rates(self, rates: Mapping[int, float]) -> None:
        """See `Chunk.set_learning_rates`."""
        slot = self._program.template.optimizer.learning_rate_slot
        array = self._state.slots[slot].numpy().copy()
        array[list(rates)] = list(rates.values())
        self._state.slots[slot] = tf.constant(array)

    def compact(self, keep: Sequence[int], epochs_left: int) -> bool:
        """Drop all but the positions `keep`: always, since nothing is compiled anew for fewer."""
        if len(keep) == len(self._members) or not epochs_left:
            return False
        index = tf.constant(keep, tf.int32)
        self._state = State(*([tf.gather(a, index) for a in part] for part in self._state))
        self._members = [self._members[position] for position in keep]
        self._index()
        return True

    def state(self) -> dict[str, np.ndarray]:
        """Everything that changes in training, for `restore`."""
        return {
            f"{name}/{i}": array.numpy()
            for name, part in zip(State._fields, self._state, strict=True)
            for i, array in enumerate(part)
        }

    def restore(self, state: Mapping[str, np.ndarray], epoch: int) -> None:
        """Continue from a `state` of the same members, taken after `epoch` epochs."""
        self._epoch = epoch
        self._state = State(
            *(
                [tf.constant(state[f"{name}/{i}"]) for i in range(len(part))]
                for name, part in zip(State._fields, self._state, strict=True)
            )
        )

    def weights(self, positions: Sequence[int]) -> list[list[np.ndarray]]:
        """See `Chunk.weights`; in the order of `model.get_weights()`."""
        template, state = self._program.template, self._state
        weights = template.optimizer.finished(state.weights, state.slots)
        arrays = template.joined(weights, state.others)
        arrays = [tf.gather(array, positions).numpy() for array in arrays]
        return [[array[k] for array in arrays] for k in range(len(positions))]
