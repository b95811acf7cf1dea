"""Lessons on a Ray cluster: a run is a task, and its files come back as bytes."""

import contextlib
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasreg.command import quiet_import
from kerasreg.ledger._data import DataSet
from kerasreg.ledger._scripts import LessonScript

if TYPE_CHECKING:
    from kerasreg.search.engines.ray_cluster import RayCluster
    from kerasreg.search.engines.ray_cluster.reporter import Reporter

#: Exit status of a lesson, seconds, what it said on stderr, and its files by their names.
Ended = tuple[int, float, str, dict[str, bytes]]


def run_on_cluster(
    lessons: Sequence[tuple[LessonScript, DataSet]], options: Sequence[str], address: str, cpus: int
) -> Iterator[tuple[int, Ended]]:
    """Run lessons as tasks of some cores; yield the index of each as it ends.

    Raises:
        UserError: There is no such cluster, see `workers_on`.
    """
    with quiet_import():
        from kerasreg.search.engines.ray_cluster import RayCluster
        from kerasreg.search.engines.ray_cluster.workers import Work, workers_on

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    with workers_on(RayCluster(address, cpus=cpus), say) as workers:
        stored, indices = {}, {}
        for index, (lesson, data) in enumerate(lessons):
            path = Path(data.argument)
            if path.suffix == ".npz" and data not in stored:
                stored[data] = workers.store(path.read_bytes())
            script = (lesson.path.name, lesson.path.read_bytes())
            # Ray resolves what is an argument itself, and nothing inside of one.
            arguments = (script, path.name, stored.get(data), options)
            work = Work(f"{lesson.name} on {data.label}", run_here, arguments, True)
            indices[work] = index
            workers.add(work)
        workers.begin()
        while workers.running:
            for work in workers.done():
                yield indices[work], work.result or (1, 0.0, f"{work.error}\n", {})
            workers.begin()


def run_here(
    script: tuple[str, bytes],
    data: str,
    rows: bytes | None,
    options: Sequence[str],
    cluster: "RayCluster",
    reporter: "Reporter",
) -> Ended:
    """Run a lesson in this process, which does nothing else, and in a folder of its own.

    Args:
        script: Name and text.
        data: The name of a data set, or of a file.
        rows: The file's bytes.
        options: Of every lesson's command line.
        cluster, reporter: As every worker has them.
    """
    from kerasreg.search.engines.ray_cluster.worker import limit

    limit(cluster)
    reporter.send()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in (script, (data, rows)):
            if content is not None:
                Path(name).write_bytes(content)
        out = Path(script[0]).with_suffix("")
        out.mkdir()
        sys.argv = [script[0], "--data", data, "--out", os.fspath(out), *options]
        code = 0
        with (
            open(out / "output.txt", "w") as output,
            open("errors.txt", "w") as errors,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            try:
                runpy.run_path(script[0], run_name="__main__")
            except SystemExit as end:
                code = end.code or 0
        files = {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }
        return code, time.monotonic() - started, Path("errors.txt").read_text(), files
