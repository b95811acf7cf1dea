"""Whether the rows are fit to train on: scale, duplicates between the parts, rare classes."""

import numpy as np

from kerasreg.diagnosis.finding import Finding
from kerasreg.diagnosis.predictions import Classes
from kerasreg.diagnosis.row_facts import Duplicates, Inputs, Target
from kerasreg.words import joined

#: Initial weights keep the size of inputs of mean square 1 (LeCun et al. 1998, "Efficient
#: BackProp", section 4.3). Ten times larger, the first layer's outputs are far beyond where
#: sigmoids and softmax react; pixels of 0 to 16 (5 to 8) still train.
LARGE_INPUTS = 10.0
#: Where even the largest number is so small, the first layer gives next to nothing but its bias, as
#: for pixels that are divided by 255 twice.
SMALL_INPUTS = 0.05
#: One feature a hundred times as spread as the median one decides alone what the first layer sees.
UNEVEN_INPUTS = 100.0
#: Copied rows are a leak where they are at least this share of the validation rows; one pair may
#: be a coincidence.
DUPLICATES = 0.01
FEWEST_DUPLICATES = 2
#: A class is rare where another has four times as many rows (the mildest imbalance that Krawczyk
#: 2016, doi:10.1007/s13748-016-0094-0, speaks of) ...
IMBALANCE = 4.0
#: ... and neglected where even the upper end of its recall's interval is so far below the accuracy.
NEGLECTED = 0.1


def check_inputs(inputs: Inputs | None) -> Finding | None:
    """Inputs whose size is far from 1, or whose features differ much in spread."""
    if inputs is None:
        return None
    size = f"from {inputs.low:.4g} to {inputs.high:.4g}, root mean square {inputs.size:.3g}"
    if inputs.size > LARGE_INPUTS or 0 < max(-inputs.low, inputs.high) < SMALL_INPUTS:
        text = f"What enters {inputs.layer} is {size}; initial weights are made for about 1."
    elif inputs.unevenness > UNEVEN_INPUTS:
        text = (
            f"One feature that enters {inputs.layer} is spread {inputs.unevenness:.3g} times as "
            f"wide as the median one ({size}): the others hardly count."
        )
    else:
        return None
    return Finding(
        "inputs not scaled",
        "serious",
        text,
        "put keras.layers.Rescaling(1 / 255) (pixels) or Normalization (adapted to the training "
        "rows) first; if your own script scales the rows, say --scaling auto",
        lesson="weight_init_compare",
    )


def check_target(target: Target | None) -> Finding | None:
    """A quantity to predict that is far larger than what a network gives at first."""
    if target is None or target.size <= LARGE_INPUTS:
        return None
    return Finding(
        "target not scaled",
        "serious",
        f"The target is from {target.low:.4g} to {target.high:.4g}, root mean square "
        f"{target.size:.3g}; a network begins with outputs of about 1, and its gradients grow with "
        "the distance.",
        "subtract the mean of the training targets and divide by their standard deviation; undo it "
        "after predict",
    )


def check_duplicates(duplicates: Duplicates) -> Finding | None:
    """Validation rows that are training rows, too."""
    found, total = len(duplicates.rows), duplicates.validation_rows
    if not duplicates.telling or found < max(FEWEST_DUPLICATES, DUPLICATES * total):
        return None
    return Finding(
        "duplicate rows",
        "serious",
        f"{found:,} of {total:,} validation rows ({found / total:.1%}) are training rows, number "
        "for number: what is measured on them is memory, and validation looks better than it is.",
        "drop the copies, or keep rows of one origin in one part (--group COLUMN)",
        lesson="overfitting",
        rows=duplicates.rows,
    )


def check_classes(classes: Classes | None) -> Finding | None:
    """Rare classes that the network neglects."""
    if classes is None:
        return None
    ratio = classes.counts.max() / np.maximum(classes.counts, 1)
    neglected = [
        f"{name} ({count:,} rows, recall {recall.share:.0%} [{recall.low:.0%}, {recall.high:.0%}])"
        for name, count, r, recall in zip(
            classes.names, classes.counts, ratio, classes.recalls, strict=True
        )
        if recall and r >= IMBALANCE and recall.high < classes.accuracy - NEGLECTED
    ]
    if not neglected:
        return None
    return Finding(
        "class imbalance",
        "worth a look",
        f"Rare classes are neglected: {joined(neglected)}, against an accuracy of "
        f"{classes.accuracy:.0%}; the most frequent class has {classes.counts.max():,} rows.",
        "weigh rare classes as much as frequent ones, and judge by balanced accuracy",
        "kerasreg search --model {model} --data {data} --balance --objective val_balanced_accuracy "
        "--out study",
    )
