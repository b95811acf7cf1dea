"""A hypermodel's own `fit` that only chooses arguments: one population a batch size."""

import keras
import keras_tuner
import pytest
from tuned import BASE, FIT, TRAIN, make_tuner, named

ROWS = {key: value for key, value in FIT.items() if key != "batch_size"}


class Rates(keras_tuner.HyperModel):
    """Two settings."""

    def build(self, hp):
        return BASE.replace(dropout=0.2, learning_rate=hp.Choice("rate", [0.1, 0.5]))


def fitting(function):
    """The same with a `fit` of its own."""
    return type("Fitting", (Rates,), {"fit": lambda self, *a, **k: function(*a, **k)})()


def histories(folder, hypermodel, trials, **options):
    """What each setting gave, and the count of populations."""
    jobs = []
    one = make_tuner(folder, hypermodel, "val_loss", trials, overwrite=True)
    train = one._train
    one._train = lambda training, *tell: (jobs.append(training), train(training, *tell))
    one.search(*TRAIN, **ROWS | options)
    found = {}
    for key, trial in one.oracle.trials.items():
        (run,) = one.executions(key)
        values = trial.hyperparameters.values
        found[values["rate"], values.get("size")] = run["history"]
    return found, len(jobs)


def test_a_batch_size_that_is_tuned_is_one_population_a_size(tmp_path):
    def sized(hp, model, *args, callbacks, **kwargs):
        size = hp.Choice("size", [16, 40])
        stop = keras.callbacks.EarlyStopping(patience=2)
        return model.fit(*args, batch_size=size, callbacks=[*callbacks, stop], **kwargs)

    # Two rates, two sizes; the first trial's size is not known before it.
    found, populations = histories(tmp_path, fitting(sized), 5)
    assert (len(found), populations) == (4, 2)
    for size in (16, 40):
        alone, _ = histories(tmp_path, Rates(), 2, batch_size=size)
        for rate in (0.1, 0.5):
            wanted = alone[rate, None]["val_loss"]
            assert found[rate, size]["val_loss"] == pytest.approx(wanted, rel=1e-6)


def twice(hp, model, *args, **kwargs):
    model.fit(*args, **kwargs)
    return model.fit(*args, **kwargs)


def scored(hp, model, *args, **kwargs):
    return min(model.fit(*args, **kwargs).history["val_loss"])


def cleared(hp, model, *args, **kwargs):
    model.stop_training = False
    return model.fit(*args, **kwargs)


def failing(hp, model, *args, **kwargs):
    raise KeyError("nothing")


def other_rows(hp, model, x, y, **kwargs):
    return model.fit(x + 0, y, **kwargs)


@pytest.mark.parametrize(
    ("fit", "reason", "trials"),
    [
        (twice, "more than one model.fit", 1),
        (scored, "history.history", 1),
        (cleared, "model.stop_training", 1),
        (failing, "met KeyError", 1),
        (other_rows, "other rows", 2),
    ],
)
def test_a_fit_that_does_more_is_called_itself(tmp_path, fit, reason, trials):
    one = make_tuner(tmp_path, fitting(fit), "val_loss", trials)
    with named(reason):
        one.search(*TRAIN, **FIT | {"epochs": 1})
    expected = "FAILED" if fit is failing else "COMPLETED"
    assert [trial.status for trial in one.oracle.trials.values()] == trials * [expected]
