# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that was taken over can do what its row of ARCHITECTURE.md's table says, and nothing else.

The build has each worker once more, with an attacker behind the sandbox's door (src/helper/test-hostile.c). Here rkt runs them,
the input says which attack is made, and each must fail: no breach, a fetch that ends with one clear error, nothing left."""
import json
import os
import pathlib
import pwd
import re
import shutil

import pytest

from images import aci, oci, signing

from conftest import CACHE

pytestmark = [pytest.mark.usefixtures("no_images"),
              pytest.mark.skipif(os.environ.get("LAB_PROFILE") == "asan",
                                 reason="a build with sanitizers has no system call filter; suite host runs these on both releases")]

LIBEXEC = "/usr/lib/rkt"
TOP = "/var/tmp/rkt-hostile"
USERS = ("rkt-pull", "rkt-parse", "rkt-gpgv", "rkt-cosign")
BREACHES = ("/var/tmp/rkt-breach", "/run/rkt-breach", "/dev/shm/rkt-breach")

FILES = ["open-shadow", "open-store", "open-root", "open-parent", "write-outside", "write-run", "mknod", "mount"]
PROCESSES = ["exec", "fork", "ptrace", "kill", "tgkill", "setuid", "prlimit", "bpf", "io-uring"]
NETWORK = ["connect-inet", "connect-systemd", "raw-socket"]
FRAMES = ["frame-unknown", "frame-huge", "frame-cut", "frame-entry", "frame-end", "frame-error", "garbage", "silence", "linger"]
DOCUMENTS = ["document-digest", "document-other", "document-header", "document-unchanged", "document-endless", "meta-endless"]
ATTACKS = {
    "rkt-parse": FILES + PROCESSES + NETWORK + FRAMES + ["memory"],
    # the same worker, with other readers of its frames
    "rkt-parse archive": FRAMES + ["memory"],
    "rkt-parse layer": FRAMES + ["memory"],
    "rkt-untar": FILES + PROCESSES + NETWORK + FRAMES + ["memory"],
    # it has the network: any address that an unprivileged user may connect to
    "rkt-pull": FILES + PROCESSES + ["raw-socket", "garbage", "silence", "linger", "memory"],
    "rkt-pull registry": FILES + PROCESSES + ["raw-socket", "garbage", "silence", "linger", "memory"] + DOCUMENTS,
    "rkt-gpgv": FILES + PROCESSES + NETWORK + ["garbage", "silence", "linger", "memory"],
    "rkt-cosign": FILES + PROCESSES + NETWORK + ["garbage", "silence", "linger", "memory"],
}
CASES = [(worker, attack) for worker, attacks in ATTACKS.items() for attack in attacks]


def libexec(worker):
    """A directory of workers of which one is hostile."""
    hostile = pathlib.Path("/var/lib/rkt-lab-build").read_text().strip() + f"/src/helper/hostile/{worker}"
    top = f"{TOP}/{worker}"
    if not os.path.exists(top):
        shutil.copytree(LIBEXEC, top)
        shutil.copy(hostile, f"{top}/{worker}")
        os.chmod(TOP, 0o755)
    return top


@pytest.fixture(scope="module", autouse=True)
def _no_rest():
    shutil.rmtree(TOP, ignore_errors=True)
    yield
    shutil.rmtree(TOP, ignore_errors=True)


def hostile_image(tmp_path, attack):
    """An image whose first bytes say what to try."""
    doc = aci.manifest("example.com/hostile", app={"exec": ["/bin/true"]},
                       annotations=[{"name": "attack", "value": f"attack={attack} "}])
    return aci.pack(str(tmp_path / "hostile.aci"), doc, aci.cached_root(aci.busybox_root, "/var/tmp/rkt-test"), "plain")


@pytest.fixture
def cosign_key():
    """A key that is trusted for the registries of tests."""
    key = signing.Key(f"{CACHE}/cosign")
    folder = pathlib.Path("/etc/rkt/trust.d")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    (folder / "workers.conf").write_text(f"[Trust]\nPrefix=*\nCosignKey={key.public}\n")
    yield key
    (folder / "workers.conf").unlink()


def hostile_signature(registry, key, attack):
    """An image whose signature says what to try; how it is called."""
    image = oci.Image([oci.tar({"x": b""})])
    registry.publish(image)
    signing.cosign(registry.publish, key, image.digest, "", data=f"attack={attack} ".encode())
    return f"docker://{registry.host}/a/b"


def command(worker, attack, tmp_path, images, server, signer, registry, key):
    """The fetch in which `worker` reads `attack`, and its environment."""
    env = {"RKT_LIBEXEC": libexec(worker.split()[0])}
    if worker == "rkt-pull registry":
        env["NO_PROXY"] = f"attack={attack}"  # which stands in its request
        return ["--insecure-options=image", "fetch", f"docker://{registry.host}/a/b"], env
    if worker == "rkt-parse archive":
        return ["--insecure-options=image", "fetch", "oci-archive:" + hostile_image(tmp_path, attack)], env
    if worker == "rkt-parse layer":
        layer = oci.Image([oci.tar({f"attack={attack} ": b""})], compression="", app={"Cmd": ["/x"]})
        return ["--insecure-options=image", "fetch", "oci:" + oci.write_layout(str(tmp_path / "layout"), layer)], env
    if worker == "rkt-cosign":
        return ["fetch", hostile_signature(registry, key, attack)], env
    if worker == "rkt-untar":
        env["RKT_TREE_BACKEND"] = "dir"
    if worker == "rkt-pull":
        return ["--insecure-options=image", "fetch", f"https://images.test/x.aci?attack={attack}"], env
    if worker == "rkt-gpgv":
        (tmp_path / "x.asc").write_text("-----BEGIN PGP SIGNATURE-----\n\n" + f"attack={attack} " + "\n" * 50)
        return ["fetch", f"--signature={tmp_path}/x.asc", images.busybox], env
    return ["--insecure-options=image", "fetch", hostile_image(tmp_path, attack)], env


def processes_of_workers():
    """What runs as one of the workers' users."""
    uids = {pwd.getpwnam(u).pw_uid for u in USERS}
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if int(re.search(r"^Uid:\s+(\d+)", text, re.M).group(1)) in uids:
            found.append(text.splitlines()[0])
    return found


def nothing_left(host):
    """No process, no file, no image, nothing half-made."""
    host.wait_for("workers to end", lambda: not processes_of_workers(), timeout=5)
    assert not [p for p in BREACHES if os.path.lexists(p)]
    assert host.rkt("image", "list", "--no-legend").out == ""
    assert os.listdir("/var/lib/rkt/cas/tmp") == []


@pytest.mark.parametrize("worker,attack", CASES)
def test_attack_from_a_worker_fails(host, images, server, trusted, signer, fake_registry, cosign_key, tmp_path, worker, attack):
    """DESIGN.md, Privilege: each attack fails, and so does the fetch, cleanly."""
    words, env = command(worker, attack, tmp_path, images, server, signer, fake_registry, cosign_key)
    done = host.rkt(*words, check=False, env=env, timeout=60)
    assert done.rc == 254, done
    assert "breach" not in done.all, done
    assert f"hostile: {attack}: begins" in done.err, done
    lines = [li for li in done.err.splitlines() if li and not li.startswith("hostile: ")]
    assert 1 <= len(lines) <= 5, done
    assert all(c.isprintable() or c == "\n" for c in done.err), done
    nothing_left(host)


@pytest.mark.parametrize("worker", list(ATTACKS))
def test_worker_that_never_ends(host, images, server, trusted, signer, fake_registry, cosign_key, tmp_path, worker):
    """A worker that spins is ended by the kernel at its limit of CPU time; here by us, so that nobody waits an hour."""
    words, env = command(worker, "spin", tmp_path, images, server, signer, fake_registry, cosign_key)
    fetch = host.spawn("rkt", *words, env={**os.environ, **env})
    try:
        pid = int(host.wait_for("the worker", lambda: host.run(
            "pgrep", "-x", "-P", fetch.pid, worker.split()[0], check=False).out.strip()))
        host.wait_for("its limit", lambda: re.search(
            r"^Max cpu time +\d+ +\d+ ", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M))
        host.wait_for("the attack", lambda: "State:\tR" in pathlib.Path(f"/proc/{pid}/status").read_text())
        host.run("kill", "-KILL", pid)  # what the kernel does at that limit
        _, err = fetch.communicate(timeout=120)
    finally:
        fetch.kill()
    assert fetch.returncode == 254, err
    nothing_left(host)


def test_good_image_by_the_same_way(host, images):
    """The workers that these tests copy do work where they are not hostile."""
    top = f"{TOP}/good"
    shutil.copytree(LIBEXEC, top)
    os.chmod(TOP, 0o755)
    host.rkt("--insecure-options=image", "fetch", images.busybox, env={"RKT_LIBEXEC": top})
    assert json.loads(host.rkt("image", "list", "--format=json").out)
