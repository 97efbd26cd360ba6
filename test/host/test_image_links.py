# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images with links where the kernel's file systems, /run and /etc have to be: an app gets its own, never the pod's."""
import os
import shutil

from conftest import ISOLATED, app_section
from images import aci
from many import Many
from test_app import Sandbox

CASES = {
    "run-abs": {"run": "/rkt"},
    "run-up": {"run": "../../../../rkt"},
    "run-var": {"var/run": None, "run": "/var/run"},
    "run-none": {"run": "/nowhere/at/all"},
    "run-root": {"run": "/"},
    "below-run": {"run/systemd": "/../rkt/bin"},
    "proc": {"proc": "/fake/proc", "fake/proc/sys": "/tmp", "fake/proc/sysrq-trigger": "/tmp/x"},
    "sys": {"sys": "../rkt", "dev": "rkt/dev"},
    "etc": {"etc": "/rkt/etc", "tmp": "/var/tmp", "rkt/etc/hosts": "/rkt/mine", "rkt/etc/hostname": "../../rkt/mine",
            "rkt/etc/resolv.conf": "/../../rkt/bin/rkt-bare"},
}
# what no app may see, then what each has of its own and what it cannot write to; the answers are ANSWERS
SCRIPT = ("for f in run/bin/rkt-bare run/systemd/private rkt/bin/rkt-bare run/volumes run/rkt/bin; do "
          "[ -e /$f ] && echo sees $f && echo exit 7 > /$f; done; "
          "for d in run tmp; do echo $d > /$d/file && cat /$d/file; done; [ -S /run/systemd/journal/socket ] && echo journal; "
          "for d in proc sys dev; do [ ! -L /$d ] && grep -q \" /$d \" /proc/self/mounts && echo $d; done; "
          "[ -c /dev/null ] && echo null; readlink /proc/self > /tmp/file && echo self; "
          "for f in kernel/panic vm/swappiness; do ( echo 0 > /proc/sys/$f ) 2> /dev/null || echo refused; done")
ANSWERS = "run tmp journal proc sys dev null self refused refused".split()
MARK = "mine"


def links_root(case):
    """A builder of busybox's root with the links of a case, and a /rkt for them to lead to."""
    def build(root):
        aci.busybox_root(root)
        for place in ("rkt/bin", "rkt/dev", "rkt/etc", "fake/proc", "var/tmp"):
            os.makedirs(f"{root}/{place}", exist_ok=True)
        os.chmod(f"{root}/var/tmp", 0o1777)
        with open(f"{root}/rkt/{MARK}", "w", encoding="ascii") as f:
            f.write(MARK)
        for link, target in CASES[case].items():
            path = f"{root}/{link}"
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(target, path) if target else os.mkdir(path)
        return root
    build.__name__ = f"links_{case}"
    return build


def image(images, case):
    """An image with these links."""
    return images.make("example.com/links", app={"exec": ["/bin/sh"]}, root=links_root(case), file=f"links_{case}", compression="plain")


def test_run(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """ROB 5: rkt run, all cases in one pod."""
    said = Many(host, images, tmp_path).ask({case: (SCRIPT, image(images, case)) for case in CASES})
    assert {case: text.split() for case, text in said.items()} == {case: ANSWERS for case in CASES}


def test_pod_file(host, pods, images, tmp_path):
    """The same in a pod that starts twice, and for who enters it."""
    tmp_path.chmod(0o777)
    (tmp_path / "ask").write_text(SCRIPT)
    cases = ("run-abs", "run-var", "proc")
    name = pods.write("links", ISOLATED + "".join(
        app_section(c, image(images, c), f"sh /out/ask > /out/{c} 2>&1; echo > /out/{c}.done; exec sleep infinity", f"Volume={tmp_path}:/out\n")
        for c in cases))
    for _ in range(2):
        pods.start(name)
        for case in cases:
            host.wait_for(case, (tmp_path / f"{case}.done").exists, timeout=60)
            assert (tmp_path / case).read_text().split() == ANSWERS
            (tmp_path / f"{case}.done").unlink()
        assert pods.shell_in(f"run-abs@{name}", "/bin/sh", "/out/ask").split() == ANSWERS
        pods.stop(name)


def test_app_add(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """An app that is added."""
    tmp_path.chmod(0o777)
    (tmp_path / "ask").write_text(SCRIPT)
    sandbox = Sandbox(host, tmp_path)
    try:
        host.rkt("--insecure-options=image", "app", "add", sandbox.uuid, image(images, "run-abs"), "--name=links", "--exec=/bin/sh",
                 f"--mnt-volume=name=o,kind=host,source={tmp_path},target=/out", "--", "-c", "sh /out/ask > /out/answer 2>&1")
        sandbox.rkt("start", "--app=links")
        host.wait_for("the answer", lambda: sandbox.states().get("links") == "exited", timeout=60)
        assert (tmp_path / "answer").read_text().split() == ANSWERS
        sandbox.rkt("rm", "--app=links")
    finally:
        sandbox.end()
