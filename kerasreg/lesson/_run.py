"""From the command line to a finished lesson, and its exit status."""

import argparse
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasreg.command import Parser, quiet_import, report_mistake
from kerasreg.errors import UserError

if TYPE_CHECKING:
    from kerasreg.lesson._lesson import Lesson

#: Seeds of a --quick run: the fewest that have a spread.
QUICK_SEEDS = 2
_PARTS = ("prediction", "source", "rule")


def run(
    file: str, doc: str, body: "Callable[[Lesson], None]", *, arguments: Sequence[str] | None = None
) -> int:
    """Run a lesson's `body` as its command line asks.

    Args:
        file: The script's `__file__`; its stem is the lesson's name.
        doc: The script's `__doc__`: the question as its first paragraph, then paragraphs that
            begin "Prediction:", "Source:" and "Rule:".
        body: Trains, judges, draws; everything it does, it does through the `Lesson` it gets.

    Returns:
        0 done; 2 the user's mistake, one line on stderr; 130 interrupted.
    """
    name, text = Path(file).stem, parse_docstring(doc)
    try:
        parsed = _parser(name, text["question"]).parse_args(arguments)
        out = writable_folder(parsed.out or Path("runs") / name)
        seeds = _seeds(parsed)
        with quiet_import():
            import keras
            import tensorflow  # noqa: F401

            from kerasreg.lesson._lesson import Lesson
            from kerasreg.lesson._output import print_results, write_results
        # The weights that a network of a script is built with stand in results.json, as a digest.
        keras.utils.set_random_seed(0)
        lesson = Lesson(name, text, parsed.data, seeds, parsed.quick, out)
        results = out / "results.json"
        if (
            results.is_file()
            and f'"lesson": "{name}"' in results.read_text("utf-8", "replace")[:400]
        ):
            # The same lesson's earlier run: TensorBoard would show both.
            shutil.rmtree(out / "tensorboard", ignore_errors=True)
        body(lesson)
        print_results(lesson, write_results(lesson))
    except UserError as error:
        return report_mistake(name, error)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing was decided.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def parse_docstring(doc: str) -> dict[str, str]:
    """Question, prediction, source and rule of a script's docstring.

    Raises:
        ValueError: A part is missing: a lesson that does not say them is not one.
    """
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", doc.strip())]
    text = {"question": paragraphs[0]}
    for paragraph in paragraphs[1:]:
        part, _, rest = paragraph.partition(":")
        if part.lower() in _PARTS:
            text[part.lower()] = rest.strip()
    missing = [part for part in _PARTS if not text.get(part)]
    if missing:
        raise ValueError(f"the docstring has no paragraph that begins {missing[0].title()!r}:")
    return text


def _parser(name: str, question: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"python scripts/{name}.py",
        description=question,
        epilog=f"Example: python scripts/{name}.py --data mnist --out runs/{name}_mnist",
    )
    parser.add_argument(
        "--data",
        default="digits",
        help="digits (default), mnist, fashion_mnist, or an .npz file with x_train, y_train, "
        "x_test, y_test",
    )
    parser.add_argument("--seeds", type=int, help="paired seeds (default 12)")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds; tries the script, decides nothing"
    )
    parser.add_argument("--out", type=Path, help=f"folder of the results (default runs/{name})")
    return parser


def _seeds(parsed: argparse.Namespace) -> tuple[int, ...]:
    """The seeds that were asked for; fewer than a claim may need are refused before training."""
    from kerasreg.evidence import DEFAULT_SEEDS, require_seeds
    from kerasreg.lesson._judging import MOST_COMPARISONS

    if parsed.quick:
        count = QUICK_SEEDS if parsed.seeds is None else parsed.seeds
        if count < 2:
            raise UserError(f"seeds: a quick run needs at least 2, got {count}.")
    else:
        count = DEFAULT_SEEDS if parsed.seeds is None else parsed.seeds
        require_seeds(count, MOST_COMPARISONS)
    return tuple(range(count))


def writable_folder(path: Path) -> Path:
    """Make the folder and make sure that it can be written to, before anything is trained.

    Raises:
        UserError: It cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UserError(
            f"out: expected a folder that can be written to, got {str(path)!r} "
            f"({error.strerror}); choose another."
        ) from None
    return path
