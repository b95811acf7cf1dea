"""The options of the command line: what there is to say and its help."""

from collections.abc import Sequence

from kerasreg.options.groups import STACK
from kerasreg.options.verbs import DIAGNOSE, build_parser


def joined(arguments: Sequence[str]) -> list[str]:
    """Write `--l2 -1e-3` as `--l2=-1e-3`: argparse takes the value for an option."""
    joined: list[str] = []
    for argument in arguments:
        negative = argument[:1] == "-" and argument[1:2] in set("0123456789.")
        if negative and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
