"""What Keras' `TensorBoard` shows of trials that train as a population."""

import os
from collections.abc import Mapping

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine import tuner_utils

from kerasreg.monitors import EventWriter


class WeightHistograms(keras.callbacks.Callback):
    """The part of a `TensorBoard` that looks at a model: its graph, weights as histograms."""

    def __init__(self, board: keras.callbacks.TensorBoard):
        super().__init__()
        self.board = board

    def set_model(self, model: keras.Model) -> None:
        self.board.set_model(model)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if epoch % self.board.histogram_freq == 0:
            self.board._log_weights(epoch)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        self.board._close_writers()


def write_events(
    folder: str,
    history: keras.callbacks.History,
    trial: Trial,
    objective: keras_tuner.Objective,
    status: str,
    seconds: float,
) -> None:
    """Write an execution's curves as Keras' `TensorBoard` does, and its trial's row of HParams."""
    curves = history.history
    for part, prefix in (("train", ""), ("validation", "val_")):
        measured = {
            name.removeprefix("val_"): values
            for name, values in curves.items()
            if name.startswith("val_") == bool(prefix)
        }
        with EventWriter(os.path.join(folder, part)) as writer:
            for epoch in range(len(measured["loss"])):
                scalars = {f"epoch_{name}": values[epoch] for name, values in measured.items()}
                writer.scalars(epoch, scalars)
    score, best = None, 0
    if status != "diverged":
        best = tuner_utils.get_best_step(history, objective)
        score = objective.get_value({name: values[best] for name, values in curves.items()})
    with EventWriter(folder) as writer:
        writer.hparams(
            {
                name: value if isinstance(value, bool | int | float | str) else str(value)
                for name, value in trial.hyperparameters.values.items()
                if not name.startswith("tuner/")
            },
            {} if score is None else {objective.name: score},
            group=trial.trial_id,
            step=best,
            status="failure" if score is None else "success",
            seconds=seconds,
        )
