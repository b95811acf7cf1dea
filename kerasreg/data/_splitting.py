"""Which rows train, validate and test: seeded, stratified, every class in every part."""

import numpy as np

from kerasreg.errors import UserError
from kerasreg.seeds import derive


def check_fractions(fractions: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return `fractions` as floats if they are three positive numbers that sum to 1.

    Raises:
        UserError: When they are not.
    """
    try:
        parts = tuple(float(part) for part in fractions)
    except (TypeError, ValueError):
        parts = ()
    if len(parts) != 3 or not all(0 < part < 1 for part in parts) or abs(sum(parts) - 1) > 1e-6:
        raise UserError(
            "fractions: expected three numbers above 0 that sum to 1 (train, validation, test), "
            f"got {fractions!r}"
        )
    return parts


def split_rows(
    y: np.ndarray,
    fractions: tuple[float, ...],
    seed: int,
    class_names: tuple[str, ...] | None,
) -> list[np.ndarray]:
    """Divide rows into parts of the given fractions, at random.

    Every class has at least one row in every part and, beyond that, its share of each part
    (largest remainders). Without classes the rows are shuffled and cut.

    Args:
        y: Class ids (classification) or any one-dimensional array of the rows (regression).
        fractions: Fractions of the parts, summing to 1.
        seed: Seed of the permutation.
        class_names: Names of the classes; None for regression.

    Returns:
        One sorted array of row numbers a part.

    Raises:
        UserError: When a class, or the whole, has fewer rows than there are parts.
    """
    rng = np.random.default_rng(derive(seed, "split"))
    groups = [np.arange(len(y))]
    if class_names is not None:
        groups = [np.flatnonzero(y == label) for label in range(len(class_names))]
        _check_class_sizes(groups, len(fractions), class_names, "the split")
    elif len(y) < len(fractions):
        raise UserError(
            f"{len(y)} rows are too few for {len(fractions)} parts "
            "(train, validation, test): bring more rows"
        )
    # What rounding leaves over goes to the first part. (1e-9: 0.2 * 35 is a hair below 7.)
    sizes = np.floor(len(y) * np.asarray(fractions) + 1e-9).astype(int)
    sizes[0] = len(y) - sizes[1:].sum()
    shares = _shares(np.array([len(group) for group in groups]), sizes)
    parts: list[list[np.ndarray]] = [[] for _ in fractions]
    for group, sizes in zip(groups, shares, strict=True):
        shuffled = rng.permutation(group)
        for part, rows in zip(parts, np.split(shuffled, np.cumsum(sizes)[:-1]), strict=True):
            part.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def subset_rows(
    y: np.ndarray, size: int, seed: int, class_names: tuple[str, ...] | None
) -> np.ndarray:
    """Choose `size` rows at random, each class in proportion and at least once.

    Returns:
        Sorted row numbers.

    Raises:
        UserError: When there are fewer rows than `size`, or more classes than `size`.
    """
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise UserError(f"train_size: expected a whole number of rows above 0, got {size!r}")
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
    if size == len(y):
        return np.arange(size)
    if class_names is None:
        return np.sort(np.random.default_rng(derive(seed, "subset")).permutation(len(y))[:size])
    groups = [np.flatnonzero(y == label) for label in range(len(class_names))]
    counts = np.array([len(group) for group in groups])
    shares = _shares(counts, np.array([size, len(y) - size]), least=(1, 0))
    rng = np.random.default_rng(derive(seed, "subset"))
    chosen = [
        rng.permutation(group)[:share] for group, (share, _) in zip(groups, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def fold_rows(
    y: np.ndarray, k: int, seed: int, class_names: tuple[str, ...] | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into `k` folds, each class spread evenly.

    Returns:
        `k` pairs (training rows, validation rows), sorted; the validation rows partition all rows.

    Raises:
        UserError: When `k` is not a whole number of at least 2 or a class has fewer rows than `k`.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 2:
        raise UserError(f"folds: expected a whole number of at least 2, got {k!r}")
    groups = [np.arange(len(y))]
    if class_names is not None:
        groups = [np.flatnonzero(y == label) for label in range(len(class_names))]
        _check_class_sizes(groups, k, class_names, f"{k} folds")
    elif len(y) < k:
        raise UserError(f"folds: {len(y)} rows are too few for {k} folds; ask for fewer")
    rng = np.random.default_rng(derive(seed, "folds"))
    fold_of = np.empty(len(y), dtype=np.int64)
    dealt = 0
    for group in groups:
        # Dealing on from where the last class stopped keeps the folds' sizes within one row.
        fold_of[rng.permutation(group)] = (dealt + np.arange(len(group))) % k
        dealt += len(group)
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(k)]


def _check_class_sizes(
    groups: list[np.ndarray], needed: int, class_names: tuple[str, ...], purpose: str
) -> None:
    for group, name in zip(groups, class_names, strict=True):
        if len(group) < needed:
            raise UserError(
                f"class {name!r} has {len(group)} row{'s' * (len(group) != 1)}, but {purpose} "
                f"needs at least {needed} of every class: bring more rows, drop the class, "
                "or use --task regression if the target is a quantity"
            )


def _shares(
    counts: np.ndarray, sizes: np.ndarray, least: tuple[int, ...] | None = None
) -> np.ndarray:
    """Divide groups of `counts` rows among parts of `sizes` rows, in proportion.

    Each cell starts from the floor of its quota and at least `least` (1 by default); a group's
    remaining rows go to its largest deficits.

    Returns:
        Whole numbers, shape (groups, parts); rows sum to `counts`, columns to `sizes` unless rare
        groups make that impossible.
    """
    quotas = counts[:, None] * (sizes / counts.sum())
    minimum = np.ones(len(sizes), dtype=int) if least is None else np.asarray(least)
    table = np.maximum(np.floor(quotas + 1e-9).astype(int), minimum)
    # Raising small cells to the minimum may overdraw a group: take from its largest excess.
    for group, count in enumerate(counts):
        while table[group].sum() > count:
            excess = np.where(table[group] > minimum, table[group] - quotas[group], -np.inf)
            table[group, int(np.argmax(excess))] -= 1
        while table[group].sum() < count:
            table[group, int(np.argmax(quotas[group] - table[group]))] += 1
    return _settle(table, quotas, sizes, minimum)


def _settle(
    table: np.ndarray, quotas: np.ndarray, sizes: np.ndarray, minimum: np.ndarray
) -> np.ndarray:
    """Move single rows between parts, farthest from their quotas first, until sizes are right.

    Rare groups, raised to the minimum, can make that impossible; then sizes come as near as they
    can.
    """
    while True:
        surplus = table.sum(axis=0) - sizes
        giver, taker = int(np.argmax(surplus)), int(np.argmin(surplus))
        if surplus[giver] <= 0:
            return table
        excess = table - quotas
        gain = excess[:, giver] - excess[:, taker]
        gain[table[:, giver] <= minimum[giver]] = -np.inf
        group = int(np.argmax(gain))
        if gain[group] == -np.inf:
            return table
        table[group, giver] -= 1
        table[group, taker] += 1
