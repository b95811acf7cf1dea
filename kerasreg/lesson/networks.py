"""A network in plain Keras, read as the `StackConfig` that it is."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import initializers

from kerasreg.errors import UserError
from kerasreg.networks import Config, Network, NetworkConfig
from kerasreg.population.blueprint import NORMALIZATION_KINDS, blueprint_of_config
from kerasreg.population.lifting import layers_in_order
from kerasreg.population.lifting_layers import Chain, require
from kerasreg.population.lifting_training import read_loss, read_optimizer
from kerasreg.population.optimizers import VALUES
from kerasreg.population.values import Values, values_of_config
from kerasreg.stacks import INITIALIZERS, LOSSES, LayerSpec, StackConfig

# What members of a kind of layer may differ in.
_VALUES = {
    "dense": ("l1", "l2"),
    "dropout": ("rate",),
    "batch": ("epsilon", "momentum"),
    "layer": ("epsilon",),
    "group": ("epsilon",),
}
# What every stack starts from, kernels apart.
_STARTS = {
    "bias_initializer": initializers.Zeros,
    "beta_initializer": initializers.Zeros,
    "gamma_initializer": initializers.Ones,
    "moving_mean_initializer": initializers.Zeros,
    "moving_variance_initializer": initializers.Ones,
}
_FIELDS_OF_RULE = {
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "rmsprop": ("rho",),
    "adagrad": ("initial_accumulator",),
}


def config_of(network: keras.Model | StackConfig) -> StackConfig:
    """Read a compiled Sequential or functional model as a stack: the inverse of `build_stack`.

    Its layers are Input, Flatten, Dropout, then for each hidden layer Dense, normalisation,
    activation and Dropout in the order of a stack, alike in all hidden layers but for widths, rates
    and penalties; then a Dense output. A Dense layer before a normalisation has `use_bias=False`,
    and an optimiser's `weight_decay` leaves biases, gamma and beta out.

    Initial kernels are read by their standard deviation: `"he_normal"` is `"he"`,
    `"lecun_normal"` is `"xavier"`, `"glorot_normal"` is `"glorot"`, although Keras truncates these
    at two standard deviations and a stack does not. A `StackConfig` is returned as it is.

    Raises:
        UserError: What a `StackConfig` cannot say; the message names the layer.
    """
    if isinstance(network, StackConfig):
        return network
    require(getattr(network, "compiled", False), "a model that is not compiled")
    chain, owners = Chain(), []
    for layer in layers_in_order(network):
        chain.add(layer)
        for name, start in _STARTS.items():
            kept = isinstance(getattr(layer, name, None), start | None)
            require(kept, f"{name} of layer {layer.name!r}")
        owners += [layer] * (len(chain.specs) - len(owners))
    chain.close()
    loss, loss_values = read_loss(network, chain)
    rule, decay_all, values = read_optimizer(network)
    values |= loss_values | chain.values
    values = {name: _shortest(value) for name, value in values.items()}
    require(
        not (decay_all and values[-1, "weight_decay"]),
        "weight_decay of biases too; leave them out by optimizer.exclude_from_weight_decay("
        "var_names=['bias', 'gamma', 'beta'])",
    )
    config = StackConfig(
        **_shape(chain.specs, values),
        **_start([chain.sources[p] for p, s in enumerate(chain.specs) if s.kind == "dense"]),
        **{name: values[-1, name] for name in ("learning_rate", "weight_decay", "label_smoothing")},
        **{field: values[-1, field] for field in _FIELDS_OF_RULE.get(rule, ())},
        optimizer="adamw" if type(network.optimizer).__name__ == "AdamW" else rule,
        **({"loss": loss} if loss in LOSSES else {}),
    )
    _require_equal(config, chain, values, owners)
    return config


def read_networks(networks: Mapping[str, keras.Model | Config]) -> dict[str, Config]:
    """What `Lesson.train` trains: stacks where all networks are, else all networks as they are.

    Stacks train fastest. Convolutions, recurrence and all else take the general path of
    populations, where each seed's initial weights are drawn by the layers' own initialisers: so
    a stack beside them takes it too.

    Raises:
        UserError: A network that is not compiled, or neither Sequential nor functional.
    """
    own = {name: one for name, one in networks.items() if isinstance(one, keras.Model)}
    try:
        read: dict[str, Config] = {name: config_of(one) for name, one in own.items()}
    except UserError:
        for one in own.values():
            require(one.compiled, "a model that is not compiled")
        read = {name: NetworkConfig(Network(one)) for name, one in own.items()}
    return {**networks, **read}


def _shortest(value: float) -> float:
    """Undo what Keras does to a learning rate or a strength of L1: float32(0.01) is 0.01 again."""
    single = np.float32(value)
    return float(str(single)) if float(single) == value else value


def _shape(specs: Sequence[LayerSpec], values: Values) -> dict[str, Any]:
    """The fields of the layers, as the first hidden layer has them."""
    dense = [position for position, spec in enumerate(specs) if spec.kind == "dense"]
    rates = {s.index: values[p, "rate"] for p, s in enumerate(specs) if s.kind == "dropout"}
    activation = next((s.activation for s in specs if s.kind == "activation"), "linear")
    fields: dict[str, Any] = {
        "units": tuple(specs[position].units for position in dense[:-1]),
        **({"activation": activation} if len(dense) > 1 else {}),
        "input_dropout": rates.get(0, 0.0),
        "dropout": _one_or_each([rates.get(index, 0.0) for index in range(1, len(dense))]),
    }
    penalties = {name: [values[position, name] for position in dense] for name in ("l1", "l2")}
    if any(own[-1] for own in penalties.values()) or not any(map(any, penalties.values())):
        fields |= {name: _one_or_each(own) for name, own in penalties.items()}
    else:
        fields |= {name: _one_or_each(own[:-1]) for name, own in penalties.items()}
        fields["penalize_output"] = False
    for position, spec in enumerate(specs):
        if spec.kind in NORMALIZATION_KINDS:
            after = specs[position - 1].kind == "activation"
            fields["normalization"] = spec.kind
            fields["norm_position"] = "after" if after else "before"
            fields["norm_epsilon"] = values[position, "epsilon"]
            if spec.kind == "batch":
                fields["norm_momentum"] = values[position, "momentum"]
            if spec.kind == "group":
                fields["groups"] = spec.groups
            break
    return fields


def _one_or_each(values: Sequence[float]) -> float | tuple[float, ...]:
    return tuple(values) if len(set(values)) > 1 else next(iter(values), 0.0)


def _start(layers: Sequence[keras.layers.Dense]) -> dict[str, Any]:
    """Initialiser and scale whose standard deviations all kernels have.

    Of several that say the same, a word without a scale, then a number, then a whole scale.
    """
    shapes = [layer.kernel.shape for layer in layers]
    stddevs = np.array([_stddev(layer) for layer in layers])
    found: dict[str | float, float] = {}
    for initializer in (*INITIALIZERS, float(stddevs[0])):
        one = StackConfig(initializer=initializer)
        scales = stddevs / [one.kernel_stddev(*shape) for shape in shapes]
        if np.allclose(scales, scales[0], rtol=1e-9):
            found[initializer] = round(float(scales[0]), 9)
    if not found:
        raise _refused(layers[-1])
    best = min(found, key=lambda name: (found[name] != 1, found[name] % 1 != 0))
    return {"initializer": best, "initial_scale": found[best]}


def _stddev(layer: keras.layers.Dense) -> float:
    """Standard deviation that a layer's kernel is drawn with."""
    drawn, (fan_in, fan_out) = layer.kernel_initializer, layer.kernel.shape
    if type(drawn) is initializers.RandomNormal and drawn.stddev > 0 and not drawn.mean:
        return drawn.stddev
    if not (isinstance(drawn, initializers.VarianceScaling) and "normal" in drawn.distribution):
        raise _refused(layer)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    return math.sqrt(drawn.scale / fans[drawn.mode])


def _refused(layer: keras.layers.Dense) -> UserError:
    return UserError(
        f"layer {layer.name!r}: expected one kernel_initializer for all layers, 'he_normal', "
        "'lecun_normal', 'glorot_normal' or keras.initializers.RandomNormal(stddev=...), got "
        f"{type(layer.kernel_initializer).__name__}. Change it."
    )


def _require_equal(
    config: StackConfig, chain: Chain, values: Values, owners: Sequence[keras.layers.Layer]
) -> None:
    """Check that `config` has these layers with these values.

    Raises:
        UserError: It has not; the message names the first layer that differs.
    """
    plan = blueprint_of_config(config, chain.features, chain.width, "classification")
    own = values_of_config(config, plan)
    for name in VALUES[plan.optimizer]:
        if (-1, name) in own and own[-1, name] != values[-1, name]:
            raise UserError(
                f"optimizer: expected Keras' {name}={own[-1, name]:g}, got {values[-1, name]:g}. "
                "Leave it out."
            )
    wanted = _parts(plan.layers, own)
    for (position, part), (_, other) in zip(_parts(chain.specs, values), wanted, strict=False):
        if part != other:
            layer = owners[position]
            raise UserError(
                "network: expected hidden layers that are alike, each Dense (use_bias=False where "
                "a normalisation follows), normalisation, activation, Dropout, got layer "
                f"{layer.name!r} ({type(layer).__name__}) otherwise. Build it like the first."
            )


def _parts(specs: Sequence[LayerSpec], values: Values) -> Iterator[tuple[int, tuple]]:
    """Position, structure and values of each layer that does something."""
    for position, spec in enumerate(specs):
        own = [values[position, name] for name in _VALUES.get(spec.kind, ())]
        if spec.kind != "dropout" or any(own):
            groups = spec.groups if spec.kind == "group" else 0
            yield position, (dataclasses.replace(spec, name="", groups=groups), own)
