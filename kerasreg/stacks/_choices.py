"""What the fields of a stack may be where they are words."""

from kerasreg.data import ENCODINGS

ACTIVATIONS = (
    *("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus"),
    "linear",
)
NORMALIZATIONS = ("none", "batch", "layer", "group")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
INITIALIZERS = ("he", "xavier", "glorot")
LOSSES = ("mse", "mae", "huber")
SCHEDULES = ("constant", "cosine")
POOLINGS = ("max", "average", "none")
HEADS = ("flatten", "gap")
#: Field -> its words.
CHOICES = {
    "pooling": POOLINGS,
    "head": HEADS,
    "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS,
    "norm_position": ("before", "after"),
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "encoding": ENCODINGS,
}
#: How much faster than the kernels a `feature_scale` learns.
FEATURE_SCALE_RATE = 6.0
