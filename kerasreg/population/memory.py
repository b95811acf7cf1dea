"""Too little memory, under one name whoever runs out of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from kerasreg.errors import UserError

REMEDY = "use a smaller batch_size or fewer units"


class OutOfMemory(UserError):
    """What should train together does not fit into memory."""


@contextmanager
def named_out_of_memory(message: str = f"Out of memory: {REMEDY}.") -> Iterator[None]:
    """Turn TensorFlow's and Python's own errors into `OutOfMemory`.

    Wrap arithmetic only: a full disk is a `ResourceExhaustedError` of TensorFlow too.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise OutOfMemory(message) from None
