"""Whether XLA compiles a member's step: by the structure, never by the clock or the company.

`scripts/benchmark_networks.py --steps` on 2 busy cores, milliseconds of the processor a step of one
member with a batch of 32, mapped by `tf.map_fn`; to compile takes two to four seconds more for each
size of batch:

    network                                     plain   fused
    LSTM(32), 28 steps                            4.8     1.7
    two Conv2D + batch normalization, 8x8         2.9     2.0
    Embedding + Conv1D, 40 steps                  1.8     1.5
    LeNet, 28x28                                  7.5    11.8

XLA saves what many small operations cost; its convolutions are slower than oneDNN's where there is
much to compute, and what it saves in small ones its compilation takes back in a search of usual
length. So it takes recurrences.
"""

import keras

from kerasreg.population.general.description import graph_of
from kerasreg.population.general.layer_values import generators_of, is_noise, kind_of
from kerasreg.population.general.placement import layers_of

_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
# Of these it is known that XLA compiles them and that their first axis is the rows.
_KNOWN = (
    *(*_RECURRENT, "LSTMCell", "GRUCell", "SimpleRNNCell", "Bidirectional", "Conv1D"),
    *("Sequential", "Functional", "InputLayer", "Dense", "Embedding", "Flatten", "Reshape"),
    *("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise"),
    *("BatchNormalization", "LayerNormalization", "Activation", "ReLU", "LeakyReLU", "Rescaling"),
    *("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D"),
    *("Add", "Concatenate"),
)


def is_fused(model: keras.Model) -> bool:
    """Whether XLA compiles the training step of a model's population."""
    graph = graph_of(model)
    if graph is None:
        return False
    layers = layers_of(model)
    if any(kind_of(part) not in _KNOWN for part in (*layers, *graph.operations)):
        return False
    if any(layer.dtype_policy.name != "float32" for layer in layers):
        return False
    if any(generators_of(layer) and not is_noise(layer) for layer in layers):
        return False
    losses = keras.tree.flatten(model._compile_loss._user_loss)
    if not all(isinstance(loss, str) or kind_of(loss) for loss in losses):
        return False
    nodes = [node for layer in layers for node in layer._inbound_nodes]
    if any(None in tensor.shape[1:] for node in nodes for tensor in node.output_tensors):
        return False
    return any(kind_of(layer) in _RECURRENT for layer in layers)
