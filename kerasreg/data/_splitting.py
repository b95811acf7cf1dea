"""Which rows train, validate and test: seeded, stratified, every class in every part."""

import numpy as np

from kerasreg.data._division import Division
from kerasreg.data.cells.numbers import number_of
from kerasreg.errors import UserError, check_whole
from kerasreg.seeds import derive

# Train, validation and test, unless asked for otherwise.
FRACTIONS = (0.6, 0.2, 0.2)


def check_fractions(fractions: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return `fractions` as floats if they are three positive values that sum to 1.

    Raises:
        UserError: When they are not.
    """
    try:
        parts = tuple(float(part) for part in fractions)
    except (TypeError, ValueError):
        parts = ()
    if len(parts) != 3 or not all(0 < part < 1 for part in parts) or abs(sum(parts) - 1) > 1e-6:
        raise UserError(
            "fractions: expected three values above 0 that sum to 1 (train, validation, test), "
            f"got {fractions!r}"
        )
    return parts


def split_rows(
    y: np.ndarray,
    fractions: tuple[float, ...],
    seed: int,
    class_names: tuple[str, ...] | None,
) -> list[np.ndarray]:
    """Divide rows into parts of the given fractions, at random, stratified by class.

    Args:
        y: Class ids (classification) or any one-dimensional array of the rows (regression).
        fractions: Fractions of the parts, summing to 1.
        seed: Seed of the draw.
        class_names: Names of the classes; None for regression.

    Returns:
        One sorted array of row indices a part; every class has at least one row in every part.

    Raises:
        UserError: When a class, or the whole, has fewer rows than there are parts.
    """
    if class_names is not None:
        _check_class_sizes(y, len(fractions), class_names, "the split")
    elif len(y) < len(fractions):
        raise UserError(
            f"{len(y)} rows are too few for {len(fractions)} parts "
            "(train, validation, test): bring more rows"
        )
    rng = np.random.default_rng(derive(seed, "split"))
    parts: list[list[np.ndarray]] = [[] for _ in fractions]
    classes = np.zeros(len(y), dtype=int) if class_names is None else y
    for group, shares in zip(_groups(classes), _shares(classes, fractions[1:]), strict=True):
        cuts = np.cumsum([len(group) - sum(shares), *shares])[:-1]
        for part, rows in zip(parts, np.split(rng.permutation(group), cuts), strict=True):
            part.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def subset_rows(
    y: np.ndarray, size: int, seed: int, class_names: tuple[str, ...] | None
) -> np.ndarray:
    """Choose `size` rows at random, each class in proportion and at least once.

    Returns:
        Sorted row indices.

    Raises:
        UserError: When there are fewer rows than `size`, or more classes than `size`.
    """
    check_whole("train_size", size)
    if size > len(y):
        raise UserError(
            f"train_size: {size} rows asked for, but the training part has {len(y)}; "
            "ask for that many or fewer"
        )
    if class_names is not None and size < len(class_names):
        raise UserError(
            f"train_size: {size} rows cannot hold one row of each of {len(class_names)} classes; "
            f"ask for at least {len(class_names)}"
        )
    if class_names is None:
        return np.sort(np.random.default_rng(derive(seed, "subset")).permutation(len(y))[:size])
    from sklearn.utils import resample

    rng = np.random.RandomState(derive(seed, "subset"))
    chosen = np.array([rng.choice(group) for group in _groups(y)])
    if size > len(chosen):
        rest = np.setdiff1d(np.arange(len(y)), chosen)
        more = resample(
            rest,
            n_samples=size - len(chosen),
            replace=False,
            stratify=y[rest],
            random_state=rng,
        )
        chosen = np.concatenate([chosen, more])
    return np.sort(chosen)


def fold_rows(
    y: np.ndarray,
    k: int,
    seed: int,
    class_names: tuple[str, ...] | None,
    division: Division | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into `k` folds, each class spread evenly, by scikit-learn; or by `division`.

    Returns:
        `k` pairs (training rows, validation rows), sorted; the validation rows partition all rows
        (in time all but the first). Where folds differ by one row, the larger training parts leave
        out one of their most frequent class: members with equally many rows train side by side.

    Raises:
        UserError: When `k` is not a whole number of at least 2 or a class has fewer rows than `k`.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    check_whole("folds", k, 2)
    if division is not None:
        return division.folds(y, int(k), seed, class_names)
    if class_names is not None:
        _check_class_sizes(y, k, class_names, f"{k} folds")
    elif len(y) < k:
        raise UserError(f"folds: {len(y)} rows are too few for {k} folds; ask for fewer")
    kind = KFold if class_names is None else StratifiedKFold
    folds = kind(int(k), shuffle=True, random_state=derive(seed, "folds"))
    pairs = list(folds.split(np.zeros(len(y)), y))
    rng, fewest = np.random.default_rng(derive(seed, "left out")), min(len(a) for a, _ in pairs)
    for index, (train, validation) in enumerate(pairs):
        if len(train) > fewest:
            classes = np.zeros(len(train), int) if class_names is None else y[train]
            common = train[classes == np.bincount(classes).argmax()]
            pairs[index] = train[train != rng.choice(common)], validation
    return pairs


def _check_class_sizes(
    y: np.ndarray, needed: int, class_names: tuple[str, ...], purpose: str
) -> None:
    counts = np.bincount(y, minlength=len(class_names)).tolist()
    for count, name in zip(counts, class_names, strict=True):
        if count < needed:
            numbers = all(number_of(name, ".") is not None for name in class_names)
            other = ", or use --task regression if the target is a quantity" if numbers else ""
            raise UserError(
                f"class {name!r} has {count} row{'s' * (count != 1)}, but {purpose} "
                f"needs at least {needed} of every class: bring more rows or drop the class{other}"
            )


def _groups(classes: np.ndarray) -> list[np.ndarray]:
    """The rows of each class id."""
    counts = np.bincount(classes)
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])


def _shares(classes: np.ndarray, fractions: tuple[float, ...]) -> list[list[int]]:
    """How many rows of each class every part but the first gets; the first takes the rest.

    Sums over classes are rounded, not the cells: a cell is within one row of its quota, and so is
    the whole part. Then every part is given a row of every class, and one is left to the first.
    """
    counts = np.bincount(classes)
    # What rounding leaves over goes to the first part. (1e-9: 0.2 * 35 is a hair below 7.)
    ends = np.floor(np.cumsum([0, *counts])[:, None] * np.asarray(fractions) + 1e-9).astype(int)
    result = []
    for count, shares in zip(counts, np.diff(ends, axis=0), strict=True):
        left, kept = int(count) - 1, []
        for index, share in enumerate(shares):
            after = len(fractions) - 1 - index
            kept.append(int(np.clip(share, 1, left - after)))
            left -= kept[-1]
        result.append(kept)
    return result
