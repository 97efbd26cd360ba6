# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app is kept from besides capabilities and system calls: new privileges, the kernel's files, devices, others' memory."""
import pathlib

import pytest

from conftest import ISOLATED, app_section
from many import Many, caps

NNP = "grep NoNewPrivs /proc/self/status"
OOM = "cat /proc/self/oom_score_adj"
PATHS = ("echo 0 > /proc/sysrq-trigger; echo 0 > /proc/irq/default_smp_affinity; ls -ld /sys/firmware /proc/kcore /proc/keys; "
         "ls -lnL /dev/ptmx; head -c 1 /proc/keys | wc -c")
NODES = ("for d in null,1,3 ptmx,5,2 loop-control,10,237; do IFS=,; set -- $d; unset IFS; "
         "mknod /$1 c $2 $3 && echo $1 made || echo $1 refused; done")


@pytest.fixture
def many(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Apps that try."""
    return Many(host, images, tmp_path)


def test_no_new_privileges(many):
    """NNP-01 to NNP-07: on, whatever the image says; the last of two counts, and nothing but the administrator switches it
    off (docs/NOT-TO-COPY.md)."""
    yes, no = many.image(os_linux_no_new_privileges=True), many.image(os_linux_no_new_privileges=False)
    twice = many.images.make(app={"exec": ["/bin/sh"], "isolators": [
        {"name": "os/linux/no-new-privileges", "value": v} for v in (False, True)]})
    everything = many.image(os_linux_no_new_privileges=False, os_linux_seccomp_retain_set={"set": ["@appc.io/all"]})
    user = ("--user=1000", "--group=100")
    said = many.ask({"nnp-01": (NNP, yes), "nnp-02": (NNP, yes, *user), "nnp-03": (NNP, no), "nnp-04": (NNP, everything, *user),
                     "nnp-05": (NNP, twice), "nnp-06": (NNP, twice, *user), "nnp-07": (NNP, many.images.busybox)})
    assert {t.split()[1] for t in said.values()} == {"1"}
    assert many.one(NNP, verb=("run", "--net=host", "--profile=trusted")).split()[1] == "0"


def test_oom_score(many):
    """OOM-01 to OOM-04: an image makes itself the first to die, never the others; the flag does both."""
    said = many.ask({"oom-01": (OOM, many.image(os_linux_oom_score_adj=99)), "oom-02": (OOM, many.image(os_linux_oom_score_adj=-50)),
                     "oom-03": (OOM, many.images.busybox), "oom-04": (OOM, many.images.busybox, "--oom-score-adj=42"),
                     "flag": (OOM, many.image(os_linux_oom_score_adj=99), "--oom-score-adj=-7")})
    lowered = -7 if "sys_resource" in caps(pathlib.Path("/proc/1/status").read_text()) else 0  # not in every lab
    assert {k: int(v) for k, v in said.items()} == {"oom-01": 99, "oom-02": 0, "oom-03": 0, "oom-04": 42, "flag": lowered}


@pytest.mark.parametrize("insecure,verb", [("image", ("run", "--net=host")), ("image,ondisk,capabilities", ("run", "--net=host")),
                                           ("all-fetch", ("prepare",))])
def test_kernel_paths(many, insecure, verb):
    """PTH-01, PTH-03, PTH-04, PTH-05: sysrq-trigger is read-only, firmware and kcore are nothing, ptmx is for all."""
    said = many.one(PATHS, insecure=insecure, verb=verb)
    assert "/proc/irq/default_smp_affinity: Read-only file system" in said
    # a kernel need not have these two; other secrets stand for them
    assert "/proc/sysrq-trigger: Read-only file system" in said or not pathlib.Path("/proc/sysrq-trigger").exists()
    modes = {li.split()[-1]: li.split() for li in said.splitlines() if li[:1] in "-dc" and len(li.split()) > 5}
    assert modes["/sys/firmware"][0].startswith("d---------")
    assert modes["/proc/keys"][0].startswith("----------")
    assert not pathlib.Path("/proc/kcore").exists() or modes["/proc/kcore"][0].startswith("----------")
    assert modes["/dev/ptmx"][0].startswith("crw-rw-rw-") and modes["/dev/ptmx"][2:4] == ["0", "0"]
    assert said.split()[-1] == "0"


def test_kernel_paths_uncovered(many):
    """PTH-02: with paths switched off, /sys/firmware is the machine's. (sysrq-trigger stays nspawn's to hide.)"""
    assert "/sys/firmware" in many.one("ls -ld /sys/firmware | grep 'dr.xr.xr.x'", insecure="image,paths")


def test_nodes(many):
    """DEV-01 to DEV-03: with the capability to make nodes, only those that the policy allows; without it none. The policy allows
    ptmx (docs/NOT-TO-COPY.md)."""
    said = many.one(NODES)
    assert said.count("refused") == 3
    said = many.one(NODES, verb=("run", "--net=host", "--profile=rkt-1"))
    assert "null made" in said and "loop-control refused" in said


def test_insecure_nodes(many):
    """DEV-04: the policy goes with the paths."""
    said = many.one(NODES, insecure="image,paths", verb=("run", "--net=host", "--profile=rkt-1"))
    assert "null made" in said and "loop-control made" in said


def test_node_as_a_volume(many):
    """DEV-05, DEV-06: a device that the administrator mounts into the app can be used there."""
    volume = ("--volume=loop,kind=host,source=/dev/loop-control", "--mount=volume=loop,target=/tmp/loop-control")
    assert "Invalid argument" in many.one("cat /tmp/loop-control", verb=("run", "--net=host", *volume))
    said = many.one(NODES, insecure="image,paths", verb=("run", "--net=host", "--profile=rkt-1", *volume))
    assert "ptmx made" in said


EMPTY = ("NoNewPrivileges", "RestrictNamespaces", "LockPersonality", "DevicePolicy", "ProtectProc", "ProtectKernelTunables",
         "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock", "ProtectHostname", "TasksMax")


def test_an_empty_value_switches_nothing_off(host, pods, images):
    """KEY= takes back what was said before, and the default counts, in a pod file as in systemd. A list that is made empty
    is an empty list. A capability in small letters gives what the same in capitals gives."""
    empty = "".join(f"{key}=\n" for key in EMPTY)
    before = "NoNewPrivileges=no\nProtectProc=default\nDevicePolicy=auto\n"
    name = pods.write("empty", ISOLATED + app_section("plain", images.busybox, "exec sleep infinity") +
                      app_section("empty", images.busybox, "exec sleep infinity", before + empty) +
                      app_section("lists", images.busybox, "exec sleep infinity", "CapabilityBoundingSet=\nSystemCallArchitectures=\n") +
                      app_section("small", images.busybox, "exec sleep infinity", "CapabilityBoundingSet=cap_sys_time\n"))
    pods.start(name)
    assert host.show("small.service", "CapabilityBoundingSet", "ProtectClock", machine=name) == {
        "CapabilityBoundingSet": "cap_sys_time", "ProtectClock": "no"}
    properties = (*EMPTY, "CapabilityBoundingSet", "SystemCallArchitectures")
    plain, empty, lists = (host.show(f"{app}.service", *properties, machine=name) for app in ("plain", "empty", "lists"))
    assert empty == plain
    assert (plain["NoNewPrivileges"], plain["DevicePolicy"]) == ("yes", "closed")
    assert {k for k in lists if lists[k] != plain[k]} == {"CapabilityBoundingSet", "SystemCallArchitectures"}
    assert lists["CapabilityBoundingSet"] == ""


SAME = ("grep -E '^(Cap|NoNew|Seccomp:|Uid|Gid|Groups)' /proc/self/status; cat /proc/self/oom_score_adj; pwd; ls -ld /proc/keys "
        "/sys/firmware | cut -c1-10; mkdir /tmp/sandbox-$1; mount -t tmpfs x /mnt; echo 0 > /proc/sys/kernel/panic; umask; "
        "ulimit -n; hostname; ls /; echo $PATH $MINE; cat /proc/self/attr/current; unshare -m true; cut -d: -f1 /etc/passwd")


@pytest.mark.parametrize("keys", ["", "User=1000\nGroup=100\nSupplementaryGroups=7\nWorkingDirectory=/tmp\nCapabilityBoundingSet=CAP_KILL\n"
                                  "OOMScoreAdjust=5\nUMask=0077\nLimitNOFILE=99\nSystemCallFilter=~mkdir:EXFULL mkdirat:EXFULL\n"],
                         ids=["default", "keys"])
def test_who_enters_is_as_confined(pods, images, host, tmp_path, keys):
    """ROB 5: the app and machinectl shell into it see and may the same."""
    tmp_path.chmod(0o777)
    (tmp_path / "same").write_text(SAME)
    name = pods.shell("same", images.busybox, "cd .; sh /out/same a > /out/app 2>&1; echo > /out/done; exec sleep infinity",
                      app=f"{keys}Environment=MINE=yes\nVolume={tmp_path}:/out\n")
    pods.start(name)
    host.wait_for("the answer", (tmp_path / "done").exists)
    pods.shell_in(f"main@{name}", "/bin/sh", "-c", "sh /out/same b > /out/shell 2>&1")
    app, shell = ((tmp_path / f).read_text().replace("sandbox-b", "sandbox-a").splitlines() for f in ("app", "shell"))
    assert app == shell
    assert ("Exchange full" in "".join(app)) is bool(keys)


LOOK = ("cd /proc; for p in [a-z]* sys/* sys/kernel/* irq/* /sys/* /sys/fs/* /sys/kernel/* /sys/class/net/*; do "
        "echo \"$p $(stat -c '%A %F' $p) $(head -c 1 $p 2>/dev/null | wc -c)\"; done")


def options(mounts):
    """{target: options of what is mounted there last}."""
    return {li.split()[1]: li.split()[3] for li in mounts.splitlines() if li.split()[1].startswith(("/proc", "/sys"))}


def at(mounts, path):
    """Options of the mount that a path is on."""
    return mounts.get(path) or at(mounts, str(pathlib.Path(path).parent))


@pytest.mark.parametrize("users", ["no", "pick"])
def test_kernel_files_are_the_same(host, pods, images, tmp_path, users):
    """The kernel's files that a pod makes once for its apps are those that systemd makes for an app that wants something of its own:
    nothing more can be seen, read or written."""
    tmp_path.chmod(0o777)
    look = f"cd /out/$AC_APP_NAME; cat /proc/self/mounts > mounts; ls -d /proc/1 > first; ({LOOK}) > files 2>&1; touch done; exec sleep 1000"
    (tmp_path / "look").write_text(look)
    apps = ""
    for app, more in ("shared", ""), ("own", "ProtectProc=invisible\n"), ("user", "User=1000\nGroup=1000\n"):
        (tmp_path / app).mkdir()
        (tmp_path / app).chmod(0o777)
        apps += f"[App {app}]\nImage={images.busybox}\nExec=/bin/sh /out/look\nVolume={tmp_path}:/out\n{more}"
    name = pods.write(f"files-{users}", f"[Pod]\nNetwork=none\nInsecureOptions=image\nPrivateUsers={users}\n{apps}")
    pods.start(name)
    for app in "shared", "own", "user":
        host.wait_for(f"what {app} sees", (tmp_path / app / "done").exists)
    seen = {app: [(tmp_path / app / f).read_text() for f in ("mounts", "files", "first")] for app in ("shared", "own", "user")}
    assert "/rkt/kernel/proc:/proc" in host.show("shared.service", "BindPaths", machine=name)
    assert "/rkt/kernel" not in host.show("own.service", "BindPaths", machine=name)
    shared, own = options(seen["shared"][0]), options(seen["own"][0])
    assert not [t for t in own if at(own, t).startswith("ro") and not at(shared, t).startswith("ro")]
    assert not [t for t in shared if at(shared, t).startswith("ro") != at(own, t).startswith("ro")]
    assert shared["/proc"].startswith("rw,nosuid,nodev,noexec") and shared["/sys"].startswith("ro,nosuid,nodev,noexec")
    assert ("hidepid" in shared["/proc"]) == ("hidepid" in own["/proc"])
    assert seen["shared"][1] == seen["own"][1]
    assert ("hidepid" in shared["/proc"]) == (not seen["user"][2])
