"""The order of the layers, which builders and populations share."""

from collections.abc import Iterator
from dataclasses import dataclass

from kerasreg.stacks._choices import AUGMENTATIONS, FEATURE_SCALE_RATE
from kerasreg.stacks._config import StackConfig


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a stack without rates and strengths: what a builder or a population needs.

    Attributes:
        kind: `"dense"`, `"batch"`, `"layer"`, `"group"`, `"activation"`, `"dropout"`,
            `"rescaling"` or `"scale"`, a trainable factor for each input. Of convolutions also
            `"conv"`, a pooling (`"max"`, `"average"`), `"spatial_dropout"`, the head (`"flatten"`,
            `"gap"`), `"flip"` and `AUGMENTATIONS`.
        name: The Keras layer's name.
        index: Which hidden layer it belongs to, from 1; 0 for the input, n + 1 for the output.
        units: Width of a dense layer, filters of a convolution.
        use_bias: Whether a dense layer or a convolution has a bias.
        activation: Name of an activation.
        groups: Count of groups of a group normalisation.
        center, scale: Whether a normalisation has beta and gamma.
        rescaling: Factor and offset of a rescaling.
    """

    kind: str
    name: str
    index: int = 0
    units: int = 0
    use_bias: bool = True
    activation: str = ""
    groups: int = 0
    center: bool = True
    scale: bool = True
    rescaling: tuple[float, float] = (1.0, 0.0)


def layer_plan(config: StackConfig, outputs: int) -> tuple[LayerSpec, ...]:
    """The layers of a stack in order, every dropout site and, with any, every augmentation.

    No layer has a bias where a normalisation follows: it would be subtracted again. A scale
    s = 6 v is trained by v: what steps of Adam do to v, they do to s six times as fast.
    """
    plan = []
    if config.feature_scale:
        rescaling = (FEATURE_SCALE_RATE, 0.0)
        plan.append(LayerSpec("rescaling", "feature_rate", rescaling=rescaling))
        plan.append(LayerSpec("scale", "feature_scale"))
    if config.filters:
        changes = AUGMENTATIONS if config.augmented else ()
        flips = ("flip",) if config.flip != "none" else ()
        plan += [LayerSpec(kind, f"random_{kind}") for kind in (*flips, *changes)]
    plan.append(LayerSpec("dropout", "input_dropout"))
    for index, units in enumerate(config.filters, 1):
        plan += _block(config, "conv", index, units)
    if config.filters:
        plan.append(LayerSpec(config.head, config.head))
    for index, units in enumerate(config.units, len(config.filters) + 1):
        plan += _block(config, "dense", index, units)
    plan.append(LayerSpec("dense", "output", config.hidden + 1, outputs))
    return tuple(plan)


def _block(config: StackConfig, kind: str, index: int, units: int) -> Iterator[LayerSpec]:
    """A hidden layer and what belongs to it."""
    norm = LayerSpec(config.normalization, f"norm_{index}", index, groups=config.groups)
    normalized = config.normalization != "none"
    before = normalized and config.norm_position == "before"
    yield LayerSpec(kind, f"{kind}_{index}", index, units, use_bias=not before)
    if before:
        yield norm
    if config.activation != "linear":
        yield LayerSpec("activation", f"activation_{index}", index, activation=config.activation)
    if normalized and not before:
        yield norm
    if kind == "conv" and config.pooling != "none":
        yield LayerSpec(config.pooling, f"pooling_{index}", index)
    yield LayerSpec("dropout" if kind == "dense" else "spatial_dropout", f"dropout_{index}", index)
