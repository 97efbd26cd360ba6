# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who an app is and where: users and groups, host name and /etc/hosts, its program, its environment."""
import pathlib

import pytest

from conftest import app_section
from images import aci
from many import Many

ID = "id -u; id -g"
FALLBACK = "127.0.0.1 localhost localhost.domain localhost4 localhost4.localdomain4 "


def inspect_root(root):
    """busybox with rkt-inspect's users, and a program of another owner."""
    aci.busybox_root(root)
    for file, line in (("passwd", "user1:x:1000:100::/home/user1:/bin/sh\n"), ("group", "group1:x:100:\n")):
        with open(f"{root}/etc/{file}", "a") as f:
            f.write(line)


@pytest.fixture
def many(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Apps that answer."""
    return Many(host, images, tmp_path)


def test_users_and_groups(many):
    """UG-01 to UG-14, as first, middle and last of a pod: numbers, names of the image, owners of files, flags over the image's."""
    make = many.images.make
    plain = make(app={"exec": ["/bin/sh"]}, root=inspect_root)
    numbers = make(app={"exec": ["/bin/sh"], "user": "400", "group": "500"}, root=inspect_root)
    root = make(app={"exec": ["/bin/sh"], "user": "root", "group": "root"}, root=inspect_root)
    cases = [(plain, "", 0, 0), (plain, "--user=200", 200, 0), (plain, "--group=300", 0, 300), (plain, "--user=200 --group=300", 200, 300),
             (plain, "--user=user1 --group=300", 1000, 300), (plain, "--user=200 --group=group1", 200, 100), (numbers, "", 400, 500),
             (numbers, "--user=200", 200, 500), (numbers, "--group=300", 400, 300), (numbers, "--user=200 --group=300", 200, 300),
             (numbers, "--user=user1 --group=group1", 1000, 100), (root, "", 0, 0), (numbers, "--user=root --group=root", 0, 0),
             (numbers, "--user=/bin/busybox --group=/bin/busybox", 0, 0)]
    said = many.ask({f"ug-{n:02}": (ID, image, *flags.split()) for n, (image, flags, _, _) in enumerate(cases, 1)})
    assert [tuple(map(int, t.split())) for t in said.values()] == [(uid, gid) for _, _, uid, gid in cases]


def test_supplementary_groups(many):
    """SGD-01: those of the image; those of the flag instead of them."""
    image = many.images.make(app={"exec": ["/bin/sh"], "supplementaryGIDs": [400, 500, 1200]})
    said = many.ask({"image": ("id -G", image), "flag": ("id -G", image, "--supplementary-gids=7")})
    assert said["image"].split() == ["0", "400", "500", "1200"]
    assert "7" in said["flag"].split()


def test_hosts_and_hostname(many, host, tmp_path_factory):
    """HOSTS-01 to HOSTS-05, HOSTN-01 to HOSTN-03, HOST-02: made where the image has none; a volume, and what is asked for, win."""
    file = tmp_path_factory.mktemp("hosts") / "hosts"
    file.write_text("preexisting etc\n")
    show = "cat /etc/hosts"
    run = ("run", "--net=host")

    def no_hosts(root):
        aci.busybox_root(root)
        pathlib.Path(root, "etc/hosts").unlink(missing_ok=True)

    def own_hosts(root):
        aci.busybox_root(root)
        pathlib.Path(root, "etc/hosts").write_text("of the image\n")

    none = many.images.make(app={"exec": ["/bin/sh"]}, root=no_hosts)
    own = many.images.make(app={"exec": ["/bin/sh"]}, root=own_hosts)
    said = many.ask({"none": (show, none), "own": (show, own), "name": ("hostname; cat /etc/hostname; ls -l /etc/hostname", none)})
    name = said["name"].split()[0]
    assert name.startswith("rkt-") and len(name) == 40
    assert f"{FALLBACK}{name}\n" in said["none"] and said["own"] == "of the image\n"
    assert said["name"].split()[1] == name and "-rw-r--r--" in said["name"]
    assert many.one(show, image=own, verb=(*run, f"--volume=h,kind=host,source={file}", "--mount=volume=h,target=/etc/hosts")) == file.read_text()
    whole = pathlib.Path("/etc/hosts").read_text()
    for flags in (["--hosts-entry=host"], ["--hosts-entry=host", "--hosts-entry=host"]):
        assert many.one(show, image=own, verb=(*run, *flags)) == whole
    said = many.one(show, image=own, verb=(*run, "--hosts-entry=128.66.0.99=host1,::1=six", "--hosts-entry=128.66.0.99=host2"))
    assert "128.66.0.99 host1" in said and "::1 six" in said and "host2" in said and FALLBACK in said
    said = many.one("hostname; cat /etc/hostname", verb=(*run, "--hostname=custom_hostname_setting"))
    assert said.split()[1] == "custom_hostname_setting"  # the kernel's has no underscores
    for flags, message in ((["--hosts-entry=x"], "Did not understand --hosts-entry x"),
                           (["--hosts-entry=1.2.3=a"], "Invalid IP passed to --hosts-entry: 1.2.3"),
                           (["--hosts-entry=host", "--hosts-entry=1.2.3.4=a"],
                            "cannot pass --hosts-entry=host with multiple hosts-entries")):
        assert message in host.rkt("run", *flags, none, check=False).err


def test_add_host(host, pods, images, tmp_path):
    """AddHost= of a pod file: names and addresses, or the host's file."""
    tmp_path.chmod(0o777)
    for keys, wanted in (("AddHost=db:10.1.2.3 six:fe80::1\nAddHost=x:10.0.0.1\n", ["10.1.2.3 db", "fe80::1 six", "10.0.0.1 x"]),
                         ("AddHost=host\n", pathlib.Path("/etc/hosts").read_text().splitlines())):
        name = pods.shell("hosts", images.busybox, "cat /etc/hosts > /out/x; echo > /out/done; exec sleep infinity", pod=keys,
                          app=f"Volume={tmp_path}:/out\n")
        (tmp_path / "done").unlink(missing_ok=True)
        pods.start(name)
        host.wait_for("the answer", (tmp_path / "done").exists)
        lines = (tmp_path / "x").read_text().splitlines()
        assert set(wanted) <= set(lines)
        pods.stop(name)


def test_programs(many, host):
    """EXEC-05, EXEC-06: what is to run, and its arguments, persist from prepare to run-prepared."""
    image = many.images.make(app={"exec": ["/bin/echo", "of the image"]})
    for flags, wanted in ((["--", "of the line"], "of the image of the line"), (["--exec=/bin/printf", "--", "%s+", "a", "b"], "a+b+")):
        uuid = host.rkt("--insecure-options=image", "prepare", image, *flags).out.strip()
        assert wanted in host.rkt("run-prepared", "--net=host", uuid).out
    uuid = host.rkt("--insecure-options=image", "prepare", image, "--exec=hostname").out.strip()  # HOST-01
    assert "test-hostname" in host.rkt("run-prepared", "--net=host", "--hostname=test-hostname", uuid).out


def test_path_stays(many, tmp_path):
    """ENV-11: a file of variables leaves PATH alone."""
    (tmp_path / "env").write_text("OTHER=file\n")
    said = many.one("echo $PATH; echo $OTHER", verb=("run", "--net=host", f"--set-env-file={tmp_path}/env"))
    assert said == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nfile\n"


def test_directory_in_a_volume(many, tmp_path_factory):
    """WorkingDirectory= may be where only a volume is."""
    source = tmp_path_factory.mktemp("data")
    (source / "sub").mkdir()
    volume = ("run", "--net=host", f"--volume=data,kind=host,source={source}", "--mount=volume=data,target=/data")
    assert many.one("pwd", "--working-dir=/data/sub", verb=volume) == "/data/sub\n"
