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
FLIPS = ("none", "horizontal", "vertical")
#: Random changes of training images whose strength is a number.
AUGMENTATIONS = ("shift", "rotation", "zoom", "contrast", "erase")
#: Field -> its words.
CHOICES = {
    "pooling": POOLINGS,
    "head": HEADS,
    "flip": FLIPS,
    "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS,
    "norm_position": ("before", "after"),
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "encoding": ENCODINGS,
}
#: Every regulariser, and what it is where there is none.
WITHOUT = {
    "normalization": "none",
    "flip": "none",
    **dict.fromkeys(("dropout", "spatial_dropout", "input_dropout", "l1", "l2"), 0.0),
    **dict.fromkeys(("weight_decay", "label_smoothing", *AUGMENTATIONS), 0.0),
}
#: How much faster than the kernels a `feature_scale` learns.
FEATURE_SCALE_RATE = 6.0
