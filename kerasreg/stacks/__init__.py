"""The stack: input -> [Dense -> norm -> activation -> dropout] x n -> Dense output.

For images, convolutions may come before: [Conv2D -> norm -> activation -> pooling -> dropout] x m,
and what makes features of their maps.

This room is the only place that knows the order of the layers. `StackConfig` describes a stack,
`build_stack` makes it an ordinary compiled `keras.Model` of Keras' own layers.

Penalty convention, stated once. With kernel weights w and data loss D:

    l1, l2 (Keras, StackConfig)      loss = D + l1 * sum|w| + l2 * sum w^2,  gradient + 2 * l2 * w
    lambda (textbooks, the notes)    loss = D + 1/2 * lambda * sum w^2,      gradient + lambda * w
    weight_decay (decoupled)         w <- w - learning_rate * weight_decay * w, outside the gradient

so `l2 = lambda / 2`. Decoupled decay equals `l2 = weight_decay / 2` for plain SGD and for no other
optimiser (Loshchilov & Hutter 2019, arXiv:1711.05101).
"""

from kerasreg.stacks._build import (
    build_optimizer,
    build_stack,
    build_template,
    check_geometry,
    compile_stack,
    loss_and_metrics,
)
from kerasreg.stacks._checks import check_number
from kerasreg.stacks._choices import (
    ACTIVATIONS,
    AUGMENTATIONS,
    FEATURE_SCALE_RATE,
    HEADS,
    INITIALIZERS,
    LOSSES,
    NORMALIZATIONS,
    OPTIMIZERS,
    POOLINGS,
    SCHEDULES,
    WITHOUT,
)
from kerasreg.stacks._config import StackConfig
from kerasreg.stacks._penalties import l2_from_lambda, l2_from_weight_decay, lambda_from_l2
from kerasreg.stacks._plan import LayerSpec, layer_plan
