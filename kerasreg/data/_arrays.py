"""Preprocessing of arrays: one tensor of numbers a row, scaled by what the training rows show."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from kerasreg.data._encodings import ENCODINGS, RAW, Binned, Scaled, fit_encoder
from kerasreg.errors import UserError, check_choice

SCALINGS = ("auto", "standard", "unit", "none")
_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True)
class ArrayPreprocessing:
    """Scaled and encoded, fitted on training rows; rows of several axes keep their shape.

    Attributes:
        raw_shape: Shape of one raw row, e.g. `(28, 28)`.
        scaling: `"standard"` (each feature to mean 0 and standard deviation 1), `"unit"` (all
            values by one number: 255 for uint8, else the largest magnitude of the training rows)
            or `"none"`. Of the encoding `"standard"`; the others have scales of their own.
        columns: One name a flattened value.
        encoding: One of `ENCODINGS`, or `RAW`.
        encoder: What it does, fitted. A gain is 0 for a feature that is constant in the training
            rows, because what it does elsewhere was never learned.
        remarks: Sentences about what the user may not expect.
    """

    raw_shape: tuple[int, ...]
    scaling: str
    columns: tuple[str, ...]
    encoding: str
    encoder: Scaled | Binned
    remarks: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        x: np.ndarray,
        rows: np.ndarray,
        scaling: str = "auto",
        feature_names: tuple[str, ...] | None = None,
    ) -> "ArrayPreprocessing":
        """Fit on `x[rows]`; the other rows are not looked at.

        Raises:
            UserError: For an unknown scaling or a wrong number of feature names.
        """
        check_choice("scaling", scaling, SCALINGS)
        if scaling == "auto":
            scaling = "unit" if x.dtype == np.uint8 or x.ndim > 2 else "standard"
        features = prod(x.shape[1:])
        names = feature_names or tuple(f"x{index}" for index in range(features))
        if len(names) != features:
            raise UserError(f"feature_names: expected {features} names, got {len(names)}")
        encoder = Scaled(*_statistics(x, rows, scaling))
        if not np.any(encoder.gain):
            raise UserError(
                "x: no feature varies in the training rows; nothing to learn from (large numbers "
                "that differ little are equal as float32: subtract a constant; numbers smaller "
                "than 1e-37 are zero: multiply them)"
            )
        constant = np.sum(encoder.gain == 0) if encoder.gain.ndim else 0
        remark = f"{constant} of {features} features are constant in the training rows"
        remarks = (remark,) if constant else ()
        return cls(tuple(x.shape[1:]), scaling, tuple(names), "standard", encoder, remarks)

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that suit the rows: pixels are not binned one by one."""
        pixels = len(self.raw_shape) > 1 or self.scaling == "unit"
        return ENCODINGS[:2] if pixels else ENCODINGS

    def encoded(self, encoding: str, x: np.ndarray, rows: np.ndarray) -> "ArrayPreprocessing":
        """The same rows in another encoding, fitted on `x[rows]`."""
        return replace(self, encoding=encoding, encoder=self._encoder(encoding, x, rows))

    def refit(self, x: np.ndarray, rows: np.ndarray) -> "ArrayPreprocessing":
        """The same encoding and features with the statistics of other rows (a fold's)."""
        bins = getattr(self.encoder, "bins", None)
        return replace(self, encoder=self._encoder(self.encoding, x, rows, bins))

    def _encoder(
        self, encoding: str, x: np.ndarray, rows: np.ndarray, bins: np.ndarray | None = None
    ) -> Scaled | Binned:
        if encoding == RAW:
            return Scaled(np.zeros(()), np.ones(()))
        if encoding == "standard":
            return Scaled(*_statistics(x, rows, self.scaling))
        flat = x.reshape(len(x), -1)
        _, gain = _statistics(x, rows, "standard")
        return fit_encoder(
            encoding, lambda column: as_float32(flat[rows, column]).astype(np.float64), gain, bins
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name a feature."""
        return self.encoder.names(self.columns)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row of features."""
        return self.raw_shape if len(self.raw_shape) > 1 else (len(self.feature_names),)

    def transform(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return float32 features of `x[rows]`, shape (rows, *shape).

        Raises:
            UserError: When a scaled value is beyond float32.
        """
        columns = prod(self.raw_shape)
        result = np.empty((len(rows), len(self.feature_names)), dtype=np.float32)
        for part in slices(len(rows), columns * self.encoder.widest):
            raw = x[rows[part]].reshape(-1, columns)
            with np.errstate(over="ignore"):
                result[part] = self.encoder.apply(np, as_float32(raw).astype(np.float64))
            if not np.isfinite(result[part]).all():
                row, column = np.argwhere(~np.isfinite(result[part]))[0]
                raise UserError(
                    f"x: {self.feature_names[column]} is {raw[row, column]} in one row, too far "
                    "from the training rows for float32; remove the outlier or rescale"
                )
        return result.reshape(-1, *self.shape)

    def raw_inputs(self) -> Any:
        """Return the Keras input of raw rows."""
        import keras

        return keras.Input(shape=self.raw_shape, dtype="float32", name="x")

    def features_model(self, name: str) -> Any:
        """Return a Keras model from raw rows to features, of Keras' layers alone."""
        import keras
        from keras import ops

        inputs = flat = self.raw_inputs()
        if len(self.raw_shape) != 1:
            flat = keras.layers.Reshape((prod(self.raw_shape),), name="flatten")(inputs)
        if self.encoding != "standard" or self.scaling != "none":
            # float64 inside: a feature of mean 1e6 and deviation 1 keeps its digits.
            made = self.encoder.apply(ops, ops.cast(flat, "float64"))
            flat = ops.cast(made, "float32")
        if len(self.raw_shape) != 1:
            flat = keras.layers.Reshape(self.shape, name="rows")(flat)
        return keras.Model(inputs, flat, name=name)

    def describe(self) -> dict:
        """What was done to the raw rows, for `study.json`."""
        return {
            "kind": "array",
            "raw_shape": list(self.raw_shape),
            "scaling": self.scaling,
            "encoding": self.encoding,
            "encodings": list(self.encodings),
        }


def check_array(x, name: str = "x") -> np.ndarray:
    """Return `x` as an array of finite numbers with at least one row and one feature.

    Raises:
        UserError: Object arrays, text, complex numbers, fewer than two dimensions, no rows, NaN
            or infinite values, values beyond float32.
    """
    try:
        x = np.asarray(x)
    except ValueError:  # rows of different lengths
        raise UserError(f"{name}: rows have different lengths; expected one shape a row") from None
    if x.dtype.kind == "O":
        raise UserError(
            f"{name}: expected numbers, got an object array; convert it, e.g. x.astype('float32')"
        )
    if x.dtype.kind not in "biuf":
        raise UserError(f"{name}: expected numbers, got dtype {x.dtype}")
    if x.ndim < 2:
        raise UserError(f"{name}: expected (rows, features) or more axes, got shape {x.shape}")
    if 0 in x.shape:
        raise UserError(f"{name}: expected rows and features, got the empty shape {x.shape}")
    if x.dtype.kind == "f":
        limit = np.finfo(np.float32).max
        width = prod(x.shape[1:])
        for part in slices(len(x), width):
            values = x[part].reshape(-1, width)
            bad = ~(np.abs(values) <= limit)
            if bad.any():
                row, column = np.argwhere(bad)[0]
                value = values[row, column]
                kind = "not finite" if not np.isfinite(value) else "beyond float32"
                raise UserError(
                    f"{name}: row {part.start + row}, feature {column} is {value}, which is "
                    f"{kind}; remove the row or fill the value in"
                )
    return x


def as_float32(x: np.ndarray) -> np.ndarray:
    """Round to float32, numbers below its normal range to 0.

    An exported model receives float32 (`predict` casts to it), and TensorFlow flushes subnormal
    numbers to 0: training must see the same.
    """
    with np.errstate(under="ignore", over="ignore"):
        x = np.asarray(x).astype(np.float32)
    tiny = np.finfo(np.float32).tiny
    return np.where(np.abs(x) < tiny, np.float32(0), x)


def _statistics(x: np.ndarray, rows: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    if scaling == "none":
        return np.zeros(()), np.ones(())
    if scaling == "unit":
        if x.dtype == np.uint8:
            return np.zeros(()), np.array(1 / 255)
        parts = slices(len(rows), prod(x.shape[1:]))
        largest = max(float(np.abs(as_float32(x[rows[part]])).max()) for part in parts)
        return np.zeros(()), np.array(1 / largest if largest else 0.0)
    flat = x.reshape(len(x), -1)
    return standardising(
        lambda part: as_float32(flat[rows, part]).astype(np.float64), len(rows), flat.shape[1]
    )


def standardising(
    cells: Callable[[slice], np.ndarray], rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means and 1/standard deviations of columns, by scikit-learn; 0 where a column is constant.

    Args:
        cells: Gives some of the columns in float64, shape (rows, some columns): all of a large
            array at once would double its memory.
        rows, columns: How many there are.
    """
    from sklearn.preprocessing import StandardScaler

    offset, gain = np.zeros(columns), np.zeros(columns)
    for part in slices(columns, rows):
        values = cells(part)
        scaler = StandardScaler().fit(values)
        constant = values.max(axis=0) == values.min(axis=0)
        offset[part] = scaler.mean_
        gain[part] = np.where(constant, 0.0, 1 / scaler.scale_)
    return offset, gain


def slices(count: int, width: int) -> Iterator[slice]:
    """Parts of `count` rows, of `width` values each, that are worked on together."""
    step = max(1, _CHUNK_VALUES // max(1, width))
    return (slice(start, start + step) for start in range(0, count, step))
