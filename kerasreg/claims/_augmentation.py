"""Claims about data augmentation."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="data augmentation")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C59",
        statement="Random crops in training, and averaging over crops at test, raise accuracy.",
        sources=("S1",),
        literature="Krizhevsky et al. (2012) and He et al. (2016) do both, on photographs.",
    ),
    _claim(
        id="C60",
        statement="Horizontal flips do not suit every kind of image.",
        sources=("S1",),
        literature="Cubuk et al. (2019): flips help on CIFAR-10 and not on MNIST.",
    ),
    _claim(
        id="C61",
        statement="CutOut and searched augmentation policies do badly on images.",
        sources=("S1",),
        literature="DeVries and Taylor (2017) and Cubuk et al. (2019) report the lowest errors of "
        "their time on CIFAR-10 with them.",
    ),
)
