"""The general path of a population: members are models of any one structure."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.layers import clone, received, sent
from kerasreg.objectives import Direction, direction, objectives_of
from kerasreg.population.general.chunk import GeneralChunk
from kerasreg.population.general.initial_state import initial_state
from kerasreg.population.general.lifting import Lifted, differing, lift_model
from kerasreg.population.general.program import Program, prediction
from kerasreg.population.general.rows import NestedRows, gather_nested_rows
from kerasreg.population.general.template import State, Template, active_values
from kerasreg.population.general.widths import compile_like, narrowed, own_widths, padded
from kerasreg.population.members import Member
from kerasreg.population.orders import batches_of_epoch
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.sizes import largest_cohort

# Programs, and with each of them the model that it was traced on, kept for the process.
_KEPT = 8
_programs: OrderedDict[tuple, Program] = OrderedDict()
# Populations train side by side in threads.
_lock = threading.Lock()
#: How many steps a schedule lasts: of a member that has a setting, those of the training.
_PLANNED = "schedule/decay_steps"


class GeneralPath:
    """How members that are Keras models of one structure train, see `population.path.Path`.

    Args:
        lifted: The models, taken apart; all of one structure.
        build: Makes the model of a member that has a setting; None where members are lifted from
            models of the user's.
        task: Of such members, so that predictions are scored too, see `kerasreg.scores`.

    Raises:
        UserError: Models of different structure.
    """

    def __init__(
        self,
        lifted: Sequence[Lifted],
        build: Callable[[Member], keras.Model] | None = None,
        task: str | None = None,
    ):
        first = lifted[0]
        for index, other in enumerate(lifted):
            if other.structure != first.structure:
                raise UserError(
                    f"models: expected one structure, but models 0 and {index} differ: "
                    f"{differing(first, other)}."
                )
        self.structure = first.structure
        self.dtype = keras.config.floatx()
        # Decided for all members at once: a member's program must not depend on its company.
        self._active = active_values([one.values for one in lifted])
        self._keys = sorted(first.values)
        self._model, self._build, self._task = first.model, build, task
        self._template: Template | None = None
        self._predict = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_model": sent(self._model), "_template": None, "_predict": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _model=received(*state["_model"]))
        # An optimiser that leaves variables out, for one, forgets it on the way.
        if lift_model(self._model).structure != self.structure:
            raise UserError(f"model {self._model.name!r}: a part that Keras does not save.")

    def gather(self, folds: Sequence[tuple[tuple, tuple]]) -> NestedRows:
        """See `Path.gather`."""
        return gather_nested_rows(folds)

    def objectives(self, rows: NestedRows) -> Mapping[str, Direction | None]:
        """See `Path.objectives`: every curve."""
        found = self._program(rows).directions
        scored = {name: direction(name) for name in objectives_of(self._task or "")}
        curves = {prefix + name: way for prefix in ("val_", "") for name, way in found.items()}
        return scored | curves

    def new_chunk(
        self, members: Sequence[Member], rows: NestedRows, plan: TrainingPlan
    ) -> GeneralChunk:
        """See `Path.new_chunk`."""
        if self._build and _PLANNED in self._keys:
            _, batches = batches_of_epoch(len(rows.train[members[0].fold]), 0, plan)
            planned = {_PLANNED: float(len(batches) * plan.horizon)}
            members = [replace(one, values={**one.values, **planned}) for one in members]
        return GeneralChunk(self._program(rows), members, rows, plan, self._outputs)

    def cohort_size(self, plan: TrainingPlan, rows: int, members: int) -> int:
        """See `Path.cohort_size`.

        Members take turns, so that activations are those of few members, however many there are.
        What grows with them is their state, of which a step may hold three copies.
        """
        template = self._of_template()
        variables = [*template.weights, *template.others, *template.optimizer.variables]
        state = sum(int(np.prod(v.shape)) for v in variables) * np.dtype(self.dtype).itemsize
        return largest_cohort(state, 3 * state, members if plan.halving else 0)

    def initial(self, member: Member) -> list[np.ndarray]:
        """See `Path.initial`."""
        return member.initial

    def build(self, member: Member) -> keras.Model:
        """See `Path.build`.

        Raises:
            UserError: A model that Keras cannot clone.
        """
        if self._build:
            return self._build(member)
        source = member.source
        model = clone(source)
        compile_like(model, source)
        return model

    def write(self, weights: Sequence[np.ndarray], model: keras.Model) -> None:
        """See `Path.write`."""
        model.set_weights(self._narrowed(model, weights))

    def save(self, member: Member, weights: Sequence[np.ndarray], file: str | File) -> None:
        """See `Path.save`."""
        source = member.source or self.build(member)
        with _lent(source, self._narrowed(source, weights)) as model:
            model.save_weights(file)

    def load(self, member: Member, file: str | File) -> list[np.ndarray]:
        """See `Path.load`."""
        source = member.source or self.build(member)
        with _lent(source, self._narrowed(source, member.initial)) as model:
            model.load_weights(file)
            weights = model.get_weights()
            if self._is_wide(model):
                shapes = [variable.shape for variable in self._model.weights]
                return padded(model, weights, own_widths(self._model), shapes)
            return weights

    def _is_wide(self, model: keras.Model) -> bool:
        """Whether the members' arrays are wider than a model's."""
        return any(
            a.shape != b.shape for a, b in zip(self._model.weights, model.weights, strict=True)
        )

    def _narrowed(self, model: keras.Model, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not self._is_wide(model):
            return list(weights)
        return narrowed(model, weights, own_widths(self._model))

    def predict(
        self, members: Sequence[Member], weights: Sequence[Sequence[np.ndarray]], x: Any
    ) -> Any:
        """The models' outputs, see `Path.predict`; of several outputs, nested arrays."""
        template = self._of_template()
        states = [
            initial_state(template, replace(member, initial=list(arrays)))
            for member, arrays in zip(members, weights, strict=True)
        ]
        outputs = [self._outputs(*pair, x) for pair in zip(members, states, strict=True)]
        return keras.tree.map_structure(lambda *parts: np.stack(parts), *outputs)

    def _outputs(self, member: Member, state: State, x: Any) -> Any:
        """What one member gives for some rows, in inference mode."""
        if self._predict is None:
            self._predict = prediction(self._of_template())
        values = np.array([member.values[key] for key in self._active])
        return self._predict(state, values, x)

    def _of_template(self) -> Template:
        if self._template is None:
            self._template = Template(self._model, self._active, self._keys)
        return self._template

    def _program(self, rows: NestedRows) -> Program:
        """The program for such rows, traced on first use."""
        kinds = tuple((leaf.shape[1:], str(leaf.dtype)) for leaf in rows.leaves())
        key = (self.structure, self._active, self.dtype, kinds, rows.weighted)
        with _lock:
            if key not in _programs:
                _programs[key] = Program(self._of_template(), rows)
                while len(_programs) > _KEPT:
                    _programs.popitem(last=False)
            _programs.move_to_end(key)
            return _programs[key]


@contextmanager
def _lent(model: keras.Model, weights: Sequence[np.ndarray]) -> Iterator[keras.Model]:
    """A user's model with other weights, for as long as the block runs."""
    before = model.get_weights()
    model.set_weights(list(weights))
    try:
        yield model
    finally:
        model.set_weights(before)
