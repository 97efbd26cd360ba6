# SPDX-License-Identifier: LGPL-2.1-or-later
"""What needs cgroup controllers: limits of an app and of a whole pod, on the kernel that Debian ships."""
import pathlib

CGROUP = pathlib.Path("/sys/fs/cgroup")


def cgroup_of(host, unit, machine=None):
    """Directory of a unit's cgroup; of a unit in a machine, as the host sees it."""
    group = host.show(unit, "ControlGroup", machine=machine)
    if machine:
        outer = host.show(f"pod@{machine}.service", "ControlGroup")
        group = f"{outer}/payload{group}"
    return CGROUP / group.lstrip("/")


def test_app_limits_reach_the_kernel(host, pods, images):
    """MemoryMax=, CPUQuota= and TasksMax= of an app are its cgroup's."""
    name = pods.shell("limits", images.busybox, "sleep 1000",
                      app="MemoryMax=64M\nCPUQuota=50%\nTasksMax=17\n")
    pods.start(name)
    group = cgroup_of(host, "main.service", machine=name)
    assert (group / "memory.max").read_text().strip() == str(64 << 20)
    assert (group / "cpu.max").read_text().split() == ["50000", "100000"]
    assert (group / "pids.max").read_text().strip() == "17"


def test_pod_limits_reach_the_kernel(host, pods, images):
    """[Service] MemoryMax= bounds the whole pod, supervisor included."""
    name = pods.shell("podlimit", images.busybox, "sleep 1000",
                      rest="[Service]\nMemoryMax=256M\n")
    pods.start(name)
    assert (cgroup_of(host, f"pod@{name}.service") / "memory.max").read_text().strip() == str(256 << 20)


def test_app_over_its_limit_is_killed_and_said_so(host, pods, images):
    """An app that wants more than MemoryMax= is killed; the pod fails and its journal names the reason."""
    name = pods.shell("greedy", images.busybox, "x=a; while true; do x=$x$x$x$x; done",
                      app="MemoryMax=16M\nMemorySwapMax=0\n")
    pods.start(name, check=False)
    host.wait_for("the pod to fail", lambda: host.show(f"pod@{name}.service", "ActiveState") == "failed", timeout=120)
    assert "oom-kill" in host.journal("-u", f"pod@{name}").lower()
