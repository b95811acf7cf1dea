"""Conversions between the three ways to state the strength of an L2 penalty."""


def l2_from_lambda(lam: float) -> float:
    """Keras' `l2` for the textbook penalty 1/2 * lambda * sum w^2: lambda / 2."""
    return lam / 2


def lambda_from_l2(l2: float) -> float:
    """The textbook lambda (penalty 1/2 * lambda * sum w^2) for Keras' `l2`: 2 * l2."""
    return 2 * l2


def l2_from_weight_decay(weight_decay: float) -> float:
    """The `l2` that trains plain SGD like decoupled `weight_decay`: weight_decay / 2.

    Only for plain SGD. With momentum or adaptive steps no `l2` does (arXiv:1711.05101).
    """
    return weight_decay / 2
