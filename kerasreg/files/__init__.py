"""Files that are whole or absent, and read with suspicion: bytes, strict JSON, arrays."""

from kerasreg.files.atomic import atomic_write
from kerasreg.files.npz import atomic_save_npz, load_npz
from kerasreg.files.opening import open_regular
from kerasreg.files.strict_json import read_json, write_json
