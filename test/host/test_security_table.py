# SPDX-License-Identifier: LGPL-2.1-or-later
"""ROB 5: the table of defaults in SECURITY.md against a pod of which nothing is said but its image."""
import errno
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from images import aci
from many import caps, isolators

TABLE = pathlib.Path(__file__).resolve().parents[2] / "SECURITY.md"
SECTIONS = {
    "status": "cat /proc/self/status", "users": "cat /proc/self/uid_map", "probe": "/usr/bin/probe", "links": "ls /sys/class/net",
    "modes": "for p in $(cat /out/paths); do stat -c '%n %a %F' $p 2>/dev/null || echo \"$p none\"; done",
    "writable": "for p in $(cat /out/paths); do [ ! -d $p ] || ! mkdir $p/x 2>/dev/null || echo $p; done; "
                "for p in /proc/sys/kernel/core_pattern /proc/sys/vm/panic_on_oom /proc/sysrq-trigger /proc/irq/default_smp_affinity "
                "/sys/fs/cgroup/cgroup.procs /sys/kernel/uevent_seqnum /proc/sys/net/ipv4/ip_forward; do [ ! -e $p ] || "
                "! (echo 1 > $p) 2>/dev/null || echo $p; done",
    "processes": "ls /proc | grep -c '^[0-9]'; id -u", "dev": "ls /dev", "mounts": "cat /proc/self/mounts", "oom": "cat /proc/self/oom_score_adj",
    "node": "mknod /tmp/n c 1 3", "open": "for d in $(find /dev ! -type d ! -type l ! -path '/dev/pts/*' ! -name console); do (: < $d) 2>/dev/null && echo $d; done",
}


def probe_root(root):
    """Busybox and probe.c."""
    aci.busybox_root(root)
    source = os.path.join(os.path.dirname(os.path.abspath(aci.__file__)), "probe.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-Wall", "-static", "-o", f"{root}/usr/bin/probe", source], check=True)
    return root


def rows():
    """{first column: second column} of the table."""
    lines = [li for li in TABLE.read_text().splitlines() if li.startswith("| ")][1:]
    return {cells[1].strip(): cells[2].strip() for cells in (li.split("|") for li in lines)}


def hidden_paths():
    """Those that the table calls hidden."""
    return re.findall(r"`(/[^`]+)`", rows()["/proc, /sys"].split("hidden:")[1])


@pytest.fixture
def facts(host, pods, images, tmp_path):
    """What an app sees, by name; and what systemd says of it."""
    tmp_path.chmod(0o777)
    (tmp_path / "paths").write_text("\n".join(hidden_paths()))
    for name, script in SECTIONS.items():
        (tmp_path / f"{name}.sh").write_text(script)
    image = images.make(root=probe_root, app={"exec": ["/bin/sh"], "isolators": isolators(os_linux_oom_score_adj=-100)})
    script = "cd /out; for s in *.sh; do sh $s > ${s%.sh} 2>&1; done; touch done; exec sleep 1000"
    name = pods.write("defaults", f"[Pod]\nInsecureOptions=image\n[App main]\nImage={image}\nExec=/bin/sh -c \"{script.replace('%', '%%')}\"\n"
                      f"Volume={tmp_path}:/out\n")
    pods.start(name)
    host.wait_for("the facts", (tmp_path / "done").exists)
    seen = {s: (tmp_path / s).read_text() for s in SECTIONS}
    seen["unit"] = host.show("main.service", "TasksMax", "MemoryMax", "CPUQuotaPerSecUSec", "IOWriteBandwidthMax", "DevicePolicy", machine=name)
    seen["systemd"] = int(host.run("systemctl", "--version").out.split()[1])
    seen["pod"] = host.show(f"pod@{name}", "TasksMax")
    return seen


def check_capabilities(text, facts):
    """Names."""
    less = {"net_bind_service"} if facts["systemd"] >= 254 else set()  # nspawn takes it, and no port needs it
    assert {c.lower() for c in re.findall(r"[A-Z_]{4,}", text)} - less == caps(facts["status"]) and "not with private users" in text
    assert "none ambient or inheritable" in text and re.search(r"CapInh:\s+0{16}\n", facts["status"]) and re.search(r"CapAmb:\s+0{16}\nNoNew", facts["status"])


def check_setuid(text, facts):
    """NoNewPrivileges=."""
    assert "NoNewPrivileges=yes" in text and re.search(r"NoNewPrivs:\s+1\n", facts["status"])


def check_calls(text, facts):
    """The errors of what is not allowed."""
    said = dict(li.split() for li in facts["probe"].splitlines())
    assert "answer ENOSYS" in text and re.search(r"Seccomp:\s+2\n", facts["status"])
    for call in re.findall(r"`(\w+)`", text):
        assert int(said[call]) == errno.ENOSYS, call
    assert int(said["getpid"]) == 0


def check_namespaces(text, facts):
    """unshare, setns, personality."""
    said = dict(li.split() for li in facts["probe"].splitlines())
    assert "none can be made or entered" in text and "locked" in text
    assert [int(said[c]) for c in ("unshare-net", "unshare-user", "setns", "personality")] == [errno.EPERM] * 4


def check_kernel_files(text, facts):
    """What is hidden, and that nothing else there can be written."""
    union = {f"/proc/{p}" for p in "acpi asound config.gz interrupts kallsyms kcore keys latency_stats sched_debug scsi timer_list timer_stats".split()} | {
        f"/sys/{p}" for p in "devices/virtual/powercap firmware hypervisor module power".split()}  # robustness: runc's and rkt's lists
    assert union <= set(hidden_paths())
    for line in facts["modes"].splitlines():
        path, mode = line.split()[:2]
        assert mode in ("0", "none") or os.path.isfile(path) and mode == "0", line
        assert mode == "0" or not os.path.exists(path) or path.startswith("/sys"), line
    assert "read-only" in text and facts["writable"].strip() == ""
    assert "other users' processes invisible" in text and re.search(r" /proc proc .*hidepid=(invisible|2)", facts["mounts"])


def check_devices(text, facts):
    """/dev, and mknod."""
    there = set(facts["dev"].split())
    named = set(re.findall(r"`(\w+)`", text))
    assert {p[5:] for p in facts["open"].split()} <= named | {"ptmx"}, facts["open"]
    links = {"fuse", "fd", "stdin", "stdout", "stderr", "core", "log", "ptmx", "pts", "shm", "mqueue", "net", "char", "block", "initctl", "kmsg"}
    assert named <= there and there - named - links <= {"console"}, there
    assert "no mknod" in text and "not permitted" in facts["node"] and facts["unit"]["DevicePolicy"] == "closed"
    assert "nodev" in text and re.search(r" / overlay \S*nodev", facts["mounts"])


def check_processes(text, facts):
    """TasksMax=."""
    assert [facts["unit"]["TasksMax"], facts["pod"]] == re.findall(r"\d+", text)


def check_resources(text, facts):
    """None."""
    assert text.startswith("no limit") and facts["unit"]["MemoryMax"] == facts["unit"]["CPUQuotaPerSecUSec"] == "infinity"
    assert not facts["unit"].get("IOWriteBandwidthMax")


def check_oom(text, facts):
    """The image asks for -100."""
    assert "cannot lower" in text and facts["oom"].strip() == "0"


def check_network(text, facts):
    """Interfaces."""
    assert text.startswith("its own: loopback, and `eth0`") and facts["links"].split() == ["eth0", "lo"]


def check_users(text, facts):
    """The map of user IDs."""
    inside, outside, length = facts["users"].split()
    assert "65536" in text and "before 254" in text
    if facts["systemd"] < 254:
        assert (inside, outside) == ("0", "0")
    else:
        assert (inside, length) == ("0", "65536") and int(outside) >= 524288


def check_volumes(text, facts):
    """The one with the facts."""
    assert "`nosuid,nodev`" in text and re.search(r" /out \S+ rw,nosuid,nodev,", facts["mounts"])


def check_memory(text, facts):
    """/dev/shm is bounded."""
    size = re.search(r" /dev/shm tmpfs \S*size=(\d+)k", facts["mounts"])
    total = int(re.search(r"MemTotal: +(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    assert "10%" in text and int(size.group(1)) <= total // 9


CHECKS = {"capabilities": check_capabilities, "setuid programs": check_setuid, "system calls": check_calls,
          "namespaces, personality": check_namespaces, "/proc, /sys": check_kernel_files, "devices": check_devices,
          "processes": check_processes, "memory, processor, disk": check_resources, "out of memory": check_oom, "network": check_network,
          "user namespace": check_users, "volumes": check_volumes, "memory as files": check_memory}


@pytest.mark.skipif(shutil.which("cc") is None, reason="the probe needs a compiler")
def test_table_is_true(facts):
    """Every row says what a pod really has, and there is no row that nobody looks at."""
    table, wrong = rows(), []
    assert set(table) == set(CHECKS)
    for name, check in CHECKS.items():
        try:
            check(table[name], facts)
        except (AssertionError, KeyError, AttributeError) as e:
            wrong.append(f"{name}: {table[name]}\n{e!r:.1500}")
    assert not wrong, "\n\n".join(wrong)
