"""How many workers a container can feed."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import pytest
from sequela.concurrency.cpu import own_cores, pin_to, usable_cores
from sequela.concurrency.worker_pool import WorkerPool
from waiting import PATIENCE

HERE = len(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def version_2(quota: str, group: str = "/") -> dict[str, str]:
    return {
        "proc/self/cgroup": f"0::{group}",
        f"sys/fs/cgroup{group.rstrip('/')}/cpu.max": f"{quota} 100000",
    }


def version_1(quota: str, group: str = "/", mount: str = "cpu,cpuacct") -> dict[str, str]:
    folder = f"sys/fs/cgroup/{mount}{group.rstrip('/')}"
    return {
        "proc/self/cgroup": f"5:memory:/\n4:{mount}:{group}\n0::/",
        f"{folder}/cpu.cfs_quota_us": quota,
        f"{folder}/cpu.cfs_period_us": "100000",
    }


@pytest.mark.parametrize("files", [{}, version_2("max"), version_1("-1"), {"proc/self/cgroup": "0::/gone"}])
def test_without_a_quota_the_affinity_counts(files: dict[str, str], tmp_path: Path) -> None:
    """No control groups, no bound in them, or none that can be seen: the cores that the process may use."""
    assert usable_cores(write(tmp_path, files)) == HERE


@pytest.mark.parametrize("group", ["/", "/system.slice/sequela.service"])
@pytest.mark.parametrize("cores", [0.05, 1.0, 1.5, 1000.0])
def test_a_quota_counts_where_it_is_less(cores: float, group: str, tmp_path: Path) -> None:
    """In both versions of control groups; a part of a core counts as one, and never more than the affinity."""
    wanted = min(math.ceil(cores), HERE)
    quota = str(int(cores * 100_000))
    assert usable_cores(write(tmp_path / "2", version_2(quota, group))) == wanted
    assert usable_cores(write(tmp_path / "1", version_1(quota, group))) == wanted
    assert usable_cores(write(tmp_path / "0", version_1(quota, group, "cpu"))) == wanted


def test_the_quota_of_a_group_above_counts(tmp_path: Path) -> None:
    """A pod's bound holds for its containers too; and the container's own where only that can be seen."""
    files = version_2("100000", "/pod") | {"proc/self/cgroup": "0::/pod/container"}
    assert usable_cores(write(tmp_path / "pod", files)) == 1
    files = version_1("100000") | {"proc/self/cgroup": "4:cpu,cpuacct:/docker/of-the-host"}
    assert usable_cores(write(tmp_path / "container", files)) == 1


def test_cores_are_the_workers_own_where_there_are_as_many() -> None:
    """Where others share the machine's cores, the system places the workers."""
    assert own_cores(HERE) == tuple(sorted(os.sched_getaffinity(0)))
    assert own_cores(HERE + 1) == own_cores(0) == ()


def test_workers_stay_on_their_cores() -> None:
    """Each of the pool's threads runs on its own core alone, the caller's wherever it was."""
    before = os.sched_getaffinity(0)
    cores = own_cores(HERE)
    pool = WorkerPool(HERE, pin_to(cores))
    barrier = threading.Barrier(HERE)

    def where() -> tuple[int, ...]:
        barrier.wait(PATIENCE)
        return tuple(os.sched_getaffinity(0))

    if HERE > 1:
        assert sorted(pool.run([where] * HERE)) == [(core,) for core in cores]
    assert os.sched_getaffinity(0) == before
    pool.close()
