"""How a population trains: folds, trials, patience, culling, what is kept, what is refused."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from solo_training import keras_dtype, model_weights, solo_model, train_solo

from kerasreg.errors import UserError
from kerasreg.population import Population, TrainingPlan, sizes
from kerasreg.population.stack_chunk import StackChunk
from kerasreg.scores import score
from kerasreg.stacks import StackConfig

FEATURES, CLASSES, BATCH = 6, 3, 16
BASE = StackConfig(units=(8,), normalization="batch", activation="tanh", l2=1e-3)


def problem(rows=44, seed=0, dtype="float32"):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, FEATURES)).astype(dtype)
    weights = np.random.default_rng(9).normal(size=(FEATURES, CLASSES))
    return x, (x @ weights).argmax(1).astype("int32")


def several(count=4):
    """Members that learn at different speed."""
    return [BASE.replace(learning_rate=float(r)) for r in np.geomspace(0.003, 0.3, count)]


def fit(population, epochs=4, **options):
    x, y = problem()
    options = {"validation_data": problem(30, 1), "epochs": epochs, "batch_size": BATCH, **options}
    return population.fit(x, y, **options)


def trained(configs, seeds=0, groups=None, **options):
    population = Population(configs, FEATURES, CLASSES, seeds=seeds, groups=groups)
    return fit(population, **options), population


def same_weights(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)


def test_folds_of_unequal_size_are_trained_on_their_own_rows_alone():
    sizes = (40, 40, 33)
    parts = [(problem(n, k, "float64"), problem(11 + k, 7 + k, "float64")) for k, n in
             enumerate(sizes)]  # fmt: skip
    members = [(config, fold) for config in several(2) for fold in range(3)]
    with keras_dtype("float64"):
        population = Population(
            [config for config, _ in members],
            FEATURES,
            CLASSES,
            seeds=5,
            folds=[fold for _, fold in members],
            groups=[0, 0, 0, 1, 1, 1],
            dtype="float64",
        )
        initial = [population.get_weights(k) for k in range(6)]
        results = population.fit(folds=parts, epochs=3, batch_size=BATCH, objective="val_f1")
        assert [result.fold for result in results] == [0, 1, 2] * 2
        for k, (config, fold) in enumerate(members):
            model = solo_model(config, FEATURES, CLASSES, "classification", 5, initial[k])
            (x, y), validation = parts[fold]
            train_solo(model, x, y, 5, 3, BATCH)
            for ours, theirs in zip(population.get_weights(k), model_weights(model), strict=True):
                np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, atol=1e-8)
            found = model.evaluate(*validation, verbose=0, return_dict=True)
            scored = score("f1", validation[1], model.predict(validation[0], verbose=0)[None])
            assert results[k].curves["val_f1"][-1] == pytest.approx(scored[0], rel=1e-6)
            for name in ("loss", "data_loss", "accuracy"):
                assert results[k].curves[f"val_{name}"][-1] == pytest.approx(found[name], rel=1e-6)


def test_curves_are_what_keras_measures_and_members_come_back_whole():
    configs = [c.replace(dropout=0.2) for c in several(3)]
    results, population = trained(configs, seeds=[0, 1, 2])
    predictions = population.predict(problem(30, 1)[0])
    for k, result in enumerate(results):
        model = population.member(k)
        for prefix, rows in (("", problem()), ("val_", problem(30, 1))):
            found = model.evaluate(*rows, verbose=0, return_dict=True)
            for name, value in found.items():
                assert result.curves[prefix + name][-1] == pytest.approx(value, rel=1e-5)
            total = result.curves[f"{prefix}data_loss"] + result.curves[f"{prefix}penalty"]
            np.testing.assert_allclose(result.curves[f"{prefix}loss"], total, rtol=1e-12)
        logits = model.predict(problem(30, 1)[0], verbose=0)
        assert np.abs(predictions[k] - logits).max() <= 1e-5 * np.abs(logits).max()
        assert (result.status, result.epochs, len(result.curves["loss"])) == ("completed", 4, 4)
        assert result.best_epoch == 1 + int(np.argmin(result.curves["val_data_loss"]))
        assert result.seconds > 0
        assert (result.config, result.seed, result.fold) == (configs[k], k, None)
        assert model.get_layer("dropout_1").rate == pytest.approx(0.2)


def test_the_best_weights_are_those_of_the_best_epoch():
    results, population = trained(several(), epochs=8, keep="best")
    assert len({result.best_epoch for result in results}) > 1
    for k, result in enumerate(results):
        _, alone = trained([several()[k]], epochs=result.best_epoch)
        same_weights(population.get_weights(k), alone.get_weights(0))
    _, untouched = trained(several(), epochs=1, keep="none")
    fresh = Population(several(), FEATURES, CLASSES)
    for ours, theirs in zip(untouched.get_weights(1), fresh.get_weights(1), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_trial_s_members_stop_together_by_their_mean():
    configs = [c for c in several(3) for _ in range(3)]
    groups = [k // 3 for k in range(9)]
    results, population = trained(configs, [0, 1, 2] * 3, groups, epochs=15, patience=2)
    ends = []
    for group in range(3):
        own = results[3 * group : 3 * group + 3]
        assert {r.status for r in own} == {"completed"}
        epochs, best = ({getattr(r, n) for r in own} for n in ("epochs", "best_epoch"))
        assert (len(epochs), len(best)) == (1, 1)
        mean = np.mean([r.curves["val_data_loss"] for r in own], axis=0)
        assert best == {1 + int(np.argmin(mean))}
        assert epochs == {15} or epochs == {best.pop() + 2}
        ends.append(epochs.pop())
    assert len(set(ends)) > 1
    # Their weights at the end are those of training as long without patience.
    first = min(range(3), key=lambda group: ends[group])
    _, alone = trained([configs[3 * first]], 0, epochs=ends[first])
    same_weights(population.get_weights(3 * first), alone.get_weights(0))


def test_halving_keeps_the_best_groups_and_tells_the_others_stopped():
    configs = [c for c in several(4) for _ in range(2)]
    groups = [k // 2 for k in range(8)]
    halving = [(2, 0.5), (4, 0.5)]
    results, _ = trained(configs, [0, 1] * 4, groups, epochs=6, halving=halving, cohort_size=3)
    full, _ = trained(configs, [0, 1] * 4, groups, epochs=6)
    score = {
        g: max(-np.mean([full[2 * g + i].curves["val_data_loss"][e] for i in (0, 1)])
               for e in range(2))
        for g in range(4)
    }  # fmt: skip
    survivors = sorted(sorted(score, key=score.get)[2:])
    epochs = [results[2 * g].epochs for g in range(4)]
    assert sorted(epochs) == [2, 2, 4, 6]
    assert sorted(g for g in range(4) if epochs[g] > 2) == survivors
    for number, (result, whole) in enumerate(zip(results, full, strict=True)):
        assert result.status == ("completed" if result.epochs == 6 else "stopped")
        assert result.epochs == epochs[number // 2]
        curve = whole.curves["val_data_loss"][: result.epochs]
        np.testing.assert_allclose(result.curves["val_data_loss"], curve, rtol=1e-5)


def test_callbacks_watch_chosen_members_with_their_weights_of_every_epoch():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("begin")

        def on_epoch_end(self, epoch, logs=None):
            found = self.model.evaluate(*problem(30, 1), verbose=0, return_dict=True)
            assert logs["val_data_loss"] == pytest.approx(found["data_loss"], rel=1e-5)
            seen.append((epoch, self.model.get_layer("dense_1").kernel.numpy()))

        def on_train_end(self, logs=None):
            seen.append("end")

    _, population = trained(several(), watch={2: [Watch()]}, epochs=3)
    assert (seen[0], seen[-1]) == ("begin", "end")
    assert [epoch for epoch, _ in seen[1:-1]] == [0, 1, 2]
    np.testing.assert_array_equal(seen[-2][1], population.get_weights(2)[0])


def test_class_and_sample_weights_are_those_of_keras():
    x, y = problem(dtype="float64")
    xv, yv = problem(30, 1, "float64")
    sample, classes = np.linspace(0, 2, len(x)), {0: 0.5, 2: 3.0}
    own = np.linspace(0.5, 1.5, 30)
    with keras_dtype("float64"):
        population = Population(several(2), FEATURES, CLASSES, dtype="float64")
        initial = population.get_weights(1)
        results = population.fit(
            x,
            y,
            validation_data=(xv, yv, own),
            sample_weight=sample,
            class_weight=classes,
            epochs=3,
            batch_size=BATCH,
        )
        model = solo_model(several(2)[1], FEATURES, CLASSES, "classification", 0, initial)
        each = sample * np.array([classes.get(int(label), 1.0) for label in y])
        train_solo(model, x, y, 0, 3, BATCH, weights=each)
        for ours, theirs in zip(population.get_weights(1), model_weights(model), strict=True):
            np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, atol=1e-8)
        found = model.evaluate(xv, yv, sample_weight=own, verbose=0, return_dict=True)
        assert results[1].curves["val_loss"][-1] == pytest.approx(found["loss"], rel=1e-6)
        assert results[1].curves["val_accuracy"][-1] == pytest.approx(found["accuracy"])


def test_validation_on_the_training_rows_does_not_inherit_their_weights():
    x, y = problem()
    population = Population(several(1), FEATURES, CLASSES)
    result = population.fit(
        x, y, validation_data=(x, y), sample_weight=np.full(len(x), 3.0), batch_size=BATCH
    )[0]
    found = population.member(0).evaluate(x, y, verbose=0, return_dict=True)
    assert result.curves["val_data_loss"][0] == pytest.approx(found["data_loss"], rel=1e-5)


def test_what_no_member_uses_is_left_out_of_the_program():
    def names(configs):
        population = Population(configs, FEATURES, CLASSES)
        program, _ = population.path.program_of(population.members[:1])
        return {name for _, name in program.key.names}

    used = names([BASE])
    assert "l2" in used
    assert not used & {"l1", "rate", "weight_decay", "label_smoothing"}
    config = BASE.replace(l1=0.1, dropout=0.1, weight_decay=0.1, label_smoothing=0.1)
    assert names([BASE, config]) >= {"l1", "l2", "rate", "weight_decay", "label_smoothing"}


def test_results_and_epochs_are_told_as_they_come():
    told, reports = [], []
    results, _ = trained(
        several(), cohort_size=2, epochs=3, on_results=told.append, on_epoch=reports.append
    )
    assert [[number for number, _ in pairs] for pairs in told] == [[0, 1], [2, 3]]
    assert all(result is results[number] for pairs in told for number, result in pairs)
    assert [(r.cohort, r.cohorts, r.epoch) for r in reports] == [
        (cohort, 2, epoch) for cohort in (1, 2) for epoch in (1, 2, 3)
    ]
    assert reports[-1].members == (2, 3)
    np.testing.assert_array_equal(
        reports[-1].logs["val_loss"], [r.curves["val_loss"][-1] for r in results[2:]]
    )


def test_all_diverged_is_a_result():
    results, _ = trained([BASE.replace(learning_rate=1e38)] * 2, epochs=3)
    assert [result.status for result in results] == ["diverged"] * 2
    for result in results:
        assert result.epochs < 3
        assert not all(np.isfinite(curve[-1]) for curve in result.curves.values())


def test_a_diverging_member_stops_its_own_trial_only():
    configs = [BASE, BASE.replace(learning_rate=1e38), BASE, BASE]
    results, _ = trained(configs, [0, 1, 0, 1], groups=[0, 0, 1, 1])
    assert [r.status for r in results] == ["stopped", "diverged", "completed", "completed"]


def test_an_interrupt_leaves_what_was_finished_told():
    told = []

    def interrupt(report):
        if report.cohort == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(several(), cohort_size=2, on_results=told.append, on_epoch=interrupt)
    assert [number for pairs in told for number, _ in pairs] == [0, 1]


def test_too_little_memory_means_smaller_cohorts(monkeypatch):
    expected, population = trained(several())
    train = StackChunk.train_epoch

    def limited(self):
        if len(self.members) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        train(self)

    monkeypatch.setattr(StackChunk, "train_epoch", limited)
    with pytest.warns(UserWarning, match="Out of memory") as caught:
        results, smaller = trained(several())
    assert [str(warning.message) for warning in caught] == [
        "Out of memory with 4 members at once: starting them again as 2 and 2.",
        *["Out of memory with 2 members at once: starting them again as 1 and 1."] * 2,
    ]
    for k, (ours, theirs) in enumerate(zip(results, expected, strict=True)):
        assert (ours.status, ours.epochs) == (theirs.status, theirs.epochs)
        same_weights(smaller.get_weights(k), population.get_weights(k))

    def never(self):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(StackChunk, "train_epoch", never)
    with pytest.raises(UserError, match="smaller batch_size or fewer units"):
        trained(several(1))


def stay(chunk, keep, epochs_left):
    """Members that have ended stay in the arrays, as where XLA would compile for fewer."""
    return False


def test_too_little_memory_after_a_rung_revives_nobody(monkeypatch):
    """Who was culled keeps what it has; the others begin anew and end as they would have."""
    options = {"epochs": 6, "halving": [(2, 0.5)], "keep": "last"}
    expected, population = trained(several(6), **options)
    train = StackChunk.train_epoch

    def limited(self):
        if self.epoch >= 2 and len(self.members) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        train(self)

    monkeypatch.setattr(StackChunk, "compact", stay)
    monkeypatch.setattr(StackChunk, "train_epoch", limited)
    with pytest.warns(UserWarning, match="the 3 still in training again as 1 and 2"):
        results, smaller = trained(several(6), **options)
    assert [r.status for r in results].count("stopped") == 3
    for k, (ours, theirs) in enumerate(zip(results, expected, strict=True)):
        assert (ours.status, ours.epochs) == (theirs.status, theirs.epochs)
        assert ours.best_epoch == theirs.best_epoch
        np.testing.assert_allclose(ours.curves["loss"], theirs.curves["loss"], rtol=1e-5)
        same_weights(smaller.get_weights(k), population.get_weights(k))


def test_who_had_ended_before_memory_ran_out_is_in_the_checkpoint(monkeypatch, tmp_path):
    monkeypatch.setattr("kerasreg.population.checkpoint.INTERVAL", 0.0)
    configs = [BASE.replace(learning_rate=r) for r in (1e38, 0.01, 0.02, 0.03)]
    expected, _ = trained(configs, epochs=5)
    train = StackChunk.train_epoch

    def limited(self):
        if self.epoch >= 2 and len(self.members) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        train(self)

    def kill(report):
        if report.cohorts == 2 and report.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(StackChunk, "compact", stay)
    monkeypatch.setattr(StackChunk, "train_epoch", limited)
    options = {"epochs": 5, "checkpoint": tmp_path / "c"}
    with (
        pytest.warns(UserWarning, match="the 3 still in training again as 1 and 2"),
        pytest.raises(KeyboardInterrupt),
    ):
        trained(configs, on_epoch=kill, **options)
    epochs = []
    results, _ = trained(configs, on_epoch=epochs.append, **options)
    assert (epochs[0].epoch, epochs[0].members) == (3, (1,))
    assert all(0 not in report.members for report in epochs)
    for ours, theirs in zip(results, expected, strict=True):
        assert (ours.status, ours.epochs) == (theirs.status, theirs.epochs)
        np.testing.assert_allclose(ours.curves["loss"], theirs.curves["loss"], rtol=1e-5)


def test_one_left_of_many_begins_anew_alone(monkeypatch):
    train = StackChunk.train_epoch

    def limited(self):
        if self.epoch >= 1 and len(self.members) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        train(self)

    monkeypatch.setattr(StackChunk, "compact", stay)
    monkeypatch.setattr(StackChunk, "train_epoch", limited)
    with pytest.warns(UserWarning, match="the 1 still in training again as 1"):
        results, _ = trained(several(2), epochs=3, halving=[(1, 0.5)])
    assert sorted((r.status, r.epochs) for r in results) == [("completed", 3), ("stopped", 1)]


def test_cohorts_are_planned_for_the_rows_there_are_and_for_what_is_padded(monkeypatch):
    population = Population(several(40), FEATURES, CLASSES)
    one = sizes.training_bytes(population.blueprint, BATCH, "float32")

    def planned(members=40, batch_size=BATCH, **options):
        plan = TrainingPlan(4, batch_size, **options)
        return population.path.cohort_size(plan, rows=44, members=members)

    for hold, expected in ((31, 24), (33, 32), (0.1, 1), (5, 4), (1e9, 1e9)):
        monkeypatch.setattr(sizes, "COHORT_BYTES", int(hold * one))
        size = planned()
        assert sizes.padded_size(size) <= max(hold, 1)
        assert size >= 0.99 * expected
    monkeypatch.setattr(sizes, "COHORT_BYTES", 33 * one)
    assert planned(batch_size=10**6) == planned(batch_size=44) > 8
    # Cohorts that wait for each other's rung stay in memory.
    assert planned(400, halving=[(1, 0.5)]) == 4
    assert planned(400) == 32
    monkeypatch.setattr(sizes, "COHORT_BYTES", 40 * one)
    assert planned(halving=[(1, 0.5)]) == 40
    # What is planned is what trains: of at most 24, two cohorts of 20.
    monkeypatch.setattr(sizes, "COHORT_BYTES", 31 * one)
    reports = []
    fit(population, epochs=1, on_epoch=reports.append)
    assert [len(report.members) for report in reports] == [20, 20]


@pytest.mark.parametrize(
    ("members", "largest", "expected"),
    [
        ([1] * 50, 32, [30, 20]),
        ([1] * 50, 100, [50]),
        ([1] * 64, 32, [32, 32]),
        ([1] * 9, 4, [3, 3, 3]),
        ([2] * 25, 32, [30, 20]),
        ([5, 5], 2, [5, 5]),
        ([], 4, []),
    ],
)
def test_members_are_split_into_arrays_of_little_padding(members, largest, expected):
    numbers = iter(range(1000))
    groups = [[next(numbers) for _ in range(count)] for count in members]
    cohorts = sizes.split(groups, largest)
    assert [sum(map(len, cohort)) for cohort in cohorts] == expected
    assert [group for cohort in cohorts for group in cohort] == groups


def test_class_weights_are_read_from_one_hot_targets_too():
    x, y = problem()
    weights = {"class_weight": {0: 3.0, 2: 0.5}, "validation_data": (x, y)}
    population = Population(several(1), FEATURES, CLASSES)
    plain = population.fit(x, y, **weights)[0].curves
    hot = population.fit(x, np.eye(CLASSES)[y], **weights)[0].curves
    assert plain["loss"].tolist() == hot["loss"].tolist()


def test_a_batch_larger_than_the_data_works_and_says_so():
    with pytest.warns(UserWarning, match="batch_size 100 is larger than the data: every step sees"):
        results, _ = trained(several(1), batch_size=100, epochs=1)
    assert results[0].status == "completed"


X, Y = problem()
OTHERS = [
    ("activation", {"activation": "relu"}),
    ("units", {"units": (9,)}),
    ("normalization", {"normalization": "layer"}),
    ("norm_position", {"norm_position": "after"}),
    ("optimizer", {"optimizer": "sgd"}),
]


@pytest.mark.parametrize(("name", "change"), OTHERS)
def test_different_structures_are_refused_by_name(name, change):
    with pytest.raises(UserError, match=f"but {name} is .* in config 0 and .* in config 1"):
        Population([BASE, BASE.replace(**change)], FEATURES, CLASSES)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"configs": []}, "at least one StackConfig, got an empty list"),
        ({"configs": [{"units": 8}]}, "expected StackConfig objects"),
        ({"seeds": [0, 1]}, "seeds: expected one a member, 1, got 2"),
        ({"folds": [0, 1]}, "folds: expected one a member, 1, got 2"),
        ({"groups": []}, "groups: expected one a member, 1, got 0"),
        ({"outputs": 0}, "outputs: expected a positive whole number"),
        ({"task": "ranking"}, "task: expected one of"),
    ],
)
def test_bad_members_are_refused(arguments, expected):
    with pytest.raises(UserError, match=expected):
        Population(**{"configs": [BASE], "input_shape": FEATURES, "outputs": CLASSES, **arguments})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"x": None}, "expected x, y and validation_data, or folds"),
        ({"validation_data": None}, "expected x, y and validation_data, or folds"),
        ({"x": X[:, :3]}, r"training inputs: expected \(rows, 6\)"),
        ({"x": X[:0], "y": Y[:0]}, "at least one row"),
        ({"y": Y[:5]}, r"training targets: expected one a row, shape \(44,\), got shape \(5,\)"),
        ({"y": np.where(Y == 2, 3, Y)}, "expected class numbers 0 to 2, got 3 in row"),
        ({"y": Y - 1}, "expected class numbers 0 to 2, got -1 in row"),
        ({"y": Y + 0.5}, "expected class numbers 0 to 2, got 0.5 in row"),
        ({"y": np.where(Y == 2, np.nan, Y)}, "training targets: expected finite numbers"),
        ({"validation_data": (X, Y + 9)}, "validation targets: expected class numbers"),
        ({"sample_weight": np.ones(5)}, r"training weights: expected shape \(44,\), got \(5,\)"),
        ({"sample_weight": -np.ones(44)}, "expected finite numbers of at least 0"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"epochs": 2.0}, "epochs: expected a whole number"),
        ({"batch_size": 0}, "batch_size: expected a whole number"),
        ({"patience": 0}, "patience: expected a whole number"),
        ({"objective": "val_recall"}, r"objective: expected a curve of one number \(val_data_loss"),
        ({"keep": "first"}, "keep: expected one of last, best, none"),
        ({"halving": [(0, 0.5)]}, "halving: expected"),
        ({"halving": [(1, 1.5)]}, "halving: expected"),
        ({"halving": [(2, 0.5), (1, 0.5)]}, "halving: expected"),
    ],
)
def test_bad_training_is_refused(options, expected):
    population = Population([BASE], FEATURES, CLASSES)
    options = {"x": X, "y": Y, "validation_data": (X, Y), "epochs": 4, **options}
    with pytest.raises(UserError, match=expected):
        population.fit(**options)


def test_a_missing_fold_and_a_missing_member_are_refused():
    population = Population([BASE] * 2, FEATURES, CLASSES, folds=[0, 1])
    with pytest.raises(UserError, match="folds: expected 2 folds, got 1"):
        population.fit(folds=[((X, Y), (X, Y))])
    with pytest.raises(UserError, match="member: expected 0 to 1, got 2"):
        population.member(2)


def test_many_structures_are_no_reason_to_warn():
    """TensorFlow warns of a function that is traced often; here every structure has its own."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger = tf.get_logger()
    logger.addHandler(handler)
    try:
        x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
        y = (x[:, 0] > 0).astype(int)
        for units in range(2, 8):
            population = Population([StackConfig(units=(units,), l2=1e-3)], 3, 2)
            population.fit(x, y, validation_data=(x, y), epochs=1, batch_size=10)
    finally:
        logger.removeHandler(handler)
    assert said == []
