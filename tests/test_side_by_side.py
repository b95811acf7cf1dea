"""Jobs in threads: what they tell is done in one thread, and nothing begins after an end."""

import os
import threading

import pytest

from kerasreg.search.engines.side_by_side import answered, run_side_by_side


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def never():
    return False


def test_two_run_at_a_time_and_what_they_tell_is_done_here():
    told, both = [], threading.Barrier(2)

    def note(*what):
        told.append((*what, threading.current_thread()))

    def job(name):
        def run(tell):
            both.wait(timeout=60)  # breaks unless two jobs are in it at the same time
            for step in range(3):
                tell(note, name, step)

        return run

    run_side_by_side([job("a"), job("b"), job("c"), job("d")], lambda: None, never)
    assert {thread for *_, thread in told} == {threading.current_thread()}
    for name in "abcd":
        assert [step for one, step, _ in told if one == name] == [0, 1, 2]


def test_who_tells_goes_on_after_it_was_done():
    done, seen = [], []

    def job(tell):
        tell(done.append, 1)
        seen.append(list(done))

    run_side_by_side([job], lambda: None, never)
    assert seen == [[1]]


def test_the_first_begins_whatever_stop_says_the_others_ask():
    begun = []
    jobs = [lambda tell, k=k: begun.append(k) for k in range(4)]
    run_side_by_side(jobs, lambda: None, lambda: True)
    assert begun == [0]


def test_an_error_begins_no_more_and_what_had_begun_is_finished():
    began, told = threading.Event(), []

    def fails(tell):
        assert began.wait(timeout=60)
        raise ValueError("broken")

    def goes_on(tell):
        began.set()
        for _ in range(100):
            tell(told.append, 0)

    waiting = [lambda tell: told.append("late")] * 20
    with pytest.raises(ValueError, match="broken"):
        run_side_by_side([fails, goes_on], lambda: None, never)
    assert told == [0] * 100
    began.set()
    with pytest.raises(ValueError, match="broken"):
        run_side_by_side([fails, fails, *waiting], lambda: None, never)
    assert "late" not in told


@pytest.mark.parametrize("where", ["told", "idle"])
def test_an_interrupt_ends_all_where_they_next_tell(where):
    """As a signal does: raised in the thread that waits."""
    told = []

    def interrupt():
        raise KeyboardInterrupt

    def job(tell):
        if where == "idle":
            while not left.wait(0.01):
                pass
        for _ in range(10):
            tell(told.append, 0)
            tell(interrupt)

    left = threading.Event()

    def idle():
        left.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([job, job], idle, never)
    assert len(told) <= 2
    assert [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")] == []


def test_a_mistake_is_answered_where_it_was_told():
    met = []

    def job(tell):
        try:
            answered(tell)(int, "no number")
        except ValueError as error:
            met.append(str(error))

    run_side_by_side([job])
    assert len(met) == 1
