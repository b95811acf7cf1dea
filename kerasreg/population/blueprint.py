"""The blueprint: everything about a stack that is structure, nothing that is a value of a member.

Members of a population share one blueprint; what differs between them stands in arrays.
"""

from dataclasses import dataclass

from kerasreg.stacks import LayerSpec, StackConfig, layer_plan

NORMALIZATION_KINDS = ("batch", "layer", "group")


@dataclass(frozen=True)
class Parameter:
    """One array of a member. Stacked, it has shape (members, *shape).

    Attributes:
        name: Keras' name: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`.
        shape: (in, out) of a kernel, (1, units) of everything else.
        trainable: False for moving statistics.
        decayed: Whether decoupled weight decay applies.
    """

    layer: int
    name: str
    shape: tuple[int, int]
    trainable: bool = True
    decayed: bool = False


@dataclass(frozen=True)
class Blueprint:
    """The structure of a population.

    Attributes:
        layers: In order; dropout sites included, whatever their rates.
        loss: `"softmax"`, `"binary"`, `"mse"`, `"mae"` or `"huber"`.
        optimizer: `"sgd"`, `"momentum"`, `"nesterov"`, `"adagrad"`, `"rmsprop"` or `"adam"`.
        decay_all: Decoupled decay touches biases and normalisation parameters too (Keras' default
            for an optimiser without exclusions; never so for a `StackConfig`).
    """

    layers: tuple[LayerSpec, ...]
    features: int
    outputs: int
    loss: str
    optimizer: str
    decay_all: bool = False

    @property
    def metric(self) -> str:
        """`"accuracy"` or `"mae"`."""
        return "accuracy" if self.loss in ("softmax", "binary") else "mae"

    def parameters(self) -> tuple[Parameter, ...]:
        """Every array of a member, in the order of Keras' `model.get_weights()` by layer."""
        found, width = [], self.features
        for position, spec in enumerate(self.layers):
            if spec.kind == "dense":
                found.append(Parameter(position, "kernel", (width, spec.units), decayed=True))
                if spec.use_bias:
                    found.append(
                        Parameter(position, "bias", (1, spec.units), decayed=self.decay_all)
                    )
                width = spec.units
            elif spec.kind == "scale":
                found.append(Parameter(position, "kernel", (1, width)))
            elif spec.kind in NORMALIZATION_KINDS:
                if spec.scale:
                    found.append(Parameter(position, "gamma", (1, width), decayed=self.decay_all))
                if spec.center:
                    found.append(Parameter(position, "beta", (1, width), decayed=self.decay_all))
                if spec.kind == "batch":
                    found.append(Parameter(position, "moving_mean", (1, width), trainable=False))
                    found.append(
                        Parameter(position, "moving_variance", (1, width), trainable=False)
                    )
        return tuple(found)

    def widths(self) -> tuple[int, ...]:
        """Width of the activations that enter each layer."""
        widths, width = [], self.features
        for spec in self.layers:
            widths.append(width)
            width = spec.units if spec.kind == "dense" else width
        return tuple(widths)

    def member_size(self) -> int:
        """How many floats one member's parameters have."""
        return sum(p.shape[0] * p.shape[1] for p in self.parameters())


def blueprint_of_config(config: StackConfig, features: int, outputs: int, task: str) -> Blueprint:
    """The blueprint of a `StackConfig`."""
    loss = config.loss if task == "regression" else "softmax" if outputs > 1 else "binary"
    optimizer = "adam" if config.optimizer == "adamw" else config.optimizer
    return Blueprint(layer_plan(config, outputs), features, outputs, loss, optimizer)
