"""The engines: both give what `model.fit` gives, on the rows and in the order of the contract."""

import numpy as np
import pytest
from searching import SMALL, X_TEST, Y_TEST, X, Y, blobs, line

from kerasreg.data import Dataset, from_arrays
from kerasreg.population import TrainingPlan, batch_order
from kerasreg.search.engines import TrainingTask, engine_named, rows_of
from kerasreg.search.engines.keras_engine import KerasTunerEngine
from kerasreg.stacks import build_stack


def skewed() -> Dataset:
    """`blobs` with half of the last class's rows."""
    rows = (Y != 2) | (np.arange(len(Y)) % 2 == 0)
    return from_arrays(X[rows], Y[rows], x_test=X_TEST, y_test=Y_TEST)


class TestEngines:
    @pytest.mark.parametrize(
        ("folds", "data", "objective"),
        [
            (0, blobs, "val_data_loss"),
            (2, skewed, "val_balanced_accuracy"),
            (2, line, "val_rmse"),
        ],
    )
    def test_population_gives_what_model_fit_gives(self, folds, data, objective):
        task = TrainingTask(
            settings=(
                SMALL.replace(learning_rate=0.01, l2=1e-3),
                SMALL.replace(learning_rate=0.003, normalization="batch"),
            ),
            seeds=(0, 7),
            plan=TrainingPlan(epochs=4, batch_size=16, patience=1, objective=objective),
            folds=folds,
            balance=data is skewed,
        )
        dataset = data()
        reference = engine_named("keras-tuner").train(task, dataset)
        told = []
        results = engine_named("population").train(
            task, dataset, on_setting=lambda index, members: told.append((index, len(members)))
        )
        members = 2 * max(1, folds)
        assert sorted(told) == [(0, members), (1, members)]
        for ours, theirs in zip(results, reference, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert (a.seed, a.fold, a.status, a.epochs) == (b.seed, b.fold, b.status, b.epochs)
                for name, curve in b.curves.items():
                    np.testing.assert_allclose(a.curves[name], curve, rtol=2e-3, atol=2e-4)

    def test_fit_follows_the_batch_order_of_the_contract(self):
        dataset, config = blobs(), SMALL.replace(optimizer="sgd", learning_rate=0.1)
        model = KerasTunerEngine().fit(config, 3, dataset, dataset.train, 3, 16)
        by_hand = build_stack(config, 5, 3, seed=3)
        for epoch in range(3):
            order = batch_order(3, epoch, len(dataset.train))
            for start in range(0, len(order), 16):
                rows = order[start : start + 16]
                by_hand.train_on_batch(dataset.train.x[rows], dataset.train.y[rows])
        for ours, theirs in zip(model.get_weights(), by_hand.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

    def test_the_setting_stops_when_its_mean_objective_does_not_improve(self):
        # Steps this small cannot improve the accuracy of the first epoch.
        task = TrainingTask(
            settings=(SMALL.replace(learning_rate=1e-12),),
            seeds=(0, 1),
            plan=TrainingPlan(epochs=9, patience=3, objective="val_accuracy"),
        )
        counted = []
        members = KerasTunerEngine().train(task, blobs(), on_epoch=counted.append)[0]
        assert [member.epochs for member in members] == [4, 4]
        assert sum(map(len, counted)) == 8
        own = [float(scores[0]) for scores in counted[::2]]
        assert own == list(members[0].curves["val_accuracy"])

    def test_every_seed_divides_the_rows_anew(self):
        dataset = blobs()
        task = TrainingTask((SMALL,), (5, 6), TrainingPlan(), folds=3)
        parts = rows_of(task, dataset).parts
        assert [(seed, fold) for seed, fold, *_ in parts] == [(5 + f // 3, f % 3) for f in range(6)]
        for (*_, rows, validation), fold in zip(
            parts, dataset.folds(3, 5) + dataset.folds(3, 6), strict=True
        ):
            np.testing.assert_array_equal(rows.x, fold.train.x)
            np.testing.assert_array_equal(validation.y, fold.validation.y)
        assert not np.array_equal(parts[0][2].x, parts[3][2].x)

    @pytest.mark.parametrize("name", ["population", "keras-tuner"])
    def test_settings_that_are_not_asked_for_are_not_trained(self, name):
        settings = tuple(SMALL.replace(learning_rate=r) for r in (0.1, 0.2, 0.3))
        task = TrainingTask(settings, (0,), TrainingPlan(), only=frozenset({1}))
        told = []
        results = engine_named(name).train(
            task, blobs(), on_setting=lambda index, members: told.append(index)
        )
        assert told == [1]
        assert [len(members) for members in results] == [0, 1, 0]
        assert results[1][0].config == settings[1]
