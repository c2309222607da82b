"""How much memory there is: the tightest limit of the process's control group and of those around it."""

from __future__ import annotations

import math

import pytest

from lepton_automl import memory

GIB = 2**30
V1 = "35 31 0:32 {root} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V2 = "41 31 0:38 {root} /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw"


def tree(tmp_path, group: str, mount: str, limits: dict[str, str], *, version: int, root: str = "/"):
    """A fake machine."""
    proc = tmp_path / "proc/self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(group + "\n")
    (proc / "mountinfo").write_text("22 1 0:20 / /proc rw - proc proc rw\n" + mount.format(root=root) + "\n")
    top = tmp_path / ("sys/fs/cgroup" if version == 2 else "sys/fs/cgroup/memory")
    limit, used, cached = memory._FILES[version]
    for path, bound in limits.items():
        folder = top / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / limit).write_text(bound + "\n")
        (folder / used).write_text(f"{GIB}\n")
        (folder / "memory.stat").write_text(f"anon 1\n{cached} {GIB // 2}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("limits", "tightest"),
    [
        ({"": "max", "a": "max", "a/b": str(3 * GIB // 2)}, 1.5),
        ({"a": str(2 * GIB), "a/b": "max"}, 2.0),  # a slice around it is the tight one
        ({"a": str(2 * GIB), "a/b": str(4 * GIB)}, 2.0),
        ({"a": "max", "a/b": "max"}, math.inf),
        ({"c": str(GIB)}, math.inf),  # a neighbour's
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_limit_from_the_process_outwards_counts(tmp_path, version, limits, tightest):
    group, mount = ("4:cpu,memory:/a/b\n0::/other", V1) if version == 1 else ("0::/a/b", V2)
    if version == 1:
        limits = {path: str(2**63 - 4096) if bound == "max" else bound for path, bound in limits.items()}
    root = tree(tmp_path, group, mount, limits, version=version)
    found = min((limit for limit, _ in memory._containers(root)), default=math.inf) / GIB
    assert found == tightest or (version == 1 and found > 10**6 and tightest == math.inf)


def test_a_container_that_sees_its_own_group_as_the_top(tmp_path):
    root = tree(tmp_path, "0::/", V2, {"": str(GIB)}, version=2)
    assert memory._containers(root) == [(GIB, GIB / 2)]  # what is cached gives way


def test_a_container_that_sees_its_group_under_the_hosts_name(tmp_path):
    root = tree(
        tmp_path, "4:memory:/docker/abc/inner", V1, {"": str(3 * GIB), "inner": str(GIB)}, version=1, root="/docker/abc"
    )
    assert [limit / GIB for limit, _ in memory._containers(root)] == [1.0, 3.0]


@pytest.mark.parametrize("group", ["0::/../../elsewhere", "0::/docker/xyz", "4:memory:/no/such"])
def test_a_group_that_is_not_mounted_falls_back_to_what_is(tmp_path, group):
    version = 2 if group.startswith("0") else 1
    root = tree(tmp_path, group, V2 if version == 2 else V1, {"": str(GIB)}, version=version, root="/docker/abc")
    assert [limit for limit, _ in memory._containers(root)] == [GIB]


def test_a_machine_without_control_groups_has_its_memory_alone(tmp_path):
    assert memory._containers(tmp_path) == []
    assert 0 < memory.available() <= memory.total()


def test_what_is_free_goes_by_the_tight_group(monkeypatch, tmp_path):
    root = tree(tmp_path, "0::/a", V2, {"a": str(3 * GIB // 2)}, version=2)
    groups = memory._containers(root)
    monkeypatch.setattr(memory, "_containers", lambda: groups)
    assert memory.total() == 1.5 * GIB and memory.available() == 1.0 * GIB and memory.share(2) == 0.8 * GIB / 2
