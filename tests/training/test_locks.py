"""Files held in turns: who is kept out, who is let in, and that nobody waits for ever."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

from dermport.training.locks import exclusive_lock, shared_lock


def lets_in(path: Path, how: int) -> bool:
    """Return whether somebody else could hold the file so, now."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_one_holds_a_file_and_lets_go_of_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with exclusive_lock(path):
        assert not lets_in(path, fcntl.LOCK_SH)
    assert not path.exists()
    assert lets_in(path, fcntl.LOCK_EX)


def test_many_hold_a_file_one_after_the_other_though_each_removes_it(tmp_path: Path) -> None:
    path, inside, most = tmp_path / ".lock", list[int](), list[int]()

    def work() -> None:
        for _ in range(50):
            with exclusive_lock(path):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most)) == (1, 200)
    assert not path.exists()


def test_several_share_a_place_and_one_is_alone_in_it(tmp_path: Path) -> None:
    path = tmp_path / "place"
    with shared_lock(path) as place:
        assert lets_in(path, fcntl.LOCK_SH)
        assert not lets_in(path, fcntl.LOCK_EX)
        with place.exclusive():
            assert not lets_in(path, fcntl.LOCK_SH)
        assert lets_in(path, fcntl.LOCK_SH)
    assert lets_in(path, fcntl.LOCK_EX)


def test_two_who_want_to_be_alone_are_so_one_after_the_other(tmp_path: Path) -> None:
    both_inside, alone = threading.Barrier(2), list[bool]()

    def work() -> None:
        with shared_lock(tmp_path / "place") as place:
            both_inside.wait()
            with place.exclusive():
                alone.append(lets_in(tmp_path / "place", fcntl.LOCK_SH))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == [False, False]
