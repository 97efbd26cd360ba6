# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which capabilities an app has: the default, the images' isolators, profiles, flags and the pod file."""
import pathlib

import pytest

from many import CAPS, SHOW_CAPS, Many, caps

DEFAULT = set("chown dac_override fowner fsetid kill net_bind_service setgid setuid".split())
RKT = DEFAULT | set("audit_write mknod net_raw setfcap setpcap sys_chroot".split())
NSPAWN = set("audit_control audit_write chown dac_override dac_read_search fowner fsetid ipc_owner kill lease linux_immutable "
             "mknod net_bind_service net_broadcast net_raw setfcap setgid setpcap setuid sys_admin sys_boot sys_chroot "
             "sys_nice sys_ptrace sys_resource sys_tty_config".split())


MACHINE = caps(pathlib.Path("/proc/1/status").read_text())  # a lab may lack some


def csv(names):
    """As the flags want them."""
    return ",".join(sorted(f"CAP_{n.upper()}" for n in names))


CASES = {  # id: what it does, with which names, what is left of rkt's 14
    "caps-01": (None, set(), RKT),
    "caps-02": ("retain", {"net_admin"}, {"net_admin"}),
    "caps-04": ("retain", {"chown"}, {"chown"}),
    "caps-05": ("retain", {"chown", "fowner", "sys_admin", "net_admin"}, {"chown", "fowner", "sys_admin", "net_admin"}),
    "caps-06": ("retain", NSPAWN, NSPAWN),
    "caps-07": ("remove", {"chown"}, RKT - {"chown"}),
    "caps-09": ("remove", {"sys_admin"}, RKT),
    "caps-10": ("remove", {"chown", "sys_admin"}, RKT - {"chown"}),
    "caps-11": ("remove", RKT, set()),
    "caps-12": ("remove", RKT - {"sys_chroot"}, {"sys_chroot"}),
    "caps-13": ("remove", RKT | {"sys_admin"}, set()),
}


@pytest.fixture
def many(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Apps that say what they may."""
    return Many(host, images, tmp_path)


@pytest.mark.parametrize("profile,base", [((), DEFAULT), (("--profile=rkt-1",), RKT)], ids=["default", "rkt-1"])
def test_flags(many, profile, base):
    """CAPS-01 to CAPS-13 by flags, the old spellings too: what is retained is exactly that, what is removed is removed from
    the default, which is 8 here and rkt's 14 with its profile."""
    questions, wanted = {}, {}
    for name, (what, names, left) in CASES.items():
        flag = (f"--caps-{what}={csv(names)}",) if what else ()
        questions[name] = (SHOW_CAPS, many.images.busybox, *flag)
        wanted[name] = left & MACHINE if what == "retain" else left & base
    questions["caps-03"] = (SHOW_CAPS, many.images.busybox, "--cap-retain=CAP_NET_ADMIN")
    questions["caps-08"] = (SHOW_CAPS, many.images.busybox, "--cap-remove=CAP_CHOWN")
    wanted |= {"caps-03": {"net_admin"}, "caps-08": base - {"chown"}}
    assert {n: caps(t) for n, t in many.ask(questions, *profile).items()} == wanted


def test_images(many):
    """CAPS-01 to CAPS-13 by isolators of the images, in one pod; CAPS-14 to CAPS-17: flags replace them. An image only gives
    up (docs/NOT-TO-COPY.md)."""
    questions, wanted = {}, {}
    for name, (what, names, left) in CASES.items():
        kw = {f"os_linux_capabilities_{what}_set": {"set": csv(names).split(",")}} if what else {}
        questions[name] = (SHOW_CAPS, many.image(**kw))
        wanted[name] = left & RKT
    mknod = many.image(os_linux_capabilities_retain_set={"set": ["CAP_MKNOD"]})
    chown = many.image(os_linux_capabilities_remove_set={"set": ["CAP_CHOWN"]})
    questions |= {"caps-14": (SHOW_CAPS, mknod, "--caps-retain=CAP_SYS_ADMIN"),
                  "caps-15": (SHOW_CAPS, chown, "--caps-retain=CAP_SYS_ADMIN"),
                  "caps-16": (SHOW_CAPS, chown, "--caps-remove=CAP_KILL"),
                  "caps-17": (SHOW_CAPS, mknod, "--caps-remove=CAP_KILL")}
    wanted |= {"caps-14": {"sys_admin"}, "caps-15": {"sys_admin"}, "caps-16": RKT - {"kill"}, "caps-17": RKT - {"kill"}}
    assert {n: caps(t) for n, t in many.ask(questions, "--profile=rkt-1").items()} == wanted


@pytest.mark.parametrize("verb", [("run", "--net=host"), ("prepare",)], ids=["run", "prepare"])
@pytest.mark.parametrize("insecure", ["image,ondisk,paths", "all-fetch"])
def test_other_insecure_options(many, insecure, verb):
    """CAPS-18: what does not say capabilities leaves them bounded."""
    assert caps(many.one(SHOW_CAPS, insecure=insecure, verb=verb)) == DEFAULT


@pytest.mark.parametrize("insecure", ["image,capabilities", "all"])
def test_insecure_capabilities(many, insecure):
    """CAPS-19: every capability that the machine has."""
    assert caps(many.one(SHOW_CAPS, insecure=insecure)) == MACHINE & set(CAPS)


def test_of_the_pod(host, pods, images):
    """CAPS-20, CAPS-21: PID 1 has what its apps need, and no NET_ADMIN unless one does; a user's app is bounded alike."""
    show = f"{SHOW_CAPS}; id -u; exec sleep infinity"
    for more, net_admin in (("", False), ("CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE\nUser=9000\nGroup=9000\n", True),
                            ("CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n", False)):
        name = pods.shell("caps", images.busybox, show, app=more, pod="Network=\nNetwork=host\n")
        pods.start(name)
        leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
        init = caps(pathlib.Path(f"/proc/{leader}/status").read_text())
        assert ("net_admin" in init) is net_admin and "mknod" in init
        pid = host.show("main.service", "ExecMainPID", machine=name)
        pids = pathlib.Path(f"/proc/{leader}/root/proc/{pid}/status").read_text()
        assert caps(pids) == (({"net_admin", "net_bind_service"} if net_admin else {"net_bind_service"}) if more else DEFAULT)
        assert f"Uid:\t{9000 if 'User' in more else 0}\t" in pids
        pods.stop(name)


def test_pod_file(pods, images, host, tmp_path):
    """A list replaces the default, one with "~" takes away from it; Profile= stands for the default."""
    tmp_path.chmod(0o777)
    asked = {"replaced": ("", "CapabilityBoundingSet=CAP_SYS_TIME", {"sys_time"}),
             "less": ("", "CapabilityBoundingSet=~CAP_KILL", DEFAULT - {"kill"}),
             "none": ("", "CapabilityBoundingSet=", set()),
             "rkt": ("Profile=rkt-1\n", "", RKT),
             "rkt-less": ("Profile=rkt-1\n", "CapabilityBoundingSet=~CAP_MKNOD", RKT - {"mknod"}),
             "strict": ("Profile=strict\n", "", set())}
    for key, (pod, app, wanted) in asked.items():
        name = pods.shell("profile", images.busybox, f"{SHOW_CAPS} > /out/{key}; echo > /out/{key}-done; exec sleep infinity", pod=pod,
                          app=f"{app}\nVolume={tmp_path}:/out\n")
        pods.start(name)
        host.wait_for("the answer", (tmp_path / f"{key}-done").exists)
        assert caps((tmp_path / key).read_text()) == wanted, key
        pods.stop(name)
    name = pods.shell("profile", images.busybox, "true", pod="Profile=nonesuch\n")
    assert pods.start(name, check=False).rc != 0
    assert "there is no profile 'nonesuch'" in host.status(f"pod@{name}")
