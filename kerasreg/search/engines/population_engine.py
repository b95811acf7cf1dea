"""The engine of the project: settings of one structure train as one population."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population import MemberResult, Population
from kerasreg.search.engines.task import OutOfMemory, members_of


class _Stopped(Exception):
    """The search wants no more cohorts of this population."""


class PopulationEngine:
    """Groups the settings of a task by structure and trains each group as a population."""

    name = "population"

    def train(self, task, dataset, on_epoch=None, on_setting=None, checkpoints=None, stop=None):
        """See `Engine.train`."""
        if checkpoints:
            checkpoints.mkdir(exist_ok=True)
        parts = list(members_of(task, dataset))
        results: list[list[MemberResult]] = [[] for _ in task.settings]
        structures: dict[tuple, list[int]] = {}
        for index, config in enumerate(task.settings):
            structures.setdefault(config.structure(), []).append(index)

        for structure, indices in structures.items():
            if stop and any(results) and stop():
                break
            owners = [index for index in indices for _ in parts]
            population = Population(
                [task.settings[index] for index in owners],
                dataset.input_shape,
                dataset.outputs,
                dataset.task,
                seeds=[seed for _ in indices for seed, *_ in parts],
                folds=[fold or 0 for _ in indices for _, fold, *_ in parts],
                groups=owners,
                beside=[c for c in task.beside if c.structure() == structure],
            )

            def finished(
                pairs: list[tuple[int, MemberResult]], owners=owners, indices=indices
            ) -> None:
                done = dict.fromkeys(owners[number] for number, _ in pairs)
                for number, result in pairs:
                    results[owners[number]].append(result)
                for index in done:
                    if on_setting:
                        on_setting(index, results[index])
                if stop and not all(results[index] for index in indices) and stop():
                    raise _Stopped

            folds = [
                ((rows.x, rows.y), (validation.x, validation.y))
                for _, _, rows, validation in parts[: max(1, task.folds)]
            ]
            with _batch_may_be_larger(), _named_out_of_memory(), suppress(_Stopped):
                population.fit(
                    folds=folds,
                    epochs=task.epochs,
                    batch_size=task.batch_size,
                    objective=task.objective,
                    patience=task.patience,
                    halving=task.halving,
                    keep="none",
                    checkpoint=checkpoints and checkpoints / _file_name(structure),
                    on_epoch=on_epoch and (lambda report: on_epoch(report.logs[task.objective])),
                    on_results=finished,
                )
        return results

    def fit(self, config, seed, dataset, rows, epochs, batch_size, callbacks=()):
        """See `Engine.fit`."""
        population = Population(
            [config], dataset.input_shape, dataset.outputs, dataset.task, seeds=[seed]
        )
        with _batch_may_be_larger():
            population.fit(
                rows.x,
                rows.y,
                # Nothing is chosen by it: every epoch is trained.
                validation_data=(rows.x[:1], rows.y[:1]),
                epochs=epochs,
                batch_size=batch_size,
                watch={0: callbacks} if callbacks else None,
            )
        return population.member(0)


def _file_name(structure: tuple) -> str:
    return f"population-{hashlib.sha256(repr(structure).encode()).hexdigest()[:16]}.npz"


@contextmanager
def _batch_may_be_larger() -> Iterator[None]:
    """The search says once that a batch holds all rows; the population need not repeat it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="batch_size .* is larger than the data")
        yield


@contextmanager
def _named_out_of_memory() -> Iterator[None]:
    """Tell a population that does not fit, whatever it is halved to, from all other mistakes."""
    try:
        yield
    except UserError as error:
        # A full disk is TensorFlow's ResourceExhaustedError too, but it is passed on as the cause.
        exhausted = isinstance(error.__context__, tf.errors.ResourceExhaustedError)
        if exhausted and error.__cause__ is None:
            raise OutOfMemory(str(error)) from None
        raise
    except MemoryError:
        raise OutOfMemory("Out of memory: use a smaller batch_size or fewer units.") from None
