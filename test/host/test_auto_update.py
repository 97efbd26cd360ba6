# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt auto-update: pods whose images have changed are restarted with the new ones, go back when they do not get ready, and
others are left alone. Issue 4, part 6. The decisions one by one are in src/run/test-auto-update.c."""
import json
import pathlib
import shutil
import time

import pytest

from conftest import CACHE, DATA, PREFIX
from images import oci, signing
from images.server import Rule

BUSYBOX = pathlib.Path("/bin/busybox").read_bytes()
BASE = oci.tar({"bin": None, "bin/busybox": (0o755, BUSYBOX), "bin/sh": "busybox", "bin/sleep": "busybox",
                "bin/cat": "busybox", "etc": None, "etc/passwd": b"root:x:0:0::/root:/bin/sh\n"})
UPDATED, ROLLED_BACK = "607d8493015b484983360a2695a94ebd", "28101cbc8aba4239975e7f0d1afcdee3"
FAILED = "6923f98e580344d38750210520e52530"


def version(number, good=True):
    """An image that says its number and stays; a bad one has no program to start."""
    script = b"#!/bin/sh\ncat /version\nexec sleep infinity\n"
    top = {"version": f"version {number}\n".encode()}
    return oci.Image([BASE, oci.tar({**top, **({"start": (0o755, script)} if good else {})})], app={"Entrypoint": ["/start"]})


def pod_text(image, policy="registry", service=""):
    """A pod file of one app."""
    return f"[Pod]\nNetwork=none\nInsecureOptions=image\nAutoUpdate={policy}\n[App main]\nImage={image}\n{service}"


class World:
    """A registry and a pod of its tag."""

    def __init__(self, host, registry, pods):
        self.host, self.registry, self.pods = host, registry, pods
        self.image = f"docker://{registry.host}/a/b"

    def pod(self, name, image="", **how):
        """A started pod."""
        name = self.pods.write(name, pod_text(image or self.image, **how))
        self.pods.start(name)
        return name

    def update(self, *args, check=True):
        """rkt auto-update: {pod: (UPDATED, message)} of ours."""
        self.registry.requests.clear()
        done = self.host.rkt("auto-update", "--format=json", *args, check=check)
        return {row["pod"]: row["updated"] for row in json.loads(done.out) if row["pod"].startswith(PREFIX)}

    def version(self, name):
        """/version in the root that the pod's app has."""
        leader = self.host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
        return pathlib.Path(f"/proc/{leader}/root/opt/stage2/main/rootfs/version").read_text().strip()

    def start_time(self, name):
        """Changes with every start of the unit."""
        return self.host.show(f"pod@{name}", "InvocationID")

    def blobs(self):
        """Digests of the blobs that were asked for."""
        return [r.path.rsplit("/", 1)[1] for r in self.registry.asked("/v2/*/blobs/*", "GET")]

    def messages(self, message_id, pod):
        """Records of the journal about a pod: [(old, new, priority)]."""
        self.host.run("journalctl", "--sync")
        text = self.host.run("journalctl", "--quiet", "--output=json", f"MESSAGE_ID={message_id}", f"RKT_POD={pod}",
                             f"RKT_IMAGE={self.image}").out
        records = [json.loads(line) for line in text.splitlines()]
        return [(r["RKT_IMAGE_OLD"], r["RKT_IMAGE_NEW"], r["PRIORITY"]) for r in records]

    def state(self, name):
        """What is remembered of a pod."""
        path = pathlib.Path(DATA, "auto-update", name)
        return path.read_text() if path.exists() else ""

    def image_id(self):
        """The image that the tag means in the store, as much of its ID as rkt fetch prints."""
        return self.host.rkt("fetch", "--full", "--insecure-options=image", "--pull-policy=new", self.image).out.strip()


@pytest.fixture(name="world")
def _world(host, no_images, installed, fake_registry, pods):  # pylint: disable=unused-argument
    yield World(host, fake_registry, pods)
    for name in pods.names:
        pathlib.Path(DATA, "auto-update", name).unlink(missing_ok=True)


def test_update(host, world):
    """The pod whose image has changed is restarted with it, by the service in its sandbox; of the image only the new layer
    moves; nothing is asked for but the digest when it is the same; pods without AutoUpdate= are left alone."""
    first, second = version(1), version(2)
    world.registry.publish(first)
    world.registry.publish(first, "other/b")
    pod, still = world.pod("update"), world.pod("still", f"docker://{world.registry.host}/other/b")
    manual = world.pod("manual", policy="no")
    before = {name: world.start_time(name) for name in (pod, still, manual)}
    assert world.version(pod) == "version 1"

    assert world.update() == {pod: "false", still: "false"}
    assert world.registry.asked(method="GET") == [] and world.registry.asked("/v2/a/b/manifests/latest", "HEAD")
    world.registry.publish(second)
    assert world.update("--dry-run") == {pod: "pending", still: "false"}
    assert world.blobs() == [oci.digest(second.config)] and world.version(pod) == "version 1"

    world.registry.requests.clear()
    host.run("systemctl", "start", "rkt-auto-update.service")
    assert world.version(pod) == "version 2"
    assert set(world.blobs()) == {oci.digest(second.config), oci.digest(second.layers[1])}
    assert world.start_time(pod) != before[pod]
    assert [world.start_time(name) for name in (still, manual)] == [before[still], before[manual]]
    (old, new, priority), = world.messages(UPDATED, pod)
    assert new.startswith(world.image_id()) and old.startswith("sha512-") and old != new and priority == "6"
    assert world.state(pod) == ""
    assert world.update(pod) == {pod: "false"}
    host.run("systemctl", "restart", f"pod@{pod}")
    assert world.version(pod) == "version 2"


def test_rollback(host, world):
    """A pod that does not get ready runs again with the image of before, which its tag means again; the new one is not tried
    nor pulled again, until the tag moves. Pull=newer does not bring it back either."""
    good, bad, better = version(1), version(2, good=False), version(3)
    world.registry.publish(good)
    pod = world.pods.write("rollback", pod_text(world.image).replace("[App", "Pull=newer\n[App"))
    world.pods.start(pod)
    first = world.image_id()
    world.registry.publish(bad)
    assert world.update() == {pod: "rolled back"}
    assert host.is_active(f"pod@{pod}") and world.version(pod) == "version 1"
    (old, new, priority), = world.messages(ROLLED_BACK, pod)
    assert old.startswith(first) and first == world.image_id() and new.startswith("sha512-") and priority == "4"
    assert bad.digest in world.state(pod)

    since = world.start_time(pod)
    assert world.update() == {pod: "false"}
    assert world.start_time(pod) == since
    assert [r.method for r in world.registry.requests] == ["HEAD"]
    host.run("systemctl", "restart", f"pod@{pod}")
    assert world.version(pod) == "version 1"

    world.registry.publish(better)
    assert world.update() == {pod: "true"}
    assert world.version(pod) == "version 3" and world.state(pod) == ""


def test_never_ready(host, world):
    """A pod that does not fail but never gets ready is given the time that its unit has, and no longer."""
    def made(script):
        return oci.Image([BASE, oci.tar({"start": (0o755, b"#!/bin/sh\n" + script)})], app={"Entrypoint": ["/start"]})

    world.registry.publish(made(b"exit 0\n"))
    text = pod_text(world.image, service="Type=oneshot\nRemainAfterExit=yes\n[Service]\nTimeoutStartSec=4\n")
    pod = world.pods.write("never", text.replace("[App", "ExitPolicy=never\n[App"))
    world.pods.start(pod)
    world.registry.publish(made(b"exec sleep infinity\n"))
    began = time.monotonic()
    assert world.update(pod) == {pod: "rolled back"}
    assert 4 < time.monotonic() - began < 60 and host.is_active(f"pod@{pod}")


def test_no_rollback(host, world):
    """--rollback=false leaves the pod as it is, and fails."""
    world.registry.publish(version(1))
    pod = world.pod("forward")
    world.registry.publish(version(2, good=False))
    done = host.rkt("auto-update", "--rollback=false", pod, check=False)
    assert done.rc == 254 and "1 of 1 pods could not be updated" in done.err, done
    assert not host.is_active(f"pod@{pod}") and "failed" in done.out
    assert len(world.messages(FAILED, pod)) == 1


def test_registry_is_away(host, world):
    """What cannot be asked for is a failure of that pod; it runs on, and other pods are updated."""
    world.registry.publish(version(1), "gone/b")
    world.registry.publish(version(1))
    gone, pod = world.pod("gone", f"docker://{world.registry.host}/gone/b"), world.pod("here")
    del world.registry.repositories["gone/b"]
    world.registry.publish(version(2))
    done = host.rkt("auto-update", check=False)
    assert done.rc == 254 and f"pod '{gone}', app 'main'" in done.err, done
    assert world.version(gone) == "version 1" and world.version(pod) == "version 2"


def test_killed(host, world):
    """A run that is killed in the middle is finished by the next, whatever was done of it."""
    world.registry.publish(version(0))
    pod = world.pod("killed")
    for number, delay in enumerate((0, 0.1, 0.5), 1):
        world.registry.publish(version(number))
        run = host.spawn("rkt", "auto-update", pod)
        host.wait_for("an update under way", lambda: "update " in world.state(pod) or run.poll() is not None, interval=0.001)
        time.sleep(delay)
        run.kill()
        run.wait()
        host.wait_for("rest", lambda: host.show(f"pod@{pod}", "Job") == "")
        world.update(pod)
        assert world.version(pod) == f"version {number}" and "update " not in world.state(pod)
        assert host.is_active(f"pod@{pod}")


def test_image_by_url(host, world, server, images, tmp_path):  # pylint: disable=unused-argument
    """An image by URL is updated the same way: ETag or another file."""
    target = pathlib.Path(server.docroot, "example.com", "update/app.aci")
    target.parent.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        made = images.make("example.com/update", version=str(number),
                           app={"exec": ["/bin/sleep", "infinity"], "user": "0", "group": "0"})
        shutil.copy(made, target)
        if number == 1:
            pod = world.pod("url", "https://example.com/update/app.aci")
            since = world.start_time(pod)
    assert world.update(pod) == {pod: "true"}
    assert world.start_time(pod) != since
    assert world.update(pod) == {pod: "false"}
    server.rules[("example.com", "/update/*")] = Rule(status=404)
    assert world.update(pod, check=False) == {pod: "failed"}


def test_what_is_refused(host, world):
    """Pods that do not say AutoUpdate=registry, or do not exist, when they are named; a second run beside the first."""
    world.registry.publish(version(1))
    pod = world.pods.write("manual", pod_text(world.image, policy="no"))
    done = host.rkt("auto-update", pod, check=False)
    assert done.rc == 254 and "does not say AutoUpdate=registry" in done.err
    stopped = world.pods.write("stopped", pod_text(world.image))
    assert world.update(stopped) == {stopped: "false"} and world.registry.requests == []
    assert f"pod '{stopped}' does not run" in host.rkt("auto-update", stopped).err
    done = host.rkt("auto-update", stopped, "typo", check=254)
    assert stopped in done.out and "there is no pod file for 'typo'" in done.err and "1 of 2 pods" in done.err
    lock = pathlib.Path(DATA, "auto-update/.lock")
    done = host.run("flock", str(lock), "rkt", "auto-update", check=False)
    assert done.rc == 254 and "another rkt auto-update is at work" in done.err


def test_timer(host):
    """The timer runs, and has the next day's run."""
    assert host.show("rkt-auto-update.timer", "Unit") == "rkt-auto-update.service"
    shown = host.run("systemctl", "cat", "rkt-auto-update.timer").out
    assert "OnCalendar=daily" in shown and "Persistent=yes" in shown and "RandomizedDelaySec=" in shown


def test_not_signed(host, world):
    """What trust.d does not take is not put in place; the pod runs on with what was good, and takes what is signed later."""
    key = signing.Key(f"{CACHE}/cosign", "cosign", "p256")
    trust = pathlib.Path("/etc/rkt/trust.d/auto-update.conf")
    trust.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    trust.write_text(f"[Trust]\nPrefix={world.registry.host}\nCosignKey={key.public}\n")

    def sign(image):
        signing.cosign(world.registry.publish, key, image.digest, f"{world.registry.host}/a/b", "a/b", None)

    first, second = version(1), version(2)
    try:
        world.registry.publish(first)
        sign(first)
        pod = world.pods.write("signed", pod_text(world.image).replace("InsecureOptions=image\n", ""))
        world.pods.start(pod)
        world.registry.publish(second)
        done = host.rkt("auto-update", pod, check=False)
        assert done.rc == 254 and "failed" in done.out and "has no signature" in done.err, done
        assert world.version(pod) == "version 1" and oci.digest(second.layers[1]) not in world.blobs()
        sign(second)
        assert world.update(pod) == {pod: "true"}
        assert world.version(pod) == "version 2"
    finally:
        trust.unlink()
