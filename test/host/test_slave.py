# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes with the option slave (issue 5, "propagation"): what is mounted on the host beneath their source while the pod runs is in the
apps, and goes from there again; the other way nothing goes."""
import os
import pathlib
import shutil

import pytest

# every look is a file, so that the host knows when the app has seen it
WATCH = ("cd /data; for n in 1 2; do while ! [ -e later/file ]; do /bin/sleep 0.05; done; "
         "{ echo x > /ro/later/by-app; echo x > /ro/by-app; } 2>/dev/null; /bin/cat later/file > seen-$n; "
         "/bin/cat /ro/later/file >> seen-$n; "
         "while [ -e later/file ]; do /bin/sleep 0.05; done; echo > gone-$n; done; exec /bin/sleep 1000")


@pytest.fixture
def source(host, tmp_path):
    """A directory of the host in a mount that is shared, with a file system mounted beneath; /tmp may be private."""
    tmp_path.chmod(0o755)
    host.run("mount", "-t", "tmpfs", "source", tmp_path)
    host.run("mount", "--make-shared", tmp_path)
    top = tmp_path / "top"
    for name in ("early", "later", "own", "work"):
        (top / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", top / "sh")
    host.run("mount", "-t", "tmpfs", "early", top / "early")
    yield top
    host.run("umount", "--recursive", tmp_path)


def mounts(pid):
    """Mount points of a process, with their options: {path: set}; the topmost of each."""
    lines = pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
    return {li.split()[4]: set(li.split()[5].split(",")) for li in lines}


def app_pid(host, name):
    """The main process of the app of a pod, as the host numbers it."""
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    inner = host.show("main.service", "MainPID", machine=name)
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            ids = [li.split() for li in status.read_text().splitlines() if li.startswith("NSpid:")][0]
            if ids[-1] == inner and os.readlink(status.parent / "ns/pid") == os.readlink(f"/proc/{leader}/ns/pid"):
                return leader, status.parent.name
        except OSError:
            continue
    raise AssertionError(f"no process {inner} in {name}")


def test_slave(host, pods, images, source):
    """A file system that the host mounts later appears in the running app, also beneath a second app's read-only view, and disappears
    when the host unmounts it; programs and volumes in such a volume work; nothing that the pod mounts is on the host."""
    before = set(mounts("self"))
    name = pods.shell("slave", images.busybox, None, pod="PrivateUsers=no\n", app=(
        f'Exec=/data/sh -c "{WATCH}"\nWorkingDirectory=/data/work\nReadOnly=yes\n'
        f"Volume=data:/data {source}:/ro:ro,rslave {source}/own:/data/own {source}:/dev/data:slave {source}:/run/data:slave\n"),
        rest=f"[Volume data]\nSource={source}\nOptions=slave\n")
    pods.start(name)
    leader, app = app_pid(host, name)
    seen = mounts(app)
    assert {"/data", "/data/early", "/data/own", "/ro", "/ro/early", "/dev/data/early", "/run/data/early"} <= set(seen), seen
    assert all({"nosuid", "nodev"} <= seen[p] for p in ("/data", "/data/early", "/ro/early", "/dev/data"))
    assert "ro" in seen["/ro"] and "ro" in seen["/ro/early"] and "rw" in seen["/data"] and "rw" in seen["/data/early"]
    for n in (1, 2):
        host.run("mount", "-t", "tmpfs", "-o", "nodev", "later", source / "later")
        (source / "later/file").write_text(f"later {n}\n")
        host.wait_for("the app sees it", (source / f"seen-{n}").exists)
        late = mounts(app)  # as the host has it: only what was there at the start is read-only
        assert "nodev" in late["/data/later"] and {"/dev/data/later", "/run/data/later"} <= set(late) and "rw" in late["/ro/later"]
        assert (source / "later/by-app").exists() and not (source / "by-app").exists()
        assert "later" in pods.shell_in(f"main@{name}", "/bin/cat", "/data/later/file")
        # busy for a moment, if the app looks just now
        host.wait_for("it is unmounted", lambda: host.run("umount", source / "later", check=False).rc == 0)
        assert not {"/data/later", "/ro/later", "/dev/data/later", "/run/data/later"} & set(mounts(app))
        host.wait_for("the app misses it", (source / f"gone-{n}").exists)
        assert (source / f"seen-{n}").read_text() == f"later {n}\n" * 2
    host.run("umount", source / "early")
    assert "/data/early" not in mounts(app)
    for pid, place in ((leader, "/rkt/volumes/main-0/work"), (app, "/data/work")):
        mount_inside(host, pid, place)
        assert place in mounts(pid)
        assert str(source / "work") not in mounts("self")
    host.run("mount", "-t", "tmpfs", "early", source / "early")
    pods.stop(name)
    left = set(mounts("self")) - before
    assert not [m for m in left if str(source) in m or "/var/lib/rkt" in m], left


def mount_inside(host, pid, place):
    """Mount a file system as somebody in the pod who may."""
    host.run("python3", "-c", "import ctypes, os, sys\n"
             "libc = ctypes.CDLL(None, use_errno=True)\n"
             "fd = os.open(f'/proc/{sys.argv[1]}/ns/mnt', os.O_RDONLY)\n"
             "assert libc.setns(fd, 0) == 0, ctypes.get_errno()\n"
             "assert libc.mount(b'inside', sys.argv[2].encode(), b'tmpfs', 0, None) == 0, ctypes.get_errno()\n", pid, place)


def test_slave_and_private_users(host, pods, images, source):
    """What is mounted later cannot have the users of a pod: pick is refused with the line, auto steps back, noidmap says that it does not
    matter, and identity is none."""
    text = f"Volume={source}:/data:slave\n"
    script = "while ! [ -e /data/later/file ]; do sleep 0.05; done; stat -c %u /data/later/file; exec sleep 1000"
    name = pods.shell("slave-users", images.busybox, script, pod="PrivateUsers=pick\n", app=text)
    done = host.rkt("pod", "check", f"/etc/rkt/pods/{name}.pod", check=1)
    assert f"'{source}' cannot be a slave with PrivateUsers=pick" in done.out and f"{name}.pod:" in done.out
    for pod, options, owner, said in (("PrivateUsers=auto\nLog=journal\n", "slave", 5, "no (volume 'main-data' is a slave of the host's mounts)"),
                                      ("PrivateUsers=pick\n", "slave,noidmap", 65534, None), ("PrivateUsers=identity\n", "slave", 5, None)):
        pods.shell(name[2:], images.busybox, script, pod=pod, app=f"Volume={source}:/data:{options}\n")
        pods.start(name)
        host.run("mount", "-t", "tmpfs", "later", source / "later")
        (source / "later/file").touch()
        os.chown(source / "later/file", 5, 5)
        host.wait_for("the app has seen it", lambda: f"{owner}" in host.rkt("logs", name).out)
        assert said is None or said in host.rkt("status", pods.uuid(name)).out
        host.wait_for("it is unmounted", lambda: host.run("umount", source / "later", check=False).rc == 0)
        pods.stop(name)
    host.rkt("gc", "--grace-period=0s")


def test_slave_of_nothing(host, pods, images, source):
    """Where nothing can come from it is said: a mount that is private, a file, a volume that is not the host's."""
    host.run("mount", "--make-private", source / "early")
    (source / "file").touch()
    for where, what in ((source / "early", "is private on the host"), (source / "file", "is not a directory")):
        name = pods.shell("slave-not", images.busybox, "true", pod="PrivateUsers=no\n", app=f"Volume={where}:/data:slave\n")
        assert pods.start(name, check=False).rc != 0
        said = host.status(f"pod@{name}")
        assert "volume 'main-data'" in said and what in said, said
    pods.shell("slave-not", images.busybox, "true", app="Volume=:/data:slave\n")
    assert "an empty volume cannot be a slave" in host.rkt("pod", "check", f"/etc/rkt/pods/{name}.pod", check=1).out
