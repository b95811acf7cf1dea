"""What is wrong with a network, in about a minute: numbers, and what to do next.

rows          the rows as the network takes them; never test rows
network       what its structure says
copies        copies of it in one population: folds, shares of the rows, learning rates
inside        units, gradients, normalisation
row_facts     scale of the inputs, rows that are there twice
predictions   classes, calibration, labels that disagree
checks/       from these facts to findings, by named thresholds
diagnosing    `diagnose`: all of it
"""

from kerasreg.diagnosis.diagnosing import Diagnosis, diagnose
from kerasreg.diagnosis.finding import Finding
