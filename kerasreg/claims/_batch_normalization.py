"""Claims about batch normalization, other normalizations, and the distribution of inputs."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="batch normalization")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C20",
        statement="Batch normalization reaches a training accuracy in fewer updates.",
        sources=("S0", "S1", "S3"),
        literature="Ioffe and Szegedy (2015); Santurkar et al. (2018); Bjorck et al. (2018).",
    ),
    _claim(
        id="C21",
        statement="With batch normalization, training depends much less on the initial weights.",
        sources=("S0", "S1", "S3"),
        literature="Ioffe and Szegedy (2015).",
    ),
    _claim(
        id="C22",
        statement="Batch normalization allows much larger learning rates.",
        sources=("S0", "S1"),
        literature="Bjorck et al. (2018) hold this to be its main benefit.",
    ),
    _claim(
        id="C23",
        statement="Batch normalization keeps gradients from vanishing with sigmoid and tanh.",
        sources=("S0", "S3"),
    ),
    _claim(
        id="C24",
        statement="Batch normalization also keeps gradients from exploding.",
        sources=("S0",),
        literature="Yang et al. (2019): in deep networks without skip connections it makes them "
        "explode.",
    ),
    _claim(
        id="C25",
        statement="Batch normalization regularises: at equal training accuracy it raises test "
        "accuracy.",
        sources=("S0", "S1", "S3"),
        literature="Ioffe and Szegedy (2015) claim it; Luo et al. (2019) derive it.",
    ),
    _claim(
        id="C26",
        statement="What batch normalization gains depends on the size of the mini-batch.",
        sources=("S0", "S3"),
        literature="Wu and He (2018); Ioffe (2017); Hoffer et al. (2017).",
    ),
    _claim(
        id="C27",
        statement="With a batch of one, the variance is 0 and nothing is learnt.",
        sources=("S3",),
        literature="Algebra: so for a vector, not for an image, whose positions are averaged too.",
    ),
    _claim(
        id="C28",
        statement="Batch normalization is hard to use in recurrent networks; layer normalization "
        "solves that.",
        sources=("S0", "S3"),
        literature="Ba et al. (2016); Laurent et al. (2016). Cooijmans et al. (2016): with "
        "statistics of each step it works.",
    ),
    _claim(
        id="C29",
        statement="Batch normalization differs between training and inference enough to look like "
        "a bug.",
        sources=("S1",),
    ),
    _claim(
        id="C30",
        statement="Batch normalization reduces internal covariate shift.",
        sources=("S1", "S3"),
        literature="Santurkar et al. (2018) find it unchanged or larger.",
    ),
    _claim(
        id="C31",
        statement="Internal covariate shift is what makes training unstable.",
        sources=("S0", "S3", "S4"),
        literature="Santurkar et al. (2018): batch normalization with added shift still trains "
        "fast.",
    ),
    _claim(
        id="C32",
        statement="Batch normalization belongs before the activation.",
        sources=("S0", "S1"),
        literature="Ioffe and Szegedy (2015) place it there; Mishkin et al. (2016) find after "
        "slightly better with ReLU.",
    ),
    _claim(
        id="C33",
        statement="Values that are only standardized keep a sigmoid in its linear part; gamma and "
        "beta repair that.",
        sources=("S1", "S4"),
        literature="Ioffe and Szegedy (2015), section 3.",
    ),
    _claim(
        id="C34",
        statement="Batch normalization and whitening make the values normally distributed.",
        sources=("S1", "S3", "S4"),
        literature="Algebra: an affine map leaves the shape of a distribution as it is.",
    ),
    _claim(
        id="C35",
        statement="At inference, batch normalization is an affine map that can be folded into the "
        "layer before it.",
        sources=("S4",),
        literature="Ioffe and Szegedy (2015), Algorithm 2.",
    ),
    _claim(
        id="C36",
        statement="The variance for inference needs the factor m / (m - 1).",
        sources=("S4",),
        literature="Ioffe and Szegedy (2015), Algorithm 2; Keras' moving average leaves it out.",
    ),
    _claim(
        id="C37",
        statement="Other normalizations bear larger learning rates and learn faster, too.",
        sources=("S1",),
        literature="Santurkar et al. (2018): normalizing by other norms does as well.",
    ),
    _claim(
        id="C38",
        statement="Of all normalizations only batch normalization works; the others failed.",
        sources=("S1",),
        literature="Ba et al. (2016); Ulyanov et al. (2016); Wu and He (2018): each has its place.",
    ),
    _claim(
        id="C39",
        statement="Min-max scaling, standardization and whitening give two data sets the same "
        "distribution.",
        sources=("S4",),
        literature="Algebra: they set the range, or the first two moments.",
    ),
    _claim(
        id="C40",
        statement="Whitened inputs are learned from faster than standardized ones, and as well.",
        sources=("S4",),
        literature="LeCun et al. (1998) recommend whitening; Wadia et al. (2021): it can cost "
        "generalization.",
    ),
    _claim(
        id="C41",
        statement="Inputs distributed otherwise at test than in training (covariate shift) lower "
        "accuracy.",
        sources=("S4",),
        literature="Shimodaira (2000).",
    ),
)
