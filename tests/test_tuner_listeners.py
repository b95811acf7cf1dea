"""Callbacks that only listen hear of every execution of a population; others need `fit`."""

import keras
import pytest
from tuned import FIT, TRAIN, make_tuner, network

from kerasreg.tuner.callbacks import only_listens

C = keras.callbacks
HEARD = []


class Listener(C.Callback):
    """Hears of epochs and keeps what it heard."""

    def on_train_begin(self, logs=None):
        HEARD.append([])

    def on_epoch_end(self, epoch, logs=None):
        HEARD[-1].append((epoch, sorted(logs), logs["val_loss"]))

    def on_train_end(self, logs=None):
        HEARD[-1].append("end")


class Stopper(C.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


class Indirect(Stopper):
    """Its functions see no model, those that it inherits do."""


class Batches(C.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class Helper(Listener):
    def on_epoch_end(self, epoch, logs=None):
        self.rate()

    def rate(self):
        return [parameter for parameter in [self.model]]


@pytest.mark.parametrize(
    ("callback", "listens"),
    [
        (Listener(), True),
        (C.LambdaCallback(on_epoch_end=lambda epoch, logs: None), True),
        (C.LambdaCallback(on_train_batch_end=lambda batch, logs: None), False),
        (Stopper(), False),
        (Indirect(), False),
        (Batches(), False),
        (Helper(), False),
        (C.ReduceLROnPlateau(), False),
        (C.CSVLogger("unused.csv"), True),
        ("no callback", False),
    ],
)
def test_what_listens_only(callback, listens):
    assert only_listens(callback) is listens


def test_every_execution_is_heard_of_with_its_logs(tmp_path):
    HEARD.clear()
    one = make_tuner(tmp_path, network, "val_loss", 2, executions_per_trial=2)
    one.search(*TRAIN, **FIT, callbacks=[Listener()])
    runs = [run["history"] for key in ("0", "1") for run in one.executions(key)]
    assert len(HEARD) == len(runs) == 4
    for heard, history in zip(HEARD, runs, strict=True):
        names = sorted(history)
        losses = history["val_loss"]
        assert heard == [(e, names, loss) for e, loss in enumerate(losses)] + ["end"]
