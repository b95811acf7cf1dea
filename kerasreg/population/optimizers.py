"""Keras' update rules with a member axis: one function of arrays each (AdamW is Adam with decay).

A further rule also needs its name in `stacks._config.OPTIMIZERS`, its Keras optimiser in
`stacks._build` and in `lifting_training`, and start values other than 0 in `members`.

Every value (learning rate, momentum, decay, ...) has shape (members, 1, 1), so members never
meet. The formulas, epsilons and order of operations are those of `keras.optimizers` 3.15; decoupled
decay comes before the step and uses the gradient taken before it, as there.
"""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from kerasreg.population.blueprint import Parameter

#: Slots (arrays as large as the parameter) that each rule keeps.
SLOTS = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adagrad": ("accumulator",),
    "rmsprop": ("velocity",),
    "adam": ("momentum", "velocity"),
}

#: Values that each rule reads, besides `learning_rate` and `weight_decay`.
VALUES = {
    "sgd": (),
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "adagrad": ("epsilon", "initial_accumulator"),
    "rmsprop": ("rho", "1 - rho", "epsilon"),
    "adam": ("beta_1", "1 - beta_1", "beta_2", "1 - beta_2", "epsilon"),
}
# Complements are values too: 1 - float32(0.999) is off by 5e-5, 1 - 0.999 is not.


def update_all(
    rule: str,
    parameters: Sequence[Parameter],
    weights: Sequence[tf.Tensor],
    gradients: Sequence[tf.Tensor],
    slots: Sequence[Sequence[tf.Tensor]],
    values: Mapping[tuple[int, str], tf.Tensor],
    count: tf.Tensor,
    progress: tf.Tensor,
) -> tuple[list[tf.Tensor], list[list[tf.Tensor]]]:
    """One step of all trainable parameters, given the gradients of the data loss.

    Penalties enter the gradients in closed form; then they are clipped, as in Keras.

    Args:
        parameters, weights, gradients, slots: Of each trainable parameter.
        values: By (layer, name), -1 for those of the optimiser.
        count: As in `update`.
        progress: Share of the planned steps that are done, a float64 scalar, for schedules.

    Returns:
        The new weights and slots.
    """
    own = {name: value for (layer, name), value in values.items() if layer == -1}
    if "cosine" in own:
        fallen = tf.cast((1 - tf.cos(math.pi * progress)) / 2, count.dtype)
        own["learning_rate"] *= 1 - own["cosine"] * fallen
    gradients = list(gradients)
    for k, (parameter, weight) in enumerate(zip(parameters, weights, strict=True)):
        if parameter.name == "kernel":
            if (parameter.layer, "l2") in values:
                gradients[k] += 2 * values[parameter.layer, "l2"] * weight
            if (parameter.layer, "l1") in values:
                gradients[k] += values[parameter.layer, "l1"] * tf.sign(weight)
    if "global_clipnorm" in own:
        gradients = _clip(gradients, own["global_clipnorm"])
    new_weights, new_slots = [], []
    for parameter, *of_it in zip(parameters, weights, gradients, slots, strict=True):
        weight, slot = update(rule, *of_it[:2], tuple(of_it[2]), own, count, parameter.decayed)
        new_weights.append(weight)
        new_slots.append(list(slot))
    return new_weights, new_slots


def update(
    rule: str,
    weight: tf.Tensor,
    gradient: tf.Tensor,
    slots: tuple[tf.Tensor, ...],
    values: dict[str, tf.Tensor],
    count: tf.Tensor,
    decayed: bool,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """One step of one parameter.

    Args:
        rule: One of `SLOTS`.
        weight, gradient: (members, in, out).
        slots: The rule's arrays.
        values: (members, 1, 1) each.
        count: Which step this is, from 1, a scalar of the weight's type.
        decayed: Whether decoupled weight decay applies.

    Returns:
        The new weight and the new slots.
    """
    rate = values["learning_rate"]
    if decayed and "weight_decay" in values:
        weight = weight - weight * values["weight_decay"] * rate
    match rule:
        case "sgd":
            return weight - rate * gradient, ()
        case "momentum":
            velocity = slots[0] * values["momentum"] - gradient * rate
            return weight + velocity, (velocity,)
        case "nesterov":
            velocity = slots[0] * values["momentum"] - gradient * rate
            return weight + velocity * values["momentum"] - gradient * rate, (velocity,)
        case "adagrad":
            accumulator = slots[0] + gradient * gradient
            step = rate * gradient / tf.sqrt(accumulator + values["epsilon"])
            return weight - step, (accumulator,)
        case "rmsprop":
            velocity = values["rho"] * slots[0] + values["1 - rho"] * gradient * gradient
            step = rate * gradient / tf.sqrt(velocity + values["epsilon"])
            return weight - step, (velocity,)
        case "adam":
            beta_1, beta_2 = values["beta_1"], values["beta_2"]
            step_size = rate * tf.sqrt(1 - _power(beta_2, count)) / (1 - _power(beta_1, count))
            momentum = slots[0] + (gradient - slots[0]) * values["1 - beta_1"]
            velocity = slots[1] + (gradient * gradient - slots[1]) * values["1 - beta_2"]
            step = momentum * step_size / (tf.sqrt(velocity) + values["epsilon"])
            return weight - step, (momentum, velocity)
    raise AssertionError(rule)


def _clip(gradients: Sequence[tf.Tensor], largest: tf.Tensor) -> list[tf.Tensor]:
    """Each member's gradients (members, in, out), scaled so that their norm is at most `largest`.

    `largest` has shape (members, 1, 1); 0 leaves a member's gradients as they are.
    """
    norm = tf.sqrt(sum(tf.reduce_sum(g * g, [1, 2], keepdims=True) for g in gradients))
    scale = tf.where((largest > 0) & (norm > largest), largest / norm, tf.ones_like(norm))
    return [g * scale for g in gradients]


def _power(base: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """base ** exponent, rounded once.

    TensorFlow's float32 power differs in its last bit between vector lanes and the rest, so that a
    member's step would depend on its position.
    """
    return tf.cast(tf.cast(base, tf.float64) ** tf.cast(exponent, tf.float64), base.dtype)
