# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes and where they are mounted: rkt_volume_mount_test.go, rkt_volume_test.go, rkt_mount_test.go and their like. Many cases
share one pod: what differs is a path in it."""
import json
import os
import pathlib
import shutil
import stat
import tempfile

import pytest

from images import aci

RKT = ["--insecure-options=image"]
RUN = [*RKT, "run", "--net=none"]


def places_root(path):
    """Two directories with files, and links of all kinds between them."""
    aci.busybox_root(path)
    for name in ("dir1", "dir2"):
        os.mkdir(f"{path}/{name}")
        pathlib.Path(path, name, "file").write_text(f"<<<{name}>>>\n")
        os.chown(f"{path}/{name}/file", 3, 4)
    for name, target in (("link_abs_dir2", "/dir2"), ("link_rel_dir2", "../dir2"), ("link_abs_dotdot_dir2", "/../../../dir2"),
                         ("link_abs_notexists", "/notexists"), ("link_abs_root", "/")):
        os.symlink(target, f"{path}/dir1/{name}")
    return path


@pytest.fixture
def links(images):
    """An image with links."""
    return images.make("example.com/links", root=places_root, app={"exec": ["/bin/sh"]})


@pytest.fixture
def run(host, pods, links):  # pylint: disable=unused-argument
    """rkt run of a script with the image with links; flags before and after the image."""

    def call(script, *after, before=(), image=links, check=True):
        return host.rkt(*RUN, *before, image, "--exec=/bin/sh", *after, "--", "-c", script, check=check)

    return call


TARGETS = [  # MNT-01 to MNT-11: what is said, and where it is
    ("/dir1/link_abs_dir2/{}", "/dir2/{}"), ("/dir1/link_rel_dir2/{}", "/dir2/{}"), ("/dir1/../dir1/.//link_rel_dir2/{}", "/dir2/{}"),
    ("/dir1/../../../{}", "/{}"), ("/dir1/link_abs_dotdot_dir2/{}", "/dir2/{}"), ("/dir1/../../../newdir/{}", "/newdir/{}"),
    ("/dir1/link_rel_dir2/newdir/{}", "/dir2/newdir/{}"), ("/dir1/link_abs_dir2/newdir/{}", "/dir2/newdir/{}"),
    ("/dir1/link_abs_notexists/newdir1/newdir2/{}", "/notexists/newdir1/newdir2/{}"),
    ("/dir1/link_abs_root/newdir1/newdir2/{}", "/newdir1/newdir2/{}"), ("../../../../../../{}", "/{}"),
]


def test_targets_with_links(run, tmp_path):
    """MNT-01..11: a file of the host, at targets with links, dots and what is not there yet: always inside the root."""
    (tmp_path / "f").write_text("world\n")
    said = [said.format(f"foo{n}") for n, (said, _) in enumerate(TARGETS)]
    real = [real.format(f"foo{n}") for n, (_, real) in enumerate(TARGETS)]
    out = run(f"for f in {' '.join(real)}; do echo $f $(cat $f) $(grep -c \" $f \" /proc/self/mounts); done",
              *(f"--mount=volume=test,target={t}" for t in said), before=[f"--volume=test,kind=host,source={tmp_path}/f"]).out
    assert out.replace("\r", "").splitlines()[-len(real):] == [f"{f} world 1" for f in real]
    assert not any(pathlib.Path(p).exists() for p in ("/notexists", "/newdir", "/newdir1", "/dir1", "/dir2"))


@pytest.fixture
def nested(host, tmp_path):
    """A directory with a file that a file system mounted below hides."""
    top = tmp_path / "nested"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "file").write_text("outer\n")
    host.run("mount", "-t", "tmpfs", "tmpfs", top / "sub")
    (top / "sub" / "file").write_text("inner\n")
    yield top
    host.run("umount", top / "sub")


LOOK = "for d in a b c d e; do cat /$d/sub/file; (echo new-$d > /$d/sub/file-$d) 2>&1 | sed 's/.*: //'; done"


def test_recursive(host, pods, run, nested, images, tmp_path):
    """VM-01..08 VM-10: recursive or not, read-only or not, by flags and by a manifest; read-only holds for what is mounted below, too.
    Recursive is the default, and of two mounts at one place there is one."""
    volumes = {"a": (True, False), "b": (True, True), "c": (False, False), "d": (False, True), "e": (None, False)}
    word = {True: "true", False: "false"}
    flags = [f"--volume={n},kind=host,source={nested}" + (f",recursive={word[rec]}" if rec is not None else "") + f",readOnly={word[ro]}"
             for n, (rec, ro) in volumes.items()]
    mounts = [f"--mount=volume={n},target=/{n}" for n in volumes] + ["--mount=volume=e,target=/e/"]
    expected = ["inner", "inner", "Read-only file system", "outer", "outer", "Read-only file system", "inner"]
    assert run(LOOK, *mounts, before=flags).out.replace("\r", "").splitlines()[-7:] == expected
    host.rkt(*RKT, "fetch", images.busybox)
    doc = {"acVersion": "0.8.11", "acKind": "PodManifest",
           "volumes": [{"name": n, "kind": "host", "source": str(nested), "readOnly": ro, **({"recursive": rec} if rec is not None else {})}
                       for n, (rec, ro) in volumes.items()],
           "apps": [{"name": "main", "image": {"id": aci.image_id(images.busybox)}, "readOnlyRootFS": True,
                     "mounts": [{"volume": n, "path": f"/mnt/{n}"} for n in volumes],
                     "app": {"exec": ["/bin/sh", "-c", LOOK.replace("/$d", "/mnt/$d")], "user": "0", "group": "0"}}]}
    (tmp_path / "pod.json").write_text(json.dumps(doc))
    uuid = host.rkt("prepare", "--quiet", f"--pod-manifest={tmp_path}/pod.json").out.strip()
    out = host.rkt("run-prepared", "--net=none", uuid).out
    assert out.replace("\r", "").splitlines()[-7:] == expected
    assert sorted(p.name for p in (nested / "sub").iterdir()) == ["file", "file-a", "file-e"]
    assert "duplicate volume name" in host.rkt(*RUN, flags[0], flags[0], images.busybox, check=254).err  # VM-09


def test_volumes_of_the_image(host, images, tmp_path):
    """VOL-02 VOL-04 VOL-06 VOL-09 VOL-10 VOL-13 VOL-14 VOL-15: the image's own file; a mount point without a volume is an empty one, that can be written;
    a volume that two apps share, and the next pod finds it."""
    image = images.make("example.com/points", root=places_root, app={
        "exec": ["/bin/sh"], "mountPoints": [{"name": "dir1", "path": "/dir1/dir2/dir3"}, {"name": "none", "path": "/none"},
                                             {"name": "dir2", "path": "/dir2", "readOnly": True}]})
    volume = [f"--volume=dir1,kind=host,source={tmp_path}", f"--volume=dir2,kind=host,source={tmp_path}"]
    first = ("cat /dir1/file; echo changed > /dir1/file; cat /dir1/file; ls /none; echo x > /none/x && echo written; "
             "(echo y > /dir2/y) 2>&1; ls /dir2; "
             "echo shared > /dir1/dir2/dir3/new; touch /dir1/dir2/dir3/done")
    second = "while ! test -e /dir1/dir2/dir3/done; do sleep 0.1; done; cat /dir1/dir2/dir3/new"
    out = host.rkt(*RUN, *volume, image, "--name=one", "--exec=/bin/sh", "--", "-c", first, "---", image, "--name=two", "--exec=/bin/sh",
                   "--", "-c", second).out
    for text in ("<<<dir1>>>", "changed", "written", "shared", "Read-only file system"):
        assert text in out
    assert (tmp_path / "new").read_text() == "shared\n"
    assert "shared" in host.rkt(*RUN, *volume, image, "--exec=/bin/cat", "--", "/dir1/dir2/dir3/new").out


DOCKER = {"name": "appc.io/docker/repository", "value": "library/x"}
PLACES = ["/dir1", "/dir2", "/dir1/link_rel_dir2", "/dir1/link_abs_dir2"]


@pytest.mark.parametrize("place", [PLACES[0], PLACES[2]])
def test_docker_volumes(host, images, place, tmp_path):
    """DVOL-01..08: an implicit volume of an image of Docker's begins with what the image has there, also behind a link, by flags and by a
    manifest; a second time it is the volume's."""
    points = [{"name": "a", "path": place}] + ([{"name": "b", "path": p} for p in (PLACES[1], PLACES[3])][:1] if place == "/dir1" else
                                               [{"name": "b", "path": PLACES[3]}])
    image = images.make("example.com/docker", file="docker" + place.replace("/", "_"), root=places_root,
                        manifest=aci.manifest("example.com/docker", app={"exec": ["/bin/sh"], "mountPoints": points}, annotations=[DOCKER]))
    script = "; ".join(f"cat {p['path']}/file; stat -c %u:%g {p['path']}/file" for p in points) + \
        f"; echo new > {place}/x; grep -cE ' (/dir1|/dir2) ' /proc/self/mounts"
    out = host.rkt(*RUN, image, "--exec=/bin/sh", "--", "-c", script).out.replace("\r", "").split()
    expected = ["<<<dir1>>>", "3:4", "<<<dir2>>>", "3:4"] if place == "/dir1" else ["<<<dir2>>>", "3:4", "<<<dir2>>>", "3:4"]
    assert out[-5:-1] == expected and int(out[-1]) >= 1
    doc = {"acVersion": "0.8.11", "acKind": "PodManifest",
           "apps": [{"name": "main", "image": {"id": aci.image_id(image)}, "annotations": [DOCKER],
                     "app": {"exec": ["/bin/sh", "-c", script], "user": "0", "group": "0", "mountPoints": points}}]}
    (tmp_path / "pod.json").write_text(json.dumps(doc))
    assert host.rkt("run", "--net=none", f"--pod-manifest={tmp_path}/pod.json").out.replace("\r", "").split()[-5:] == out[-5:]


def test_sys(run, images, tmp_path):
    """VSYS-01..04: /sys as it is; also where an image has a mount point there; the host's; a device in /dev."""
    image = images.make("example.com/sys", app={"exec": ["/bin/sh"], "mountPoints": [{"name": "sys", "path": "/sys"}]})
    look = "stat -c %A /sys/class; ls /sys | wc -l"
    assert "drwxr-xr-x" in run(look, image=images.busybox).out
    done = run(look, image=image)
    assert "drwxr-xr-x" in done.out and "/sys is the kernel's" in done.err
    assert "drwxr-xr-x" in run(look, image=image, before=["--volume=sys,kind=host,source=/sys"]).out
    out = run("stat -c %A /dev/n; echo x > /dev/n && echo null", "--mount=volume=n,target=/dev/n", image=images.busybox, before=["--volume=n,kind=host,source=/dev/null"]).out
    assert out.split()[-2:] == ["crw-rw-rw-", "null"]


def test_mtab(run, links):
    """MTB-01: /etc/mtab is there where the image has none."""
    assert "../proc/self/mounts" in run("readlink /etc/mtab", image=links).out


@pytest.mark.parametrize("name", ["plain", "a:b", "a,b"])
def test_data_directory(host, pods, images, name, tmp_path):  # pylint: disable=unused-argument
    """OVM-01..03: overlayfs separates with ":" and ",", and so does nspawn; the data directory may have them."""
    if name == "plain":
        pytest.skip("every other test has it")
    top = tmp_path / name
    out = host.rkt(f"--dir={top}", *RUN, images.busybox, "--exec=/bin/sh", "--", "-c", "ls /bin/busybox; echo upper > /u; cat /u").out
    assert out.split()[-2:] == ["/bin/busybox", "upper"]
    host.rkt(f"--dir={top}", "gc", "--grace-period=0s")


def test_propagation(host, pods, images, tmp_path):
    """MNS-02: what the host mounts below a volume later is not in the pod; device nodes and setuid programs in volumes work only if that was
    asked for."""
    host.run("mount", "-t", "tmpfs", "tmpfs", tmp_path)  # /tmp may be nodev
    host.run("mount", "--make-rshared", tmp_path)
    for name in ("private", "slave"):
        (tmp_path / name / "later").mkdir(parents=True)
    try:
        name = pods.shell("prop", images.busybox, "exec sleep infinity",
                          app=f"Volume={tmp_path}/private:/p {tmp_path}/slave:/s:private,dev,suid {tmp_path}/slave:/n:noexec\n")
        pods.start(name)
        for kind in ("private", "slave"):
            host.run("mount", "-t", "tmpfs", f"later-{kind}", tmp_path / kind / "later")
        shown = pods.shell_in(f"main@{name}", "/bin/sh", "-c", "cat /proc/self/mounts")
        mounts = {li.split()[1]: li.split()[3].split(",") for li in shown.splitlines() if len(li.split()) > 3}
        assert "/s" in mounts and not any(m.endswith("later") for m in mounts)
        assert "nodev" in mounts["/p"] and "nosuid" in mounts["/p"] and "noexec" not in mounts["/p"]
        assert "nodev" not in mounts["/s"] and "nosuid" not in mounts["/s"] and "noexec" in mounts["/n"]
        pods.stop(name)
    finally:
        host.run("umount", "-R", tmp_path)


def test_memory(run, images):
    """TemporaryFileSystem=, ShmSize= and Device= by flags: sizes hold, and none is without a limit."""
    out = run("df -k /t /u /dev/shm | awk '{print $2}'; stat -c '%a %u' /t /u; dd if=/dev/zero of=/t/x bs=1024 count=2000 2>&1 | grep -o 'No space.*'; "
              "test -c /dev/zz && echo device", "--tmpfs=/t:size=1M,mode=1770,uid=5", "--tmpfs=/u", "--shm-size=2M", "--device=/dev/zero:/dev/zz",
              image=images.busybox).out.replace("\r", "").splitlines()[-8:]
    total = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    assert out[1] == "1024" and out[3] == "2048" and int(out[2]) <= total // 9
    assert out[4:] == ["1770 5", "755 0", "No space left on device", "device"]


def test_filled_before_mounted(host, pods, links, tmp_path):  # pylint: disable=unused-argument
    """A kept volume that one app fills is the same that another one, started before it, has mounted."""
    name = pods.write("order", "[Pod]\nNetwork=none\nInsecureOptions=image\n[Volume k]\nPersistent=yes\nCopyUp=yes\n"
                      f"[Volume out]\nSource={tmp_path}\n"
                      f"[App one]\nImage={links}\nVolume=k:/not-there out:/out\nExec=/bin/sh -c \"cat /not-there/file > /out/one; exec sleep infinity\"\n"
                      f"[App two]\nImage={links}\nVolume=k:/dir1 out:/out\nExec=/bin/sh -c \"cat /dir1/file > /out/two; exec sleep infinity\"\n")
    os.chmod(tmp_path, 0o777)
    pods.start(name)
    host.wait_for("both", lambda: all((tmp_path / n).exists() and (tmp_path / n).read_text() for n in ("one", "two")))
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text() == "<<<dir1>>>\n"


def test_devices_of_a_volume(host, pods, images):
    """Options=dev: a device node in a volume works if the app may use that device; without it, none does. Whether another app of the pod
    has a device policy of its own does not matter, so there are two pods."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="t-dev-", dir="/srv"))
    try:
        for node, number in (("zero", os.makedev(1, 5)), ("loop", os.makedev(10, 237))):
            os.mknod(top / node, 0o666 | stat.S_IFCHR, number)
            os.chmod(top / node, 0o666)
        top.chmod(0o755)
        script = "for n in zero loop; do (: < $1/$n) 2>/dev/null && echo $n; done > $2.new; mv $2.new $2; exec sleep infinity"
        apps = {"no": ("no", ""), "closed": ("dev", ""), "allowed": ("dev", "DeviceAllow=/dev/char/10:237 rw\n")}
        (top / "out").mkdir()
        (top / "out").chmod(0o777)
        for n, some in enumerate((("no", "closed"), ("allowed",))):
            pods.start(pods.write(f"devices{n}", "[Pod]\nNetwork=none\nInsecureOptions=image\n" + "".join(
                f"[App {app}]\nImage={images.busybox}\nExec=/bin/sh -c \"{script}\" - /v /out/{app}\n"
                f"Volume={apps[app][0]}:/v out:/out\n{apps[app][1]}" for app in some) +
                "".join(f"[Volume {v}]\nSource={top}\n{more}" for v, more in (("no", ""), ("dev", "Options=dev\n")) if
                        v in {apps[app][0] for app in some}) + f"[Volume out]\nSource={top}/out\n"))
        host.wait_for("what opens", lambda: all((top / "out" / app).exists() for app in apps), 60)
        seen = {app: (top / "out" / app).read_text().split() for app in apps}
        assert seen == {"no": [], "closed": ["zero"], "allowed": ["zero", "loop"]}
    finally:
        for n in range(2):
            pods.stop(f"t-devices{n}", check=False)
        shutil.rmtree(top)
