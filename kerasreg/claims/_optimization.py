"""Claims about optimizers and initial weights."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="optimizers and initialization")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C49",
        statement="On a long valley, SGD zigzags; momentum, AdaGrad and Adam go a shorter way.",
        sources=("S3",),
    ),
    _claim(
        id="C50",
        statement="Momentum, AdaGrad and Adam learn handwritten digits faster than SGD.",
        sources=("S3",),
        literature="Choi et al. (2019) and Schmidt et al. (2021): it depends on how each is tuned.",
    ),
    _claim(
        id="C51",
        statement="Under a constant gradient, momentum 0.9 speeds a step up tenfold.",
        sources=("S4",),
        literature="Algebra: the velocity tends to rate * gradient / (1 - momentum).",
    ),
    _claim(
        id="C52",
        statement="Too small a learning rate learns slowly, too large a one not at all.",
        sources=("S4",),
    ),
    _claim(
        id="C53",
        statement="With ReLU, He's initial weights learn faster than Xavier's or small ones.",
        sources=("S3",),
        literature="He et al. (2015).",
    ),
    _claim(
        id="C54",
        statement="With sigmoid and tanh, Xavier's initial weights are the right ones.",
        sources=("S3",),
        literature="Glorot and Bengio (2010), for tanh; they show that sigmoid trains badly.",
    ),
    _claim(
        id="C55",
        statement="A first hidden layer wider than the input works better than a narrower one.",
        sources=("S4",),
        literature="Bengio (2012): a first layer wider than its input rarely hurts.",
    ),
    _claim(
        id="C62",
        statement="Xavier's initial weights keep the signal through layers of sigmoid and tanh, "
        "He's through layers of ReLU.",
        sources=("S3",),
        literature="Glorot and Bengio (2010); He et al. (2015).",
    ),
)
