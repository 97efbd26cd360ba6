# SPDX-License-Identifier: LGPL-2.1-or-later
"""PrivateUsers=: users of the pod's own, by mounts that are mapped. Nothing on disk changes its owner."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

from images import aci

OUT = "exec > /v/out.new 2>&1; {}; mv /v/out.new /v/out; exec sleep infinity"


def users_root(path):
    """Busybox, with files of several users."""
    aci.busybox_root(path)
    os.mkdir(f"{path}/home/five", 0o700)
    pathlib.Path(path, "home/five/file").write_text("five\n")
    os.chown(f"{path}/home/five", 5, 6)
    os.chown(f"{path}/home/five/file", 5, 6)
    pathlib.Path(path, "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nfive:x:5:6::/home/five:/bin/sh\n")
    pathlib.Path(path, "etc/group").write_text("root:x:0:\nsix:x:6:\n")
    return path


@pytest.fixture
def image(images):
    """An image with files of users 0 and 5."""
    return images.make("example.com/users", root=users_root, app={"exec": ["/bin/sh"]})


def first_user(host, name):
    """The host's number of the pod's root."""
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    start, outside, length = pathlib.Path(f"/proc/{leader}/uid_map").read_text().split()
    assert start == "0" and length == "65536"
    return int(outside)


def make(pods, name, image, script, volume, pod="PrivateUsers=pick\n", app="", rest=""):
    """A pod with a volume of the host at /v."""
    return pods.shell(name, image, OUT.format(script), app=f"Volume=v:/v\n{app}", pod=pod,
                      rest=f"[Volume v]\nSource={volume}\n{rest}")


@pytest.fixture
def volume(tmp_path):
    """A directory of the host that everybody may write to."""
    os.chmod(tmp_path, 0o777)
    (tmp_path / "host").write_text("host\n")
    os.chown(tmp_path / "host", 5, 6)
    return tmp_path


LOOK = ("stat -c '%n %u:%g' /home/five/file /v/host /tmp /etc/hosts /e/five /bin; id -u; cat /home/five/file; echo new > /v/new; "
        "chown 7:8 /v/new; echo changed > /home/five/file; stat -c '%u:%g' /home/five/file; echo x > /e/x; mkdir /e/d; rm -r /home/five && "
        "echo removed; stat -c %u:%g /v/new; mknod /tmp/n c 1 3 || echo no node")


@pytest.mark.parametrize("overlay", ["yes", "no"])
def test_owners(host, pods, image, volume, overlay):
    """UNS-01 UNS-02: owners of the image and of volumes are seen in the pod as they are on disk, and made so; the pod's root is
    somebody else's on the host; the root directory is drwxr-xr-x, the pod's as well."""
    name = make(pods, "owners", image, LOOK + "; stat -c %A /", volume, pod=f"PrivateUsers=yes\nOverlay={overlay}\n",
                app="Volume=e:/e\n", rest="[Volume e]\nMode=0711\nUID=5\nGID=6\n")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    assert (volume / "out").read_text().split("\n") == [
        "/home/five/file 5:6", "/v/host 5:6", "/tmp 0:0", "/etc/hosts 0:0", "stat: can't stat '/e/five': No such file or directory",
        "/bin 0:0", "0", "five", "5:6", "removed", "7:8", "mknod: /tmp/n: Operation not permitted", "no node", "drwxr-xr-x", ""]
    assert (os.stat(volume / "new").st_uid, os.stat(volume / "new").st_gid) == (7, 8)
    assert (os.stat(volume / "host").st_uid, os.stat(volume / "out").st_uid) == (5, 0)
    start = first_user(host, name)
    pid = host.run("pgrep", "-u", str(start), "-x", "sleep").out.split()[0]
    assert os.stat(f"/proc/{pid}").st_uid == start and 524288 <= start < 1878982656
    assert host.run("systemctl", "-M", name, "is-active", "main.service").out == "active\n"
    uuid = pods.uuid(name)
    assert os.stat(f"/proc/{host.run('machinectl', 'show', name, '-p', 'Leader', '--value').out.strip()}/root/").st_mode & 0o7777 == 0o755
    for top, _, files in os.walk(f"/var/lib/rkt/pods/run/{uuid}"):
        assert all(os.lstat(os.path.join(top, f)).st_uid < 65536 for f in files)
        assert os.stat(top).st_uid < 65536


def test_two_pods_and_kill(host, pods, image, volume):
    """Ranges differ between pods; a killed pod takes no range with it, and starts again."""
    one = make(pods, "one", image, "true", volume)
    two = make(pods, "two", image, "true", volume)
    pods.start(one)
    pods.start(two)
    first, second = first_user(host, one), first_user(host, two)
    assert abs(first - second) >= 65536
    locks = pathlib.Path("/run/systemd/nspawn-uid")
    inode = os.stat(locks / str(first)).st_ino
    assert f":{inode} " in host.run("cat", "/proc/locks").out
    with open(locks / str(first), "r+b") as f, pytest.raises(BlockingIOError):  # as nspawn tries
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(int(host.show(f"pod@{one}", "MainPID")), signal.SIGKILL)
    pods.ended(one)
    assert f":{inode} " not in host.run("cat", "/proc/locks").out
    pods.start(one)
    assert first_user(host, one) == first  # the name decides, as long as it is free
    host.run("systemctl", "restart", f"pod@{two}")
    assert first_user(host, two) == second


def test_everything_of_a_pod(host, pods, image, volume):
    """machinectl shell, systemctl -M, hooks, the journal on both sides, exit statuses and restart work as without it."""
    name = make(pods, "all", image, "echo said", volume,
                app="User=five\nExecStartPre=/bin/sh -c \"id -u > /v/pre\"\nRestart=on-failure\n")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    assert (volume / "pre").read_text() == "5\n"
    assert os.stat(volume / "pre").st_uid == 5
    assert pods.shell_in(f"main@{name}", "/bin/sh", "-c", "id -u; stat -c %u /home/five; cat /proc/self/uid_map").split()[:2] == ["5", "5"]
    assert "main.service" in host.run("systemctl", "-M", name, "list-units", "--no-pager").out
    host.run("systemctl", "-M", name, "kill", "--kill-whom=main", "--signal=SIGKILL", "main")
    host.wait_for("main is restarted", lambda: host.show("main", "NRestarts", machine=name) == "1")
    uuid = pods.uuid(name)
    pods.stop(name)
    host.rkt("rm", uuid)
    assert not os.path.exists(f"/var/log/journal/{uuid.replace('-', '')}")


def test_status_and_journal(host, pods, image):
    """An app's output is in the pod's journal and the host's; its exit status is kept."""
    name = pods.shell("said", image, "echo said-by-app; exit 7", pod="PrivateUsers=pick\n")
    pods.start(name, check=False)
    pods.ended(name)
    uuid = pods.ours()[-1]["name"]
    assert pods.apps(uuid) == {"main": 7}
    assert "said-by-app" in host.journal("-u", f"pod@{name}")
    assert "said-by-app" in host.run("journalctl", "-D", f"/var/log/journal/{uuid.replace('-', '')}", "-o", "cat", "--no-pager").out


def test_volumes_are_filled(host, pods, image, volume):
    """DVOL: what the image has gets into empty and kept volumes with the image's owners."""
    name = make(pods, "fill", image, "stat -c %u:%g /home/five/file /k/five/file", volume,
                app="Volume=e:/home\nVolume=k:/k\n",
                rest="[Volume e]\nCopyUp=yes\n[Volume k]\nPersistent=yes\nCopyUp=yes\n")
    pods.write("fill", "[App main]\nVolume=k:/home/five\n", suffix=".d/10.conf")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    kept = pathlib.Path(f"/var/lib/rkt/volumes/{name}/k/file")
    assert "5:6" in (volume / "out").read_text()
    assert (os.stat(kept).st_uid, os.stat(kept).st_gid) == (5, 6)


def test_what_cannot_be_mapped(host, pods, image, volume, tmp_path_factory):
    """A volume whose file system the kernel cannot map is refused by name, with the way out; noidmap is it. A user above the
    range is refused."""
    top = tmp_path_factory.mktemp("overlay")
    for d in ("a", "b", "merged"):
        (top / d).mkdir(parents=True)
    (top / "a" / "host").touch()
    host.run("mount", "-t", "overlay", "-o", f"lowerdir={top}/a:{top}/b", "overlay", top / "merged")
    try:
        name = make(pods, "no", image, "true", volume, app=f"Volume={top}/merged:/s\n")
        assert pods.start(name, check=False).rc != 0
        assert re.search(r"volume 'main-s'.* overlay.*noidmap", host.status(f"pod@{name}"))
        make(pods, "no", image, "stat -c %u /s/host", volume, app=f"Volume={top}/merged:/s:noidmap\n")
        pods.start(name)
        host.wait_for("the script is done", (volume / "out").exists)
        assert (volume / "out").read_text() == "65534\n"
    finally:
        pods.stop(name)
        host.run("umount", top / "merged")
    name = make(pods, "above", image, "true", volume, app="User=70000\n")
    assert pods.start(name, check=False).rc != 0
    assert "user 70000 is none of the pod's own users, which are 0 to 65535" in host.status(f"pod@{name}")


def test_identity_and_range(host, pods, image, volume):
    """identity: a user namespace with the host's numbers. START:LENGTH: two pods may share it, nobody picks it."""
    name = make(pods, "same", image, "cat /proc/self/uid_map", volume, pod="PrivateUsers=identity\n")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    assert (volume / "out").read_text().split() == ["0", "0", "65536"]
    for n in ("fix-a", "fix-b"):
        (volume / "out").unlink()
        name = make(pods, n, image, "cat /proc/self/uid_map", volume, pod="PrivateUsers=786432:131072\n", app="User=100000\n")
        pods.start(name)
        host.wait_for("the script is done", (volume / "out").exists)
        assert (volume / "out").read_text().split() == ["0", "786432", "131072"]
        assert os.stat(volume / "out").st_uid == 100000


def test_device(host, pods, image, volume):
    """Device=: permissions and owner of the host's node, in the pod's numbers; it works. A missing one is named, an optional one not."""
    name = make(pods, "dev", image, "stat -c '%A %u:%g' /dev/fuse0 /dev/shm; head -c 3 /dev/zz | wc -c; ls /dev/none; df -k /t | tail -1", volume,
                app="Device=/dev/fuse:/dev/fuse0 /dev/zero:/dev/zz:r -/dev/none\nTemporaryFileSystem=/t:size=1M,uid=5\nShmSize=2M\n")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    st = os.stat("/dev/fuse")
    out = (volume / "out").read_text()
    assert out.startswith(f"crw-rw-rw- {st.st_uid}:{st.st_gid}\ndrwxrwxrwt 0:0\n3\n") and "1024" in out and "/dev/none: No such" in out
    name = make(pods, "dev", image, "true", volume, app="Device=/dev/none\n")
    pods.stop(name)
    assert pods.start(name, check=False).rc != 0
    assert "device '/dev/none': No such file or directory" in host.status(f"pod@{name}")


def test_flag(host, images, tmp_path):
    """UNS-01: rkt run --private-users --no-overlay."""
    done = host.rkt("--insecure-options=image", "run", "--private-users", "--no-overlay", images.busybox, "--exec=/bin/sh", "--", "-c",
                    "stat -c %A / ; cat /proc/self/uid_map", cwd=tmp_path)
    mode, first, outside, length = done.out.split()[-4:]
    assert (mode, first, length) == ("drwxr-xr-x", "0", "65536") and int(outside) >= 524288
    host.rkt("gc", "--grace-period=0s")


def users_of(host, pods, name):
    """The map of the pod's users, and what rkt status says of them."""
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    said = [li[14:] for li in host.rkt("status", pods.uuid(name)).out.splitlines() if li.startswith("private-users=")]
    return pathlib.Path(f"/proc/{leader}/uid_map").read_text().split(), said


HOSTS = ["0", "0", "4294967295"]
FALLBACKS = {  # pod, app, what is said
    "network": ("Network=\nNetwork=host\n", "", "its network is the host's"),
    "setting": ("", "Nice=-1\nIPAddressDeny=any\n", "app 'main' has Nice=-1"),
    "capability": ("", "CapabilityBoundingSet=CAP_SYS_NICE\n", "app 'main' has CAP_SYS_NICE"),
    "user": ("", "User=70000\nGroup=5\n", "app 'main' runs as user 70000, group 5"),
    "group": ("", "User=5\nSupplementaryGroups=6 70000\n", "app 'main' is in group 70000"),
    "socket": ("", "Volume=/run/systemd/journal/socket:/s\n", "volume 'main-s' is a socket of the host"),
}


def test_auto(host, pods, image, volume):
    """PrivateUsers=auto: users of the pod's own. What needs the host's root gets it, and nothing fails: said once in the journal, and
    by rkt status."""
    auto = "PrivateUsers=auto\nLog=journal\n"
    began = time.time()
    name = make(pods, "auto", image, "true", volume, pod=auto)
    pods.start(name)
    (inside, outside, length), said = users_of(host, pods, name)
    assert inside == "0" and int(outside) >= 524288 and said == [f"{outside}:{length}"] and length == "65536"
    assert "none of its own" not in host.journal("-u", f"pod@{name}", since=began)
    for key, (pod, app, why) in FALLBACKS.items():
        name = pods.shell(f"auto-{key}", image, "exec sleep infinity", pod=auto + pod, app=app)
        pods.start(name)
        assert users_of(host, pods, name) == (HOSTS, [f"no ({why})"]), key
        lines = [li for li in host.journal("-u", f"pod@{name}", since=began).splitlines() if "none of its own" in li]
        assert len(lines) == 1 and f"none of its own: {why} (" in lines[0], lines
        pods.stop(name)


def high_root(path):
    """Users above those of any pod's own: by name, and as the owner of a file."""
    users_root(path)
    with open(f"{path}/etc/passwd", "a", encoding="utf-8") as f:
        f.write("high:x:70000:6::/:/bin/sh\n")
    pathlib.Path(path, "owned").touch()
    os.chown(f"{path}/owned", 5, 70000)
    return path


OF_IMAGES = {  # what an image says of its app; what is refused
    "number": ({"user": "70000", "group": "5"}, "user 70000 is none of the pod's own users, which are 0 to 65535", "User"),
    "group": ({"user": "5", "group": "70000"}, "group 70000 is none of the pod's own groups, which are 0 to 65535", "Group"),
    "groups": ({"user": "5", "group": "5", "supplementaryGIDs": [6, 70000]}, "group 70000 is none of", None),
    "name": ({"user": "high", "group": "5"}, "user 70000 is none of", "User"),
    "owner": ({"user": "5", "group": "/owned"}, "the group of /owned is none of the pod's own groups", "Group"),
}


def test_images_do_not_widen(host, pods, images):
    """Robustness: an image cannot have the host's users for its pod by wanting one whom no pod has; its administrator can. Who is
    refused is told what to write."""
    private = "PrivateUsers=auto\nLog=journal\n"
    for key, (app, why, setting) in OF_IMAGES.items():
        image = images.make(f"example.com/high-{key}", root=high_root, app={"exec": ["/bin/sh"], **app})
        name = pods.shell(f"high-{key}", image, "exec sleep infinity", pod=private)
        assert pods.start(name, check=False).rc != 0
        said = host.status(f"pod@{name}")
        assert f"app 'main': {why}" in said and "give the pod the host's with PrivateUsers=no" in said
        assert setting is None or f"give the app another one with {setting}=, or" in said
        assert "none of its own" not in said
    image = images.make("example.com/high-number", root=high_root, app={"exec": ["/bin/sh"], **OF_IMAGES["number"][0]})
    for pod, app, user in ((private, "User=5\n", "5"), ("PrivateUsers=no\n", "", "70000"), (f"{private}Network=\nNetwork=host\n", "", "70000")):
        name = pods.shell("high-number", image, "exec sleep infinity", pod=pod, app=app)
        pods.start(name)
        users, _ = users_of(host, pods, name)
        assert (users == HOSTS) is (user == "70000") and host.show("main", "UID", machine=name) == user
        pods.stop(name)


def test_auto_and_volumes(host, pods, image, volume, tmp_path_factory):
    """What the kernel cannot map, and owners that the pod would not have, are found when the pod starts; noidmap says that it does not
    matter; what is missing is somebody else's error."""
    top = tmp_path_factory.mktemp("overlay")
    for d in ("a", "b", "merged"):
        (top / d).mkdir(parents=True)
    (volume / "foreign").mkdir()
    os.chown(volume / "foreign", 70000, 5)
    host.run("mount", "-t", "overlay", "-o", f"lowerdir={top}/a:{top}/b", "overlay", top / "merged")
    try:
        for source, why in ((f"{top}/merged", "volume 'main-s': this kernel cannot give private users the files of overlay, or of what is "
                             "mounted beneath"), (volume / "foreign", "volume 'main-s' belongs to user 70000, group 5"),
                            (f"{top}/merged:/s:noidmap", None)):
            spec = source if why is None else f"{source}:/s"
            name = pods.shell("auto-volume", image, "exec sleep infinity", pod="PrivateUsers=auto\nLog=journal\n", app=f"Volume={spec}\n")
            pods.start(name)
            users, said = users_of(host, pods, name)
            assert (users == HOSTS, said == [f"no ({why})"]) == (why is not None, why is not None), said
            pods.stop(name)
    finally:
        host.run("umount", top / "merged")
    name = pods.shell("auto-volume", image, "true", pod="PrivateUsers=auto\nLog=journal\n", app=f"Volume={top}/none:/s\n")
    assert pods.start(name, check=False).rc != 0
    assert f"Failed to stat {top}/none" in host.status(f"pod@{name}")


def test_default(host, pods, image):
    """Who says nothing has users of the pod's own; before systemd 254 not with messages in the host's journal, which would keep a file for each user, and this is
    said by rkt status alone. PrivateUsers=no: the host's."""
    began = time.time()
    old = int(host.run("systemctl", "--version").out.split()[1]) < 254
    for key, pod, private in (("both", "", not old), ("inside", "Log=journal\n", True), ("no", "PrivateUsers=no\n", False)):
        name = pods.shell(f"default-{key}", image, "echo said; exec sleep infinity", pod=pod)
        pods.start(name)
        users, said = users_of(host, pods, name)
        assert (users != HOSTS) is private, users
        assert said == ([] if key == "no" else [f"{users[1]}:65536"] if private else
                        ["no (journald before systemd 254 would keep a file for each of its users: see Log=journal)"])
        assert "none of its own" not in host.journal("-u", f"pod@{name}", since=began)
        outside = int(users[1])
        pods.stop(name)
        machine = pathlib.Path("/etc/machine-id").read_text().strip()
        assert not private or not os.path.exists(f"/var/log/journal/{machine}/user-{outside}.journal")


def test_impossible(host, pods, image):
    """Who asks for private users is told by rkt pod check, with the line, what the kernel would not do; what a profile says is
    refused when the pod starts."""
    name = pods.shell("cannot", image, "true", pod="PrivateUsers=pick\n", app="IPAddressDeny=any\nNice=-1\n")
    done = host.rkt("pod", "check", f"/etc/rkt/pods/{name}.pod", check=1)
    assert "[App main] IPAddressDeny: the kernel does not let a pod with PrivateUsers=pick set it" in done.out
    assert "Nice" not in done.out
    profile = pathlib.Path("/etc/rkt/profile/t-cannot")
    profile.mkdir(parents=True)
    try:
        (profile / "a.conf").write_text("[App]\nIPAddressDeny=any\n")
        said = "app 'main' has IPAddressDeny=any: the kernel does not let a pod with private users set it"
        words = ["--insecure-options=image", "run", "--profile=t-cannot", image, "--name=main", "--exec=/bin/true"]
        assert said in host.rkt(*words, "--private-users", check=254).err
        assert said not in host.rkt(*words, "--private-users=auto").err
        name = pods.shell("cannot", image, "true", pod="PrivateUsers=pick\nProfile=t-cannot\n")
        assert pods.start(name, check=False).rc != 0 and said in host.status(f"pod@{name}")
    finally:
        shutil.rmtree(profile)


def test_sysctl(host, pods, image, volume):
    """Sysctl= is set, although the network of a pod with private users is the host's to change; what does not exist is named."""
    name = make(pods, "sysctl", image, "cat /proc/sys/net/core/somaxconn", volume, pod="PrivateUsers=pick\nNetwork=\nNetwork=default\n",
                app="Sysctl=net.core.somaxconn=77\n")
    pods.start(name)
    host.wait_for("the script is done", (volume / "out").exists)
    assert (volume / "out").read_text() == "77\n"
    pods.stop(name)
    name = make(pods, "sysctl", image, "true", volume, pod="PrivateUsers=pick\nNetwork=\nNetwork=default\n", app="Sysctl=net.core.nonesuch=77\n")
    assert pods.start(name, check=False).rc != 0
    assert "cannot set net.core.nonesuch to '77': No such file or directory" in host.status(f"pod@{name}")
