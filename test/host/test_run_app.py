# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app finds: environment, user, working directory, program, volumes, its root."""
import os

import pytest

from conftest import ISOLATED, app_section


@pytest.fixture
def probe(host, pods, images, tmp_path):
    """Runs a script as the app `main` of a pod, /out being a directory of the host; returns what it wrote to /out/x."""

    def run(script, app="", pod="", rest="", image=None, check=True):
        # the script says by /out/done that it is at its end; a pod that fails is seen by its state
        name = pods.write("probe", ISOLATED + pod + app_section(
            "main", image or images.busybox, f"( {script} ) > /out/x 2>&1; echo > /out/done; exec sleep infinity",
            app + "\nVolume=out:/out") + f"[Volume out]\nSource={tmp_path}\n{rest}\n")
        started = pods.start(name, check=False)
        if not check:
            return host.status(f"pod@{name}")
        assert started.rc == 0, host.status(f"pod@{name}")
        host.wait_for("the script is done", (tmp_path / "done").exists)
        text = (tmp_path / "x").read_text()
        pods.stop(name)
        return text

    os.chmod(tmp_path, 0o777)
    return run


@pytest.mark.parametrize("value", ["plain", "two words", "it's", 'say "hi"', "100%", "$HOME ${PATH}", "back\\slash",
                                   "tab\there", "é€", ""])
def test_environment_byte_for_byte(probe, value):
    """ENV: a value of the pod file reaches the app as it is."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\t", "\\t")
    assert probe('printf "<%s>" "$VALUE"', app=f'Environment="VALUE={quoted}"') == f"<{value}>"


def test_environment_with_a_line_break(probe):
    """ENV: so does one with a line break."""
    assert probe('echo "$VALUE"', app='Environment="VALUE=a\\nb"') == "a\nb\n"


def test_environment_of_the_image_and_order(probe, images, tmp_path):
    """ENV-01, ENV-03: the image's variables are there; the pod's win, the app's win over them, and files over all."""
    image = images.make(app={"exec": ["/bin/sh"], "environment": [{"name": n, "value": "image"} for n in "ABCD"]})
    (tmp_path / "env").write_text("# comment\nD='of the file'\n")
    out = probe("echo $A $B $C $D", image=image, pod="Environment=B=pod C=pod D=pod\n",
                app=f"Environment=C=app D=app\nEnvironmentFile={tmp_path}/env\nEnvironmentFile=-/not/there")
    assert out == "image pod app of the file\n"


def test_environment_of_the_standard(probe):
    """appc 12: PATH, AC_APP_NAME, container; rkt's HOME, USER, LOGNAME, SHELL."""
    lines = probe("env").splitlines()
    for line in ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "AC_APP_NAME=main", "HOME=/root",
                 "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "container=rkt"):
        assert line in lines


@pytest.mark.parametrize("keys,wanted", [
    ("", "0 0"), ("User=200", "200 0"), ("Group=300", "0 300"), ("User=user1\nGroup=300", "1000 300"),
    ("User=200\nGroup=group1", "200 100"), ("User=root\nGroup=root", "0 0"), ("User=/etc/passwd\nGroup=/etc/group", "0 0")])
def test_user_and_group(probe, keys, wanted):
    """UG-01 .. UG-05, UG-12, UG-14: numbers, names of the image, owners of files."""
    assert probe("echo $(id -u) $(id -g)", app=keys).strip() == wanted


@pytest.mark.parametrize("keys,message", [("User=user2", '"user2" user not found'), ("Group=group2", '"group2" group not found'),
                                          ("User=/etc/nofile", "no such file or directory")])
def test_user_that_is_not_there(probe, keys, message):
    """PODM-30, PODM-31, PODM-33: refused at start, by name."""
    assert message in probe("id", app=keys, check=False)


def test_supplementary_groups(probe):
    """SGD-01."""
    assert probe("id -G", app="SupplementaryGroups=400 500 group1").split() == ["0", "100", "400", "500"]


def test_working_directory(probe):
    """PODM-02."""
    assert probe("pwd", app="WorkingDirectory=/usr/bin").strip() == "/usr/bin"


def test_exec_is_looked_up_in_path(host, pods, images, tmp_path):
    """EXEC-03: a word without a slash; its arguments arrive unharmed (PODM-01)."""
    os.chmod(tmp_path, 0o777)
    name = pods.write("path", ISOLATED + f'[App main]\nImage={images.busybox}\nExec=sh -c "echo \\"$1\\" > /out/x" - '
                      f'"a \\"b\\" $HOME\\n%%;"\nVolume=out:/out\n[Volume out]\nSource={tmp_path}\n')
    pods.start(name, check=False)
    host.wait_for("it wrote", lambda: (tmp_path / "x").exists() and (tmp_path / "x").read_text())
    assert (tmp_path / "x").read_text() == 'a "b" $HOME\n%;\n'


def test_exec_that_is_in_no_path(host, pods, images):
    """EXEC: a word that PATH does not have is refused by name."""
    name = pods.write("nopath", ISOLATED + f"[App main]\nImage={images.busybox}\nExec=not-a-program\n")
    assert pods.start(name, check=False).rc != 0
    assert "not-a-program" in host.status(f"pod@{name}")


def test_missing_source(probe):
    """VOL-01: an error, and nothing is made."""
    shown = probe("true", app="Volume=gone:/v", rest="[Volume gone]\nSource=/this/directory/does/not/exist\n", check=False)
    assert "Failed to stat /this/directory/does/not/exist: No such file or directory" in shown
    assert not os.path.exists("/this")


def test_targets_are_made(probe):
    """VOL-05, VOL-16: parents of the target are made, 0755."""
    assert probe("stat -c '%a %F' /a/b; grep -q ' /a/b/c ' /proc/self/mounts && echo mounted", app="Volume=:/a/b/c") == \
        "755 directory\nmounted\n"


@pytest.mark.parametrize("read_only", [False, True])
def test_host_volume(probe, tmp_path_factory, read_only):
    """VOL-07, VOL-08, VM-02: writable, or read-only, really and below too."""
    source = tmp_path_factory.mktemp("source")
    (source / "sub").mkdir()
    (source / "file").write_text("host\n")
    out = probe("cat /v/file; echo new > /v/file; echo new > /v/sub/file; true", app="Volume=v:/v",
                rest=f"[Volume v]\nSource={source}\n" + ("ReadOnly=yes\n" if read_only else ""))
    assert out.startswith("host\n")
    assert ("Read-only file system" in out) == read_only
    assert (source / "file").read_text() == ("host\n" if read_only else "new\n")
    assert (source / "sub" / "file").exists() != read_only


def test_file_volume(probe, tmp_path_factory):
    """MNT-04: a file on a file that is not there yet, and on one that is."""
    source = tmp_path_factory.mktemp("file") / "f"
    source.write_text("world\n")
    assert probe("cat /new/dir/f /etc/hostname", app=f"Volume={source}:/new/dir/f:ro\nVolume={source}:/etc/hostname:ro") == \
        "world\nworld\n"


def test_targets_stay_in_the_root(probe, images, tmp_path_factory):
    """MNT-01, MNT-10: links of an image lead to places of the image, never of the host."""

    def root(path):
        from images import aci  # pylint: disable=import-outside-toplevel
        aci.busybox_root(path)
        os.makedirs(f"{path}/dir2")
        os.symlink("/dir2", f"{path}/link-abs")
        os.symlink("../../../../dir2", f"{path}/link-up")
        return path

    source = tmp_path_factory.mktemp("links")
    (source / "f").write_text("world\n")
    image = images.make("example.com/links", root=root, app={"exec": ["/bin/sh"]})
    out = probe("cat /dir2/a/f /dir2/b/f", image=image, app="Volume=v:/link-abs/a\nVolume=v:/link-up/b",
                rest=f"[Volume v]\nSource={source}\n")
    assert out == "world\nworld\n"
    assert not os.path.exists("/dir2")


def test_volume_on_run_and_dev(probe, tmp_path_factory):
    """VSYS-04 and the like: places that the pod's systemd mounts over are reached all the same."""
    source = tmp_path_factory.mktemp("api")
    (source / "f").write_text("world\n")
    out = probe("cat /run/v/f /dev/v/f", app="Volume=v:/run/v\nVolume=v:/dev/v", rest=f"[Volume v]\nSource={source}\n")
    assert out == "world\nworld\n"


def test_read_only_root(probe):
    """PODM-04, PODM-06: ReadOnly= holds for the root, not for volumes."""
    out = probe("echo x > /mark; echo x > /v/mark && echo written; echo x > /dev/null && echo null", app="ReadOnly=yes\nVolume=:/v")
    assert "Read-only file system" in out and "written" in out and "null" in out


def test_api_file_systems(probe):
    """appc 12: /proc, /sys, the devices, /dev/shm, /dev/pts, /tmp; nothing that belongs to the host."""
    out = probe("ls -d /proc/self /sys/class /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/console "
                "/dev/pts /dev/ptmx /dev/shm >/dev/null && stat -c %a /tmp; cat /proc/1/comm; ls /dev | grep -c loop; "
                "cat /etc/hostname; grep -c localhost /etc/hosts; ip -o link | wc -l", pod="PrivateUsers=no\n")  # root sees PID 1
    assert out.split() == ["1777", "systemd", "0", "t-probe", "2", "1"]


def test_confined_by_default(probe):
    """ROB 5: eight capabilities and no more, no new privileges, kernel settings read-only, no devices made."""
    out = probe("grep -E 'CapBnd|NoNewPrivs' /proc/self/status; echo 1 > /proc/sys/kernel/panic; mknod /tmp/m b 8 0 && cat /tmp/m; "
                "mount -t tmpfs x /mnt; true")
    assert "CapBnd:\t00000000000004fb" in out and "NoNewPrivs:\t1" in out
    assert "Read-only file system" in out
    assert out.count("ermi") >= 1 or "denied" in out
    assert "mount:" in out


@pytest.mark.parametrize("policy,first,ends", [("any", "exit 0", True), ("all", "exit 3", False), ("never", "exit 3", False)])
def test_exit_policy(host, pods, images, policy, first, ends):
    """ExitPolicy=: any ends with the first app, all and never go on."""
    name = pods.write("policy", ISOLATED + f"ExitPolicy={policy}\n" + app_section("a", images.busybox, f"sleep 0.3; {first}") +
                      app_section("b", images.busybox, "exec sleep infinity"))
    pods.start(name)
    if ends:
        assert pods.ended(name)["Result"] == "success"
    else:
        host.wait_for("a has ended", lambda: not host.is_active("a.service", machine=name))
        assert host.is_active(f"pod@{name}") and host.is_active("b.service", machine=name)


def test_exit_policy_all_keeps_the_failure(pods, images):
    """ExitPolicy=all: the pod ends when all are done, with the first failure's status."""
    name = pods.write("all", ISOLATED + "ExitPolicy=all\n" + app_section("a", images.busybox, "sleep 0.2; exit 3") +
                      app_section("b", images.busybox, "sleep 1; exit 0"))
    pods.start(name)
    assert pods.ended(name)["ExecMainStatus"] == "3"


def test_name_that_is_taken(host, pods, images):
    """A machine of that name that is somebody else's: one clear error."""
    host.run("systemd-run", "--unit=t-taken", "--slice=machine.slice", "sleep", "300")
    pid = host.show("t-taken.service", "MainPID")
    host.run("busctl", "call", "org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager",
             "RegisterMachine", "sayssus", "t-taken", "0", "test", "container", pid, "/")
    try:
        name = pods.shell("taken", images.busybox, "exec sleep infinity")
        assert pods.start(name, check=False).rc != 0
        assert "a machine named 't-taken' is running already" in host.status(f"pod@{name}")
        assert "t-taken" in [m["machine"] for m in host.machines()]
    finally:
        host.run("systemctl", "stop", "t-taken.service")
