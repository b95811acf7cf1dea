"""Work side by side in threads: TensorFlow computes outside of Python's lock.

The steps of a small population are many short operations, which one core does nearly as fast as
several. So populations of different structures train at the same time, each in a thread. What they
tell (epochs, results) is done by the thread that waits for them, while the teller pauses:
recording, TensorBoard and the progress display know nothing of threads.
"""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

#: Populations at a time at most: each may take the memory of a cohort.
AT_ONCE = 4
#: Seconds after which a waiting thread looks up, so that signals are answered.
PAUSE = 0.2

#: `tell(function, *arguments)` has the waiting thread call the function, and returns after that.
Tell = Callable[..., None]


def directly(function: Callable, *arguments: object) -> None:
    """What `tell` is where one thread does everything."""
    function(*arguments)


def answered(tell: Tell) -> Tell:
    """A `tell` that raises what the function raised where it was told, as a call would."""

    def told(function: Callable, *arguments: object) -> None:
        errors: list[Exception] = []

        def guarded() -> None:
            try:
                function(*arguments)
            except Exception as error:
                errors.append(error)

        tell(guarded)
        if errors:
            raise errors[0]

    return told


class _Left(BaseException):
    """The waiting thread has left, so what still runs ends when it tells something."""


def run_side_by_side(
    jobs: Sequence[Callable[[Tell], None]],
    idle: Callable[[], object] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Run jobs, as many at a time as there are cores, and do here what they tell.

    Args:
        jobs: Each is called with a `Tell`.
        idle: Called while nothing is told.
        stop: Asked before every job but the first, in any thread; True begins no more.

    Raises:
        BaseException: The first that a job raised, once the others that had begun are through; or
            what `idle` or a told function raised, once all have ended where they next tell
            something.
    """
    inbox: queue.SimpleQueue[tuple[Callable, tuple, threading.Event]] = queue.SimpleQueue()
    failed, left = threading.Event(), threading.Event()

    def tell(function: Callable, *arguments: object) -> None:
        done = threading.Event()
        inbox.put((function, arguments, done))
        while not done.wait(PAUSE) and not left.is_set():
            pass
        if left.is_set():
            raise _Left

    def begin(index: int) -> None:
        if failed.is_set() or left.is_set() or (index and stop()):
            return
        try:
            jobs[index](tell)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(max(1, min(len(jobs), os.cpu_count() or 1, AT_ONCE))) as pool:
        futures = [pool.submit(begin, index) for index in range(len(jobs))]
        for future in futures:
            future.add_done_callback(lambda _: inbox.put((int, (), threading.Event())))  # wakes
        try:
            while not all(future.done() for future in futures):
                try:
                    function, arguments, done = inbox.get(timeout=PAUSE)
                except queue.Empty:
                    idle()
                    continue
                function(*arguments)
                done.set()
        except BaseException:
            left.set()
            raise
    for future in futures:
        future.result()
