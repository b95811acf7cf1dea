"""Does `kerasreg diagnose` find what is wrong, and nothing where nothing is wrong?

Twelve faults are planted, one at a time, into networks and data that are healthy otherwise; healthy
networks of six kinds are left alone. Everything is drawn from a seed. Seeds below 100 set the
thresholds in `kerasreg/diagnosis/checks`; those from 1000 on are for checking them.

Run: python scripts/check_diagnose.py [--seeds 1000:1004] [--only NAME ...]
"""

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits, make_friedman1

from kerasreg.diagnosis import Diagnosis, diagnose

Case = tuple[keras.Model, tuple]
FEATURES, CLASSES = 16, 4


def clusters(seed: int, rows: int = 500, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around four random centres at a distance of about 5 from each other."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(CLASSES, FEATURES))
    y = generator.integers(CLASSES, size=rows)
    x = (centres[y] + spread * generator.normal(size=(rows, FEATURES))) / np.hypot(1, spread)
    return x.astype(np.float32), y


def digits(seed: int, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Some of scikit-learn's digits, pixels from 0 to 1."""
    x, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    return (x[chosen] / 16).astype(np.float32), y[chosen]


def network(
    hidden: list,
    shape: tuple[int, ...] = (FEATURES,),
    last: layers.Layer | None = None,
    loss: str | keras.losses.Loss = "sparse_categorical_crossentropy",
    optimizer: keras.optimizers.Optimizer | None = None,
) -> keras.Model:
    """A compiled network."""
    last = last or layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input(shape), *hidden, last])
    model.compile(optimizer or keras.optimizers.Adam(0.003), loss)
    return model


def dense(units: int = 32, activation: str | None = "relu", **options) -> layers.Layer:
    return layers.Dense(units, activation=activation, **options)


def classifier(outputs: int, activation: str | None = "softmax") -> layers.Layer:
    return layers.Dense(outputs, activation=activation)


# The faults.


def too_few_rows(seed: int) -> Case:
    return network([dense(64)], (64,), classifier(10)), digits(seed, 90)


def too_small(seed: int) -> Case:
    return network([dense(2)], (64,), classifier(10)), digits(seed)


def dead_units(seed: int) -> Case:
    bias = keras.initializers.Constant(-3.0)
    return network([dense(), dense(bias_initializer=bias)]), clusters(seed)


def saturated_units(seed: int) -> Case:
    kernel = keras.initializers.RandomNormal(stddev=3.0)
    return network([dense(activation="tanh", kernel_initializer=kernel)]), clusters(seed)


def exploding_gradients(seed: int) -> Case:
    kernel = keras.initializers.RandomNormal(stddev=0.7)
    hidden = [dense(kernel_initializer=kernel) for _ in range(6)]
    return network(hidden, optimizer=keras.optimizers.SGD(0.01)), clusters(seed)


def rate_too_large(seed: int) -> Case:
    return network([dense(), dense()], optimizer=keras.optimizers.Adam(1.0)), clusters(seed)


def rate_too_small(seed: int) -> Case:
    return network([dense()], optimizer=keras.optimizers.SGD(1e-5)), clusters(seed)


def softmax_on_logits(seed: int) -> Case:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return network([dense()], loss=loss), clusters(seed)


def dropout_before_normalization(seed: int) -> Case:
    hidden = [dense(), layers.Dropout(0.5), dense(), layers.BatchNormalization(momentum=0.9)]
    return network(hidden), clusters(seed)


def inputs_to_255(seed: int) -> Case:
    x, y = digits(seed)
    return network([dense()], (64,), classifier(10)), (np.round(255 * x), y)


def duplicate_rows(seed: int) -> Case:
    (x, y), (x_val, y_val) = clusters(seed, 400), clusters(seed + 500, 100)
    x_val[:20], y_val[:20] = x[:20], y[:20]
    return network([dense()]), ((x, y), (x_val, y_val))


def wrong_labels(seed: int) -> Case:
    x, y = clusters(seed, 600)
    generator = np.random.default_rng(seed + 1)
    chosen = generator.permutation(len(y))[: len(y) // 10]
    y[chosen] = (y[chosen] + generator.integers(1, CLASSES, size=len(chosen))) % CLASSES
    return network([dense()]), (x, y)


#: Fault -> how to plant it, and the finding's name.
FAULTS: dict[str, tuple[Callable[[int], Case], str]] = {
    "too few rows": (too_few_rows, "too few rows"),
    "too small a network": (too_small, "underfitting"),
    "dead units": (dead_units, "dead units"),
    "saturated units": (saturated_units, "saturated units"),
    "exploding gradients": (exploding_gradients, "exploding gradients"),
    "learning rate too large": (rate_too_large, "learning rate too large"),
    "learning rate too small": (rate_too_small, "learning rate too small"),
    "softmax before a loss on logits": (softmax_on_logits, "softmax before a loss on logits"),
    "dropout before batch normalisation": (
        dropout_before_normalization,
        "dropout before batch normalisation",
    ),
    "inputs of 0 to 255": (inputs_to_255, "inputs not scaled"),
    "duplicate rows": (duplicate_rows, "duplicate rows"),
    "10 % wrong labels": (wrong_labels, "labels look wrong"),
}


# The healthy.


def healthy_mlp(seed: int) -> Case:
    hidden = [dense(64), layers.Dropout(0.2), dense()]
    return network(hidden, (64,), classifier(10)), digits(seed, 900)


def healthy_normalized(seed: int) -> Case:
    hidden = [dense(32, None), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.2)]
    return network(hidden), clusters(seed)


def healthy_convolution(seed: int) -> Case:
    x, y = digits(seed, 900)
    hidden = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        dense(),
    ]
    return network(hidden, (8, 8, 1), classifier(10)), (x.reshape(-1, 8, 8, 1), y)


def healthy_recurrence(seed: int) -> Case:
    """Sine waves of two frequencies, in noise."""
    generator = np.random.default_rng(seed)
    y = generator.integers(2, size=500)
    phase = generator.uniform(0, 6.28, size=(500, 1))
    x = np.sin(phase + np.arange(16) * (0.4 + 0.5 * y[:, None]))
    x = (x + 0.1 * generator.normal(size=x.shape))[..., None].astype(np.float32)
    last, loss = classifier(1, "sigmoid"), "binary_crossentropy"
    rate = keras.optimizers.Adam(0.01)
    return network([layers.LSTM(16)], (16, 1), last, loss, rate), (x, y)


def healthy_regression(seed: int) -> Case:
    x, y = make_friedman1(800, n_features=5, noise=0.5, random_state=seed)
    x, y = (x - 0.5) / 0.29, (y - y.mean()) / y.std()
    model = network([dense(), dense()], (5,), layers.Dense(1), "mse")
    return model, (x.astype(np.float32), y.astype(np.float32))


def healthy_logits(seed: int) -> Case:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    hidden = [dense(activation="tanh")]
    return network(hidden, last=classifier(CLASSES, None), loss=loss), clusters(seed)


HEALTHY = {
    "dense": healthy_mlp,
    "batch normalisation": healthy_normalized,
    "convolution": healthy_convolution,
    "recurrence": healthy_recurrence,
    "regression": healthy_regression,
    "logits": healthy_logits,
}


def run(case: Callable[[int], Case], seed: int, **options) -> Diagnosis:
    """Plant and diagnose."""
    keras.utils.set_random_seed(seed)
    model, data = case(seed)
    return diagnose(model, data, seed=seed, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1000:1004", help="first and last, excluded")
    parser.add_argument("--only", nargs="*", help="names of faults and kinds")
    given = parser.parse_args()
    seeds = range(*map(int, given.seeds.split(":")))
    cases = {name: (case, {expected}) for name, (case, expected) in FAULTS.items()}
    cases |= {f"healthy: {name}": (case, set()) for name, case in HEALTHY.items()}
    found, false_alarms, healthy = 0, 0, 0
    for name, (case, expected) in cases.items():
        if given.only and name not in given.only:
            continue
        for seed in seeds:
            started = time.monotonic()
            names = {finding.name for finding in run(case, seed).findings}
            found += bool(expected and expected <= names)
            healthy += not expected
            false_alarms += bool(not expected and names)
            ok = expected <= names if expected else not names
            more = ", ".join(sorted(names - expected)) or "nothing else"
            seconds = time.monotonic() - started
            print(f"{'ok ' if ok else 'NOT'} {name}, seed {seed}: {more} ({seconds:.0f} s)")
    print(f"{found} faults found; {false_alarms} false alarms in {healthy} healthy runs")


if __name__ == "__main__":
    main()
