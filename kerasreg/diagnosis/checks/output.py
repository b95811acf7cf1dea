"""Whether the output and the loss mean the same: probabilities or logits."""

import math

from kerasreg.diagnosis.finding import Finding
from kerasreg.diagnosis.network import Structure

_LOSSES = ("crossentropy", "focal")


def check_output(structure: Structure) -> Finding | None:
    """Softmax or sigmoid before a loss on logits, or logits before a loss on probabilities."""
    if not any(part in structure.loss for part in _LOSSES):
        return None
    squashed = structure.activation in ("softmax", "sigmoid")
    if squashed and structure.from_logits:
        # With probabilities of 1 and 0 taken for logits.
        least = math.log1p(max(structure.outputs - 1, 1) / math.e)
        return Finding(
            "softmax before a loss on logits",
            "serious",
            f"The last layer ends in {structure.activation}, and the loss {structure.loss} has "
            f"from_logits=True: it takes the probabilities for logits and squashes them again. "
            f"Even with every row right the loss stays above {least:.2f}, and gradients are small. "
            "(Keras' TensorFlow backend undoes this where it sees the softmax; other backends and "
            "loops of your own do not.)",
            "compile with from_logits=False, or take the activation out of the last layer",
        )
    if not squashed and not structure.from_logits:
        return Finding(
            "logits before a loss on probabilities",
            "serious",
            f"The last layer ends in no softmax or sigmoid, but the loss {structure.loss} expects "
            "probabilities (from_logits=False): what is outside 0 to 1 is cut off, and has no "
            "gradient.",
            f"compile with loss={_class_of(structure.loss)}(from_logits=True)",
        )
    return None


def _class_of(name: str) -> str:
    return "keras.losses." + "".join(part.capitalize() for part in name.split("_"))
