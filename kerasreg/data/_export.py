"""A trained stack with its preprocessing as one Keras model of Keras' layers alone."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasreg.data._inference import inference_copy
from kerasreg.data._table_graph import free_name, model_of_columns
from kerasreg.errors import UserError


def export_model(data: Any, model: keras.Model) -> keras.Model:
    """What `Dataset.export` of `data`, a Dataset, gives."""
    features, inputs = data.features_model(), data.raw_inputs()
    for what, expected, got in (
        ("takes rows", tuple(features.output_shape[1:]), tuple(model.input_shape[1:])),
        ("gives outputs", (data.outputs,), tuple(model.output_shape[1:])),
    ):
        if got != expected:
            raise UserError(
                f"export: the model {what} of shape {got}, the data needs {expected}; export a "
                "model trained on this data"
            )
    taken = _names(inputs)
    stack = inference_copy(model)
    stack.name = free_name("stack", taken)
    if data.task == "regression":
        unit = data.target_scale, data.target_offset
        head = keras.layers.Rescaling(*unit, name=free_name("prediction", taken))
    else:
        activation = "sigmoid" if data.outputs == 1 else "softmax"
        head = keras.layers.Activation(activation, name=free_name("probabilities", taken))
    return model_of_columns(
        inputs, head(stack(features(inputs))), name=free_name("exported", taken)
    )


def export_sum(
    inputs: Any, parts: Sequence[tuple[keras.Model, keras.Model]], temperature: float = 1.0
) -> keras.Model:
    """The sum of models, each behind a preprocessing of its own; see `Dataset.export_sum`."""
    taken = _names(inputs)
    outputs = [model(features(inputs)) for features, model in parts]
    total = keras.layers.Add(name=free_name("sum", taken))(outputs) if outputs[1:] else outputs[0]
    if temperature != 1:
        total = _tempered(total, temperature)
    return model_of_columns(inputs, total, name=free_name("ensemble", taken))


def _tempered(probabilities: Any, temperature: float) -> Any:
    """Probabilities (rows, classes), or of the second of two (rows, 1), of divided logits."""
    ops, least = keras.ops, 1e-30
    logits = ops.log(ops.maximum(probabilities, least)) / temperature
    if probabilities.shape[1] > 1:
        return ops.softmax(logits)
    return ops.sigmoid(logits - ops.log(ops.maximum(1 - probabilities, least)) / temperature)


def _names(inputs: Any) -> set[str]:
    return set(inputs) if isinstance(inputs, dict) else {"x"}
