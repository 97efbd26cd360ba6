# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pod's root is the same whatever its image's tree is on disk: an EROFS index over the blob, mounted from files or through
loop devices; a whole EROFS image; plain files."""
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import DATA
from images import aci
from tree_mount import loops, tree_form

FORMS = {"index": "index", "index-loop": "index", "image": "image", "dir": "dir"}
CAPABILITY = b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"  # cap_net_bind_service+ep
WHO = r"""
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
        struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct d[2] = { { 0 } };
        syscall(SYS_capget, &h, d);
        printf("%d %x\n", (int) geteuid(), d[0].effective);
        return 0;
}
"""


def tree_root(root):
    """busybox, and what a tree can have that a pod can see."""
    aci.busybox_root(root)
    subprocess.run(["cc", "-static", "-o", f"{root}/usr/bin/who-suid", "-x", "c", "-"], input=WHO, text=True, check=True)
    shutil.copy(f"{root}/usr/bin/who-suid", f"{root}/usr/bin/who-cap")
    os.chmod(f"{root}/usr/bin/who-suid", 0o4755)
    os.chmod(f"{root}/usr/bin/who-cap", 0o755)
    os.setxattr(f"{root}/usr/bin/who-cap", "security.capability", CAPABILITY)
    top = pathlib.Path(root, "srv")
    (top / "dir/sub").mkdir(parents=True)
    (top / "dir/sub/file").write_text("deep\n")
    (top / "plain").write_text("".join(f"{i}\n" for i in range(20000)))
    os.setxattr(top / "plain", "user.comment", b"kept")
    os.chown(top / "plain", 123, 456)
    os.utime(top / "plain", (0, 1234567890))
    os.link(top / "plain", top / "hard")
    os.symlink("dir/sub/file", top / "link")
    (top / "gone").write_text("x")
    with open(top / "sparse", "wb") as f:
        f.seek(3000000)
        f.write(b"end")


@pytest.fixture(name="backend", params=FORMS)
def backend_of_units(host, no_images, request):  # pylint: disable=unused-argument
    """New trees are made so, by commands with the environment that this gives, and by units."""
    host.run("systemctl", "set-environment", f"RKT_TREE_BACKEND={request.param}")
    yield request.param
    host.run("systemctl", "unset-environment", "RKT_TREE_BACKEND")


def fetch(host, image, backend):
    """Returns the key."""
    fetched = host.rkt("fetch", "--full", "--insecure-options=image", image, env={"RKT_TREE_BACKEND": backend})
    return fetched.out.split()[-1][:len("sha512-") + 64]


def pod_root(host, name):
    """The root of the app, as the host sees it."""
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    return leader, pathlib.Path("/proc", leader, "root/opt/stage2/main/rootfs")


SCRIPT = """set -e
wc -l </srv/plain; md5sum </srv/sparse | cut -c1-32; cat /srv/link
[ /srv/plain -ef /srv/hard ] && echo same
rm /srv/gone; ls /srv/gone 2>/dev/null || echo removed
echo new >/srv/gone; cat /srv/gone
echo more >>/srv/dir/sub/file; cat /srv/dir/sub/file
mkdir /srv/made && mv /srv/dir/sub/file /srv/made/moved && cat /srv/made/moved
mv /srv/dir /srv/renamed && ls /srv/renamed && ls -d /srv/dir 2>/dev/null || echo moved
rm -r /srv/renamed && mkdir /srv/dir && ls /srv/dir
chmod 600 /srv/plain && stat -c %a:%u:%g:%Y /srv/plain
echo finished; exec sleep infinity
"""


def test_pod_sees_the_tree(host, pods, images, backend):
    """Content, holes, links, owners, times, attributes, set-uid and capable programs; removing, renaming and writing."""
    image = images.make("example.com/tree", root=tree_root)
    key = fetch(host, image, backend)
    assert tree_form(key) == FORMS[backend]
    name = pods.shell("tree", image, "; ".join(SCRIPT.splitlines()), pod="PrivateUsers=no\n")  # seen from outside as it is
    pods.start(name)
    said = host.wait_for("the script", lambda: (j := host.journal("-M", name, "-t", "main")).find("finished") >= 0 and j)
    expected = subprocess.run(["md5sum"], input=bytes(3000000) + b"end", capture_output=True, check=True).stdout[:32]
    assert said.split() == ["20000", expected.decode(), "deep", "same", "removed", "new", "deep", "more", "deep", "more",
                            "sub", "moved", "600:123:456:1234567890", "finished"]
    leader, root = pod_root(host, name)
    assert os.getxattr(root / "srv/plain", "user.comment") == b"kept"
    assert os.getxattr(root / "usr/bin/who-cap", "security.capability") == CAPABILITY
    enter = ["nsenter", f"--target={leader}", "--mount", "--root", "chroot", "--userspec=1000:1000", "/opt/stage2/main/rootfs"]
    assert host.run(*enter, "/usr/bin/who-suid").out.split()[0] == "0"
    assert host.run(*enter, "/usr/bin/who-cap").out.split() == ["1000", "400"]
    assert bool(loops()) == (backend == "index-loop")
    pods.stop(name)
    host.wait_for("loop devices to go", lambda: not loops())
    pods.start(name)
    host.wait_for("a fresh root", lambda: host.journal("-M", name, "-t", "main").count("finished") == 1)


@pytest.mark.parametrize("tree", ["index", "dir"])
def test_pod_without_overlay(host, pods, images, no_images, tree):  # pylint: disable=unused-argument
    """EXP-01: Overlay=no: the root is a copy, the same as far as a pod can see; the image's tree stays as it is."""
    image = images.make("example.com/tree", root=tree_root)
    fetch(host, image, tree)
    name = pods.shell("copy", image, "; ".join(SCRIPT.splitlines()), pod="Overlay=no\nPrivateUsers=no\n")
    for starts in (1, 2):
        pods.start(name)
        host.wait_for("the script", lambda: host.journal("-M", name, "-t", "main").count("finished") == 1)
        said = host.journal("-M", name, "-t", "main").split()
        assert said[-1] == "finished" and said[2:6] == ["deep", "same", "removed", "new"], starts
        leader, root = pod_root(host, name)
        mounts = [li.split() for li in pathlib.Path("/proc", leader, "mountinfo").read_text().splitlines()]
        assert not [m for m in mounts if m[4].startswith("/opt/stage2/main/rootfs") and "overlay" in m]
        assert os.getxattr(root / "usr/bin/who-cap", "security.capability") == CAPABILITY
        pods.stop(name)
    host.rkt("run", "--no-overlay", "--net=none", "--insecure-options=image", image, "--exec=/bin/true")


def test_kill_leaves_no_loop_device(host, pods, images):
    """3.8: a pod whose processes are killed takes its mounts and loop devices along."""
    host.run("systemctl", "set-environment", "RKT_TREE_BACKEND=index-loop")
    try:
        fetch(host, images.busybox, "index-loop")
        name = pods.shell("loop", images.busybox, "exec sleep infinity")
        pods.start(name)
        assert len(loops()) == 2
        host.run("systemctl", "kill", "--signal=KILL", f"pod@{name}")
        pods.ended(name)
        host.wait_for("loop devices to go", lambda: not loops())
    finally:
        host.run("systemctl", "unset-environment", "RKT_TREE_BACKEND")


def test_default_is_what_the_kernel_can(host, images, no_images):  # pylint: disable=unused-argument
    """Without a word the tree is an index, which takes nearly no space; an unknown word is refused."""
    key = fetch(host, images.busybox, "")
    assert tree_form(key) == "index"
    assert (pathlib.Path(DATA, "cas/tree", key) / "index.erofs").stat().st_size < 64 * 1024
    refused = host.rkt("fetch", "--insecure-options=image", images.busybox, check=False, env={"RKT_TREE_BACKEND": "zip"})
    assert refused.rc != 0 and "index-loop" in refused.err


@pytest.mark.parametrize("damage", ["removed", "zeros", "cut", "empty folder"])
def test_damaged_tree_is_made_anew(host, pods, images, no_images, damage):  # pylint: disable=unused-argument
    """S1: a tree is only what the blob says, so one that cannot be mounted is no reason to fail."""
    key = fetch(host, images.busybox, "index")
    index = pathlib.Path(DATA, "cas/tree", key, "index.erofs")
    size = index.stat().st_size
    if damage == "removed":
        shutil.rmtree(index.parent)
    elif damage == "empty folder":
        index.unlink()
    else:
        os.truncate(index, 0 if damage == "zeros" else 1000)
        os.truncate(index, size if damage == "zeros" else 1000)
    name = pods.shell("anew", images.busybox, "echo it runs; exec sleep infinity")
    pods.start(name)
    host.wait_for("the app", lambda: "it runs" in host.journal("-M", name, "-t", "main"))
    assert index.stat().st_size == size


def test_tree_of_another_kernel(host, pods, images, no_images):  # pylint: disable=unused-argument
    """An image's tree that was made for another backend is used as long as this kernel can mount it."""
    key = fetch(host, images.busybox, "image")
    name = pods.shell("other", images.busybox, "exec sleep infinity")
    pods.start(name)
    assert tree_form(key) == "image"
    leader, _root = pod_root(host, name)
    ours = host.show(f"pod@{name}", "MainPID")
    assert "image.erofs" in pathlib.Path("/proc", ours, "mountinfo").read_text()
    assert "erofs" not in pathlib.Path("/proc", leader, "mountinfo").read_text().replace("lowerdir", "")
    assert f"{DATA}/cas" not in pathlib.Path("/proc/self/mountinfo").read_text()


def test_image_of_a_running_pod(host, pods, images, backend):
    """IRM: its image is removed only from the list; the pod goes on to read from it."""
    key = fetch(host, images.busybox, backend)
    name = pods.shell("used", images.busybox, "exec sleep infinity")
    pods.start(name)
    host.rkt("image", "rm", key, check=False)
    host.sh("sync; echo 3 >/proc/sys/vm/drop_caches || true")
    assert pods.shell_in(f"main@{name}", "/bin/busybox", "echo", "still here").strip().endswith("still here")
