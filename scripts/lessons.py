"""Run every lesson on digits and MNIST and write LESSONS.md: each claim of the notes, its verdict.

python scripts/lessons.py                            all that is not there yet
python scripts/lessons.py C01 overfit_weight_decay   some, by claim or name
python scripts/lessons.py --data digits mnist.npz    MNIST from a file
python scripts/lessons.py --ray                      side by side, on all cores or on a Ray cluster
"""

import sys
from pathlib import Path

from kerasreg.ledger import main

if __name__ == "__main__":
    sys.exit(main(scripts=Path(__file__).resolve().parent))
