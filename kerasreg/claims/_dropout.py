"""Claims about dropout."""

from functools import partial

from kerasreg.claims._types import Claim

_claim = partial(Claim, family="dropout")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="C01",
        statement="Dropout reduces overfitting on a small training set.",
        sources=("S0", "S3", "S4"),
        literature="Hinton et al. (2012) and Srivastava et al. (2014) support it; the latter also "
        "report no gain on the very smallest sets.",
    ),
    _claim(
        id="C02",
        statement="A network trained with dropout depends less on single units: losing half of "
        "its hidden units at test costs it much less accuracy.",
        sources=("S0", "S1", "S2"),
        literature="Srivastava et al. (2014), section 7.1; Helmbold and Long (2015) are cautious.",
    ),
    _claim(
        id="C03",
        statement="Dropout has to be off at prediction: leaving it on lowers accuracy.",
        sources=("S0", "S1"),
        literature="Srivastava et al. (2014). Gal and Ghahramani (2016) leave it on and average "
        "many passes, which is another thing than one pass.",
    ),
    _claim(
        id="C04",
        statement="Multiplying by the probability of keeping at test gives the expected output of "
        "training.",
        sources=("S1",),
        literature="Exact for a linear layer; for a softmax layer it is the normalised geometric "
        "mean (Baldi and Sadowski 2013; Warde-Farley et al. 2014).",
    ),
    _claim(
        id="C05",
        statement="Inverted dropout, which divides by the probability of keeping in training, lets "
        "the network be used unchanged at test.",
        sources=("S1",),
    ),
    _claim(
        id="C06",
        statement="With classic dropout, evaluation multiplies by the fraction that was dropped.",
        sources=("S4",),
        literature="Srivastava et al. (2014) multiply by the fraction that was kept.",
    ),
    _claim(
        id="C07",
        statement="Scaling once at test does as well as averaging many thinned networks.",
        sources=("S4",),
        literature="Srivastava et al. (2014), section 7.5: about 50 samples match weight scaling.",
    ),
    _claim(
        id="C08",
        statement="A rate between 0.2 and 0.5 is right: less does nothing, more hinders learning.",
        sources=("S4",),
        literature="Srivastava et al. (2014), section 7.3, find a flat optimum from about 0.2 to "
        "0.6 dropped.",
    ),
    _claim(
        id="C09",
        statement="Dropout works because every step trains a smaller network: a network of half "
        "the width does as well.",
        sources=("S2",),
        literature="Srivastava et al. (2014) explain it by sharing weights among many networks.",
    ),
    _claim(
        id="C10",
        statement="Dropout spreads the weights and shrinks their squared norm.",
        sources=("S2",),
        literature="Wager et al. (2013) and Mianjy et al. (2018) for simple models; Helmbold and "
        "Long (2015) show that norms can grow in deep ones.",
    ),
    _claim(
        id="C11",
        statement="Dropout is an L2 penalty adapted to the size of the activations.",
        sources=("S2",),
        literature="Exact in linear regression (Srivastava et al. 2014, section 9.1), first order "
        "in generalised linear models (Wager et al. 2013), not so in deep networks (Helmbold and "
        "Long 2015; Wei et al. 2020).",
    ),
    _claim(
        id="C12",
        statement="Keeping fewer units acts like raising the weight penalty: both lower the gap, "
        "the training accuracy and the squared norm.",
        sources=("S2",),
    ),
    _claim(
        id="C13",
        statement="The layer with the largest kernel should keep fewer units than the others.",
        sources=("S2",),
    ),
    _claim(
        id="C14",
        statement="Dropout on the input should be none or slight; dropping half of it hurts.",
        sources=("S2",),
        literature="Srivastava et al. (2014) keep 0.8 of the input.",
    ),
    _claim(
        id="C15",
        statement="Dropout helps only a network that overfits; one that does not is hurt by it.",
        sources=("S2",),
        literature="Goodfellow et al. (2016), section 7.12, agree that capacity must be ample.",
    ),
    _claim(
        id="C16",
        statement="With dropout off the cost falls at every step of full-batch descent; with it on "
        "the cost of a step is no guide.",
        sources=("S2",),
    ),
    _claim(
        id="C17",
        statement="Dropout is worth most where images are few: with more of them its gain falls.",
        sources=("S2",),
        literature="Srivastava et al. (2014), section 7.4: the gain first grows and then falls, "
        "and there is none on 100 and 500 images.",
    ),
    _claim(
        id="C18",
        statement="Global average pooling in place of dense layers makes dropout unnecessary.",
        sources=("S1",),
        literature="Lin et al. (2014).",
    ),
    _claim(
        id="C19",
        statement="DropConnect, which drops connections and keeps all units, does what dropout "
        "does.",
        sources=("S1",),
        literature="Wan et al. (2013) find it slightly better than dropout on MNIST.",
    ),
)
