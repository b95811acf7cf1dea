"""The ledger: every lesson run, every claim's verdict, and LESSONS.md that says so."""

from kerasreg.ledger._ledger import main
