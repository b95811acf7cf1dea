"""Independent seeds from one seed, so that every draw has a name and none depends on its position.

A draw in kerasreg (initial kernel, batch order, dropout mask) is a function of the member's seed,
its purpose and a few indices, never of global state or of where in a population the member stands.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager


def derive(seed: int, purpose: str, *indices: int) -> int:
    """Return a 31-bit seed for one named use of `seed`.

    Args:
        seed: The member's (or study's) seed, any integer. 0 is a seed like every other.
        purpose: What the draw is for, e.g. `"kernel"`.
        *indices: Layer, epoch or step numbers.

    Returns:
        An integer in [0, 2**31), from BLAKE2b of the arguments.
    """
    text = repr((int(seed), purpose, *(int(index) for index in indices)))
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") & 0x7FFFFFFF


@contextmanager
def initial_draws(seed: int) -> Iterator[None]:
    """Let Keras' initialisers, which draw their seeds from Python's generator, draw from `seed`.

    The generator is left as it was.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
