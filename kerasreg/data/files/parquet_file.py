"""Parquet files, decoded in a separate process.

The decoder is native code with an allocator that Python does not control: a damaged file can make
it abort or ask for any amount of memory. In a child with limits on memory and time, that ends in
one line here.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from kerasreg.data.files.bounded import MOST_CELLS, MOST_COLUMNS, open_regular
from kerasreg.errors import UserError

MOST_BYTES = 512 * 2**20
_SECONDS = 120
_CHILD = Path(__file__).with_name("parquet_child.py")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a flat Parquet table of numbers, booleans and text.

    Raises:
        UserError: Missing, empty, damaged or too large file, columns of other types.
    """
    with open_regular(path, MOST_BYTES) as file:
        if not file.read(1):
            raise UserError(f"{path} is empty; expected a Parquet file")
        file.seek(0)
        command = [sys.executable, "-I", str(_CHILD), str(MOST_CELLS), str(MOST_COLUMNS)]
        try:
            child = subprocess.run(
                command, stdin=file, capture_output=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise UserError(f"{path}: not read within {_SECONDS} s; keep a subset") from None
    if child.returncode == 2:
        raise UserError(f"{path}: {child.stderr.decode('utf-8', 'replace').strip()}")
    if child.returncode == 1:
        # A Python traceback: the child itself is at fault, not the file.
        raise RuntimeError(f"reading {path}: {child.stderr.decode('utf-8', 'replace')}")
    if child.returncode != 0:
        raise UserError(
            f"{path}: damaged, or needs more memory than is given to it "
            f"(decoder ended with status {child.returncode}); write it again"
        )
    import pyarrow as pa

    return pa.ipc.open_stream(child.stdout).read_all().to_pandas()
