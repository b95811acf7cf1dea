"""An ensemble as one ordinary Keras model: raw rows in, the weighted mean of its members out.

Members of one structure and fold are computed side by side, kernels stacked along a new axis.
Batch normalisation and input factors are folded into the kernels next to them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kerasreg.data import Dataset, Fold, Split, inference_copy
from kerasreg.networks import Config
from kerasreg.population import Population, is_dense
from kerasreg.population.blueprint import blueprint_of_config
from kerasreg.search.ensemble.members import Candidate, FoldMember
from kerasreg.search.metrics import predict_outputs


@dataclass(frozen=True)
class Branch:
    """Members that see the same features.

    Attributes:
        encoding, fold: Which features they see.
        model: From these to the members' share of the weighted mean, (rows, outputs).
    """

    encoding: str
    fold: Fold
    model: keras.Model


def branches(
    dataset: Dataset, chosen: Sequence[Candidate], weights: Sequence[float]
) -> list[Branch]:
    """A branch for every encoding and fold of the chosen trials.

    Args:
        dataset: The data; classification gives probabilities, regression the target's unit.
        chosen, weights: The trials and their weights, which sum to 1.
    """
    parts: dict[tuple[str, str], list[tuple[Config, FoldMember, float]]] = {}
    for candidate, weight in zip(chosen, weights, strict=True):
        share = weight / len(candidate.members)
        for member in candidate.members:
            key = candidate.config.encoding, member.fold.name
            parts.setdefault(key, []).append((candidate.config, member, share))
    return [
        Branch(encoding, part[0][1].fold, _branch(dataset, part))
        for (encoding, _), part in parts.items()
    ]


def predict(found: Sequence[Branch], splits: Sequence[Split]) -> np.ndarray:
    """The mean, (rows, outputs) float64, given the rows as each branch sees them."""
    return sum(
        predict_outputs(branch.model, split.x) for branch, split in zip(found, splits, strict=True)
    )


def export(dataset: Dataset, found: Sequence[Branch], temperature: float = 1.0) -> keras.Model:
    """One uncompiled model of Keras' layers alone; takes what `Dataset.export`'s takes.

    Args:
        temperature: Divides the logits of its probabilities.
    """
    parts = [
        (dataset.encoded(branch.encoding).features_model(branch.fold), branch.model)
        for branch in found
    ]
    return dataset.export_sum(parts, temperature)


def _branch(dataset: Dataset, part: Sequence[tuple[Config, FoldMember, float]]) -> keras.Model:
    config, member, _ = part[0]
    inputs = keras.Input(member.fold.train.x.shape[1:])
    by_structure: dict[tuple, list] = {}
    for item in part:
        by_structure.setdefault(item[0].structure(), []).append(item)
    shares = [_weighted(dataset, inputs, group) for group in by_structure.values()]
    mean = keras.layers.Add()(shares) if len(shares) > 1 else shares[0]
    return keras.Model(inputs, mean, name=f"members_{config.encoding}_{member.fold.name}")


def _weighted(dataset: Dataset, inputs, group) -> keras.KerasTensor:
    """The members of one structure: their weighted sum, (rows, outputs)."""
    config, member, _ = group[0]
    if not is_dense(config) or config.normalization in ("layer", "group"):
        outputs = keras.ops.stack([_alone(dataset, *item[:2])(inputs) for item in group], axis=1)
    else:
        outputs = _side_by_side(dataset, inputs, group)
    if dataset.task == "regression":
        outputs = keras.layers.Rescaling(dataset.target_scale, member.fold.target_offset)(outputs)
    else:
        kind = "sigmoid" if dataset.outputs == 1 else "softmax"
        outputs = keras.layers.Activation(kind)(outputs)
    mean = keras.layers.EinsumDense("bmo,m->bo", (dataset.outputs,))
    result = mean(outputs)
    mean.set_weights([np.array([share for *_, share in group])])
    return result


def _side_by_side(dataset: Dataset, inputs, group) -> keras.KerasTensor:
    """Logits (rows, members, outputs) of stacks whose normalisation is folded."""
    folded = [_folded(dataset, config, member) for config, member, _ in group]
    activation, x, equation = group[0][0].activation, inputs, "bi,mio->bmo"
    if len(x.shape) > 2:
        x = keras.layers.Flatten()(x)
    for index, layers in enumerate(zip(*folded, strict=True)):
        kernel, bias = (np.stack(arrays) for arrays in zip(*layers, strict=True))
        dense = keras.layers.EinsumDense(equation, bias.shape, bias_axes="mo")
        x, equation = dense(x), "bmi,mio->bmo"
        dense.set_weights([kernel, bias])
        if index < len(folded[0]) - 1:
            x = keras.layers.Activation(activation)(x)
    return x


def _folded(
    dataset: Dataset, config: Config, member: FoldMember
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel (in, out) and bias (out,) of every dense layer, in float64."""
    features = math.prod(member.fold.train.x.shape[1:])
    blueprint = blueprint_of_config(config, features, dataset.outputs, dataset.task)
    arrays = {
        (p.layer, p.name): array.astype(np.float64)
        for p, array in zip(blueprint.parameters(), member.weights, strict=True)
    }
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    # What has to be done to the input of the next dense layer.
    scale, shift = np.ones(blueprint.features), np.zeros(blueprint.features)
    at_dense = False
    for position, spec in enumerate(blueprint.layers):
        own = {name: array for (layer, name), array in arrays.items() if layer == position}
        if spec.kind == "rescaling":
            scale = scale * spec.rescaling[0]
        elif spec.kind == "scale":
            scale = scale * own["kernel"][0]
        elif spec.kind == "dense":
            kernel = own["kernel"]
            bias = own["bias"][0] if spec.use_bias else np.zeros(spec.units)
            layers.append((scale[:, None] * kernel, bias + shift @ kernel))
            scale, shift = np.ones(spec.units), np.zeros(spec.units)
        elif spec.kind == "batch":
            gain = own["gamma"][0] / np.sqrt(own["moving_variance"][0] + config.norm_epsilon)
            offset = own["beta"][0] - own["moving_mean"][0] * gain
            if at_dense:
                kernel, bias = layers[-1]
                layers[-1] = kernel * gain, bias * gain + offset
            else:
                scale, shift = gain, offset
        at_dense = spec.kind == "dense"
    return layers


def _alone(dataset: Dataset, config: Config, member: FoldMember) -> keras.Model:
    """A stack with a member's weights."""
    shape = member.fold.train.x.shape[1:]
    population = Population([config], shape, dataset.outputs, dataset.task)
    population.members[0].weights = member.weights
    model = population.member(0)
    copy = inference_copy(model)
    return keras.Model(copy.inputs[0], copy.outputs[0])  # under a name of its own
