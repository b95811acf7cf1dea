"""What all commands share: mistakes in one line, and TensorFlow imported without its noise."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

from kerasreg.errors import UserError


class Parser(argparse.ArgumentParser):
    """Like argparse, but a mistake is one line and not a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Raise the mistake for the command to report.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{message}. See {self.prog} --help.")


def report_mistake(command: str, mistake: UserError) -> int:
    """Print the user's mistake as one line on stderr; return the exit status for it, 2."""
    # One line whatever the message quotes: a column's name may hold a newline.
    print(f"{command}: {' '.join(str(mistake).split())}", file=sys.stderr)
    return 2


@contextlib.contextmanager
def quiet_import(verbose: bool = False) -> Iterator[int]:
    """Silence stderr while the block imports TensorFlow, unless `verbose`.

    TensorFlow 2.21 logs two lines while it is imported, before it reads any setting: file
    descriptor 2 goes nowhere for that time.

    Yields:
        A descriptor that writes to stderr meanwhile.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if verbose:
        yield 2
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield kept
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
