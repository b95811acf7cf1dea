"""Arguments of `fit` and the rows in them."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tuned import FIT, TRAIN, VALIDATION, X, Y, make_tuner, scores

from kerasreg import ActivationMonitor, UserError
from kerasreg.tuner import rows_in_memory
from kerasreg.tuner.fit_arguments import bind_fit, read_callbacks, read_rows
from kerasreg.tuner.rows_in_memory import CannotTrainTogether


@pytest.fixture
def tuner(tmp_path):
    """Make a tuner in one project folder."""
    return partial(make_tuner, tmp_path)


def test_early_stopping_is_patience_and_may_go_by_another_curve(tuner):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1)
    one = tuner(objective="val_accuracy", max_trials=4)
    one.search(*TRAIN, **FIT | {"epochs": 25}, callbacks=[stop])
    lengths = set()
    for trial in one.oracle.trials.values():
        history = one.executions(trial.trial_id)[0]["history"]
        losses = history["val_loss"]
        rises = [e for e in range(1, len(losses)) if losses[e] >= min(losses[:e])]
        assert rises == ([len(losses) - 1] if len(losses) < 25 else [])
        lengths.add(len(losses))
        assert trial.score == max(history["val_accuracy"])
    assert min(lengths) < 25


def test_weights_and_splits_are_those_of_fit(tuner):
    labels = VALIDATION[1]
    heavy = {0: 3.0, 2: 0.5}
    both = np.concatenate([TRAIN[0], VALIDATION[0]]), np.concatenate([TRAIN[1], labels])
    weights = np.array([heavy.get(int(label), 1.0) for label in TRAIN[1]])
    data = tf.data.Dataset.from_tensor_slices(TRAIN).shuffle(80, seed=1).batch(16)
    ways = {
        "plain": (TRAIN, {}),
        "split": (both, {"validation_data": None, "validation_split": 1 / 3}),
        "class": (TRAIN, {"class_weight": heavy}),
        "sample": (TRAIN, {"sample_weight": weights}),
        "one-hot": (
            (TRAIN[0], np.eye(3)[TRAIN[1]]),
            {"validation_data": (X[80:], np.eye(3)[labels])},
        ),
    }
    seen = {}
    for name, (rows, options) in ways.items():
        one = tuner(objective="val_loss", max_trials=2, overwrite=True)
        one.search(*rows, **FIT | options)
        seen[name] = list(scores(one).values())
    assert seen["plain"] == seen["split"] == seen["one-hot"]
    assert seen["class"] == seen["sample"] != seen["plain"]
    # As in Keras, the pipeline's batches and not the argument.
    read = read_rows(bind_fit((data,), FIT | {"batch_size": 32}))
    assert (read.batch_size, read.shuffle) == (16, True)
    assert sorted(read.train.y) == sorted(TRAIN[1])
    lists = [part.tolist() for part in TRAIN]
    read = read_rows(bind_fit(lists, {"shuffle": False}))
    assert not read.shuffle
    for got, wanted in zip((read.train.x, read.train.y), TRAIN, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_tensorboard_has_keras_layout_and_monitors_a_folder_each(tuner, tmp_path):
    logs = tmp_path / "logs"
    callbacks = [
        keras.callbacks.TensorBoard(logs, histogram_freq=2),
        ActivationMonitor(X[:10], log_dir=logs / "monitor"),
    ]
    one = tuner(max_trials=2)
    one.search(*TRAIN, **FIT, callbacks=callbacks)
    for key in ("0", "1"):
        history = one.executions(key)[0]["history"]
        for part, prefix in (("train", ""), ("validation", "val_")):
            events = EventAccumulator(str(logs / key / "execution0" / part)).Reload()
            got = [e.value for e in events.Scalars("epoch_loss")]
            np.testing.assert_allclose(got, history[f"{prefix}loss"], rtol=1e-6)
        events = EventAccumulator(str(logs / key / "execution0" / "train")).Reload()
        histograms = [tag for tag in events.Tags()["tensors"] if tag.endswith("kernel/histogram")]
        assert [e.step for e in events.Tensors(histograms[0])] == [0, 2]
        events = EventAccumulator(str(logs / key / "execution0")).Reload()
        assert "_hparams_/session_start_info" in events.summary_metadata
        assert list((logs / "monitor" / key / "execution0").glob("events*"))


def test_an_unknown_argument_is_an_error_not_a_failed_trial(tuner):
    with pytest.raises(TypeError, match="epoch"):
        tuner().search(*TRAIN, epoch=3)


# Reading alone, without training.

PIPELINE = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"x": [[1.0, 2.0], [3.0]], "y": [0, 1]}, "x of type list"),
        ({"x": X, "y": list("abc")}, "y of type list"),
        ({"x": X, "y": Y, "steps_per_epoch": 2.5}, "steps_per_epoch=2.5"),
        ({"x": {"a": X[:5], "b": X}, "y": Y}, "shapes"),
        ({"x": X, "y": Y[:5]}, "shapes"),
        ({"x": X, "y": Y.astype(str)}, "values"),
        ({"x": iter([X])}, "no y"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(8)}, "endless"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y))}, "not batched"),
        ({"x": tf.data.Dataset.from_tensor_slices(X).batch(8)}, "not of"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y)).take(0).batch(8)}, "empty"),
        (
            {
                "x": tf.data.Dataset.from_tensor_slices((X, Y))
                .batch(8)
                .map(lambda x, y: (x + tf.random.normal([4]), y))
            },
            "other rows",
        ),
        (
            {"x": X, "y": Y, "sample_weight": np.ones(120), "class_weight": {0: 2.0}},
            "class_weight together",
        ),
        ({"x": X, "y": Y, "sample_weight": np.ones(5)}, "shapes"),
        ({"x": X, "y": Y, "sample_weight": 1.0 - Y}, "negative or not finite"),
        ({"x": X, "y": Y, "class_weight": {0: np.nan}}, "negative or not finite"),
        ({"x": PIPELINE, "sample_weight": np.ones(120)}, "sample_weight beside a pipeline"),
        ({"x": PIPELINE, "y": Y}, "y beside a pipeline"),
        (
            {"x": PIPELINE, "validation_data": None, "validation_split": 0.5},
            "validation_split beside",
        ),
    ],
)
def test_rows_that_only_fit_can_take(given, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        read_rows(bind_fit((), {"validation_data": VALIDATION, **given}))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"x": {"a": X}}, "x and validation_data of other nesting"),
        ({"y": [Y]}, "y and validation_data of other nesting"),
    ],
)
def test_rows_of_training_and_validation_are_nested_alike(given, reason):
    rows = read_rows(bind_fit((), {"x": X, "y": Y, "validation_data": VALIDATION, **given}))
    with pytest.raises(CannotTrainTogether, match=reason):
        rows.check_nesting()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"x": [X, X]}, "x of type list"),
        ({"x": {"a": X}}, "x of type dict"),
        ({"y": {"a": Y}}, "y of type dict"),
        ({"x": X[:, 0]}, "x of shapes"),
        ({"validation_data": None}, "no validation_data"),
    ],
)
def test_rows_that_no_stack_can_take(given, reason):
    rows = read_rows(bind_fit((), {"x": X, "y": Y, "validation_data": VALIDATION, **given}))
    assert len(rows.train) == len(X)
    assert rows.batch_size == 32
    with pytest.raises(CannotTrainTogether, match=reason):
        rows.check_plain()


def test_a_pipeline_too_large_for_memory_is_left_to_fit(monkeypatch):
    monkeypatch.setattr(rows_in_memory, "PIPELINE_BYTES", 1000)
    data = tf.data.Dataset.from_generator(
        lambda: iter(lambda: (X[:8], Y[:8]), None),
        output_signature=(tf.TensorSpec([8, 4]), tf.TensorSpec([8], tf.int32)),
    )
    with pytest.raises(CannotTrainTogether, match="too large"):
        read_rows(bind_fit((data,), {"validation_data": VALIDATION}))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"callbacks": [keras.callbacks.SwapEMAWeights()]}, "SwapEMAWeights"),
        ({"callbacks": [keras.callbacks.TensorBoard(update_freq=1)]}, "update_freq"),
    ],
)
def test_what_else_needs_fit_itself(given, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        read_callbacks(given)


@pytest.mark.parametrize("given", [[1.0, 2.0], np.array([1.0, 2.0]), "balanced"])
def test_class_weights_that_are_no_dictionary_are_refused(given):
    with pytest.raises(UserError, match=r"class_weight: expected a dictionary.*enumerate"):
        bind_fit((X, Y), {"class_weight": given})
