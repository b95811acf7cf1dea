"""The study folder: append-only trials, resume, table, result; whole files or none.

The contract of the folder and of a trial record is in the docstrings of `Study` and `trial_record`.
"""

from kerasreg.study._contract import NEAR_ZERO
from kerasreg.study._contract import checked as checked_record
from kerasreg.study._folder import Study
from kerasreg.study._ranking import best_trial, is_scored
from kerasreg.study._records import failed_record, trial_record
