"""A trained stack with its preprocessing as one Keras model of Keras' own layers."""

import warnings

from kerasreg.errors import UserError


def export_model(dataset, preprocessing, model):
    """See `Dataset.export`."""
    import keras

    from kerasreg.data._table_graph import free_name

    if tuple(model.input_shape[1:]) != dataset.input_shape:
        raise UserError(
            f"export: the model takes rows of shape {tuple(model.input_shape[1:])}, the data has "
            f"{dataset.input_shape}; export a model trained on this data"
        )
    if model.output_shape[-1] != dataset.outputs:
        raise UserError(
            f"export: the model has {model.output_shape[-1]} outputs, the data needs "
            f"{dataset.outputs}; export a model trained on this data"
        )
    inputs, features = preprocessing.keras_graph()
    taken = set(inputs) if isinstance(inputs, dict) else {"x"}
    # Rebuilt from its config, the stack has no compile state (which would be saved with it, and
    # ask for its loss and metrics at loading).
    stack = type(model).from_config(model.get_config())
    stack.set_weights(model.get_weights())
    stack.name = free_name("stack", taken)
    outputs = stack(features)
    if dataset.task == "regression":
        head = keras.layers.Rescaling(
            dataset.target_scale, dataset.target_offset, name=free_name("prediction", taken)
        )
    else:
        activation = "sigmoid" if dataset.outputs == 1 else "softmax"
        head = keras.layers.Activation(activation, name=free_name("probabilities", taken))
    with warnings.catch_warnings():
        # A column name with "/" cannot name a Keras layer, so its key differs from its tensor's.
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict", UserWarning)
        return keras.Model(inputs, head(outputs), name=free_name("exported", taken))
