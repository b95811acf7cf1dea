"""The loss that Keras lacks: label smoothing with integer labels."""

import keras

from kerasreg.errors import UserError


@keras.saving.register_keras_serializable(package="kerasreg")
class SmoothedCrossentropy(keras.losses.Loss):
    """Softmax cross-entropy from logits with integer labels and label smoothing s.

    The target of class c is (1 - s) + s/K at c and s/K elsewhere, K classes (Szegedy et al. 2016,
    arXiv:1512.00567), as in `keras.losses.CategoricalCrossentropy`.

    Shape: labels (rows,) or (rows, 1), logits (rows, K) -> (rows,) before reduction.

    Raises:
        UserError: `label_smoothing` outside [0, 1).
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise UserError(
                f"label_smoothing: expected a number in [0, 1), got {label_smoothing!r}."
            )
        self.label_smoothing = float(label_smoothing)

    def call(self, y_true, y_pred):
        classes = y_pred.shape[-1]
        labels = keras.ops.reshape(y_true, [-1])
        targets = keras.ops.one_hot(labels, classes, dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(
            targets, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="kerasreg")
class DataLoss(keras.metrics.Mean):
    """Mean of a loss over rows, as a metric: no penalty in it, whatever the model trains on.

    Among `weighted_metrics` it weighs rows as Keras' losses do, the sum of weight times loss over
    the number of rows, so that `loss = data_loss + penalty` holds with weights too.

    Args:
        loss: A `keras.losses.Loss`; its own reduction is ignored.
    """

    def __init__(self, loss: keras.losses.Loss, name: str = "data_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss = type(loss).from_config({**loss.get_config(), "reduction": "none"})

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(self.loss(y_true, y_pred, sample_weight))

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})
