# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which system calls an app may make. rkt's cases use stat, which libc no longer calls; here it is mkdir."""
import pytest

from many import Many

TRY = "ls -ld /; mkdir /tmp/d && echo made"
FILTER = "ls -ld /; mkdir /tmp/d && echo made; grep Seccomp: /proc/self/status; mount -t tmpfs x /mnt; true"
BLOCKED = "Function not implemented"  # of what is not on the list


@pytest.fixture
def many(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Apps that try."""
    return Many(host, images, tmp_path)


def retain(*words, **more):
    """An isolator."""
    return {"os_linux_seccomp_retain_set": {"set": list(words), **more}}


def remove(*words, **more):
    """An isolator."""
    return {"os_linux_seccomp_remove_set": {"set": list(words), **more}}


def test_images(many):
    """SEC-01 to SEC-12: the images' sets, flags in their place, other users."""
    exfull = remove("mkdir", "mkdirat", errno="EXFULL")
    sets = {"sec-01": {}, "sec-02": retain("@appc.io/all"), "sec-03": remove("@appc.io/empty"),
            "sec-04": remove("@rkt/default-blacklist"), "sec-05": remove("reboot"), "sec-06": exfull,
            "sec-07": retain("@rkt/default-whitelist"), "sec-08": retain("@docker/default-whitelist", errno="EPERM"),
            "killed": remove("mkdir", "mkdirat")}
    questions = {name: (FILTER, many.image(**s)) for name, s in sets.items()}
    busybox, image = many.images.busybox, many.image(**exfull)
    questions |= {"sec-09": (TRY, busybox, "--group=100"), "sec-10": (TRY, busybox, "--user=1000"),
                  "sec-11": (FILTER, image, "--seccomp=mode=retain,@appc.io/all"),
                  "sec-12": (TRY, busybox, "--seccomp=mode=remove,errno=EXFULL,mkdir,mkdirat")}
    mounts, mount = many.image(**retain("@docker/default-whitelist", "mount", errno="EPERM")), "mount -t tmpfs x /mnt && echo mounted"
    questions |= {"given": (mount, mounts, "--caps-retain=CAP_SYS_ADMIN"), "cut": (mount, mounts)}
    said = many.ask(questions)
    assert said.pop("given") == "mounted\n"  # who gives a capability gives its calls to an image that keeps them
    assert "permission denied" in said.pop("cut")
    for name, text in said.items():
        assert text.startswith("drwx"), (name, text)
        assert ("Exchange full" in text) is (name in ("sec-06", "sec-12")), (name, text)
        assert ("made" in text) is (name not in ("sec-06", "sec-12", "killed")), (name, text)
    for name in ("sec-01", "sec-02", "sec-03", "sec-05"):
        assert "Seccomp:\t2" in said[name] and BLOCKED in said[name], said[name]
    assert "Bad system call" in said["sec-07"]  # no errno: a call that is not kept kills
    assert "ermi" in said["sec-08"] and BLOCKED not in said["sec-08"]
    assert "Bad system call" in said["killed"] and "Bad system call" in said["sec-04"]
    assert BLOCKED not in said["sec-11"] and "ermi" in said["sec-11"]  # for want of a capability


@pytest.mark.parametrize("insecure,filtered", [("image,ondisk,capabilities,paths", True), ("image,seccomp", False),
                                               ("image,all-run", False)])
def test_insecure_options(many, insecure, filtered):
    """SEC-13 to SEC-15: only seccomp and all-run switch the filter off."""
    image = many.image(**remove("mkdir", "mkdirat", errno="EMULTIHOP"))
    said = many.one(TRY + "; grep Seccomp: /proc/self/status", image=image, insecure=insecure)
    assert ("Multihop attempted" in said) is filtered
    assert "Seccomp:\t2" in said  # the pod's own stays (test-stage1-filter.c)


def test_default(many):
    """What needs more than the default: keys, tracing, io_uring, namespaces; and what does not."""
    said = many.one("mount -t tmpfs x /mnt; unshare -U true; chroot / true; chown 1:1 /tmp; su -s /bin/sh nobody -c true; "
                    "cat /proc/sys/kernel/ostype")
    lines = said.splitlines()
    assert "Function not implemented" in lines[0] and "ermit" in lines[1]
    assert "Linux" in said


def test_unknown_words(many, host):
    """A word that nobody knows is refused before the start, with the app and the word; one of another architecture is
    nothing."""
    for kw, message in ((retain("rxead"), "Linux has no system call 'rxead'"), (remove("@rkt/none"), "there is no set '@rkt/none'"),
                        (remove("stat", errno="EFOO"), "Linux has no error 'EFOO'")):
        done = host.rkt("--insecure-options=image", "run", "--net=host", many.image(**kw), "--name=app", check=False)
        assert done.rc != 0 and "app 'app'" in done.err and message in done.err, done
    assert "made" in many.one(TRY, image=many.image(**remove("riscv_flush_icache", errno="EPERM")))
    done = host.rkt("--insecure-options=image", "run", "--net=host", many.images.busybox, "--name=app", "--seccomp=mode=retain,rread",
                    check=False)
    assert done.rc != 0 and "app 'app': SystemCallFilter: Linux has no system call 'rread'" in done.err
