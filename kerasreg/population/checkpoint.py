"""Checkpoints: a training that was killed goes on from its last minute, to the same numbers.

A checkpoint is a cache. One that is damaged, or of other members, data or plan, is ignored, and
training begins anew. It holds arrays and JSON only; nothing in it is executed.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasreg.files import atomic_save_npz, load_npz
from kerasreg.population.members import Member
from kerasreg.population.path import FoldedRows

#: Seconds between two checkpoints.
INTERVAL = 45.0
_FORMAT = 3


class Checkpoint:
    """The file of one training.

    Args:
        path: Where; its folder must exist.
        context: Digest of everything but the members: structure, data, plan.
    """

    def __init__(self, path: str | Path, context: str):
        self.path = Path(path)
        self._context = context
        self._written = time.monotonic()

    def due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() - self._written >= INTERVAL

    def save(self, progress: dict, states: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Write progress (plain values) and arrays.

        Raises:
            UserError: The disk refuses; the checkpoint before is kept.
        """
        header = {"format": _FORMAT, "context": self._context, **progress}
        arrays = {
            f"{name}|{key}": array for name, state in states.items() for key, array in state.items()
        }
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        atomic_save_npz(self.path, {"header": text, **arrays})
        self._written = time.monotonic()

    def load(self) -> tuple[dict, dict[str, dict[str, np.ndarray]]] | None:
        """What `save` wrote, or None if there is nothing of this training to go on from."""
        try:
            arrays = load_npz(self.path, most_bytes=None)
            header = json.loads(arrays.pop("header").tobytes())
            if header["format"] != _FORMAT or header["context"] != self._context:
                return None
            states: dict[str, dict[str, np.ndarray]] = {}
            for name, array in arrays.items():
                part, key = name.split("|")
                states.setdefault(part, {})[key] = array
        except (ValueError, KeyError, TypeError):  # a UserError is a ValueError
            return None
        return header, states

    def remove(self) -> None:
        """Training is through."""
        self.path.unlink(missing_ok=True)


def context_digest(structure: object, rows: FoldedRows, plan: object, dtype: str) -> str:
    """Digest of what a training's numbers depend on besides its members."""
    digest = hashlib.sha256(repr((structure, plan, dtype)).encode())
    for array in rows.arrays():
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def identities(members: Sequence[Member]) -> list[str]:
    """A name for each member that does not depend on its index; equal members are counted.

    The names tell which of a checkpoint's members are here.
    """
    seen: Counter[str] = Counter()
    names = []
    for member in members:
        config = member.config.to_json() if member.config else ""
        values = sorted(member.values.items())
        digest = hashlib.sha256(repr((config, values, member.seed, member.fold)).encode())
        for array in member.initial or ():
            digest.update(np.ascontiguousarray(array).data)
        name = digest.hexdigest()[:32]
        names.append(f"{name}-{seen[name]}")
        seen[name] += 1
    return names
