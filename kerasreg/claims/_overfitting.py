"""Claims about overfitting and weight decay."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="overfitting and weight decay")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C42",
        statement="Few data make a network overfit, and more data cure it.",
        sources=("S0", "S4"),
    ),
    _claim(
        id="C43",
        statement="Many parameters make a network overfit.",
        sources=("S4",),
        literature="Zhang et al. (2017), Belkin et al. (2019) and Nakkiran et al. (2020) find that "
        "test accuracy need not fall with width.",
    ),
    _claim(
        id="C44",
        statement="Trained on 300 images, the network is near perfect on them and more than 10 "
        "points worse on new ones.",
        sources=("S4",),
    ),
    _claim(
        id="C45",
        statement="Weight decay with λ = 0.1 (l2 = 0.05) suppresses overfitting.",
        sources=("S3", "S4"),
        literature="Krogh and Hertz (1991).",
    ),
    _claim(
        id="C46",
        statement="An L1 penalty sets weights to zero, an L2 penalty only makes them small.",
        sources=("S4",),
        literature="Tibshirani (1996); Ng (2004).",
    ),
    _claim(
        id="C47",
        statement="Adding an L2 penalty to the loss is the same as decaying the weights.",
        sources=("S1", "S4"),
        literature="Loshchilov and Hutter (2019): for plain gradient descent, not for Adam.",
    ),
    _claim(
        id="C48",
        statement="Weight decay, dropout and batch normalization add to one another.",
        sources=("S3",),
        literature="Li et al. (2019) and van Laarhoven (2017) find them in conflict; Kadra et al. "
        "(2021) find tuned combinations better than each alone.",
    ),
)
