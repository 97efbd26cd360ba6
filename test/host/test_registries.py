# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where images of registries are got from, and with whose credentials: registries.d, dockerAuth, the files and helpers of
docker and podman. ecosystem 1.7; what files may say is in src/config/test-registries.c and test-docker-auth.c."""
import base64
import json
import pathlib
import shutil

import pytest

from conftest import CACHE
from images import keys, oci
from images.registry import PASSWORD, USER, FakeRegistry, basic, name_hosts

BUSYBOX = pathlib.Path("/bin/busybox").read_bytes()
IMAGE = oci.Image([oci.tar({"bin": None, "bin/busybox": (0o755, BUSYBOX), "bin/sh": "busybox"})], app={"Cmd": ["/bin/sh"]})
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class World:
    """A registry, a mirror, and rkt with configuration of its own."""

    def __init__(self, host, authority, top):
        self.host, self.top = host, top
        self.home = top / "home"
        self.registry, self.mirror = FakeRegistry(authority), FakeRegistry(authority, "mirror.test")

    def conf(self, text, name="test.conf"):
        """A file of registries.d; @R and @M are the registry and the mirror."""
        path = self.top / "config/registries.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("@R", self.registry.host).replace("@M", self.mirror.host))

    def docker_auth(self, where, user=USER, password=PASSWORD):
        """A file of auth.d."""
        path = self.top / "config/auth.d/test.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"rktKind": "dockerAuth", "rktVersion": "v1", "registries": [where],
                                    "credentials": {"user": user, "password": password}}))
        path.chmod(0o600)

    def fetch(self, name="a/b", check=True, env=None, host=""):
        """rkt fetch, into an empty store; host: another one than the registry's."""
        self.registry.requests.clear()
        self.mirror.requests.clear()
        reference = f"docker://{host or self.registry.host}/{name}"
        self.host.rkt("image", "rm", reference, check=False)
        self.host.rkt("image", "gc", "--grace-period=0s", check=False)
        return self.host.rkt(f"--user-config={self.top}/config", "--insecure-options=image", "fetch", reference, check=check,
                             env={"HOME": str(self.home), **(env or {})})

    def served(self):
        """Who gave the manifest: "registry", "mirror"."""
        return [name for name, r in (("mirror", self.mirror), ("registry", self.registry)) if r.asked("/v2/*/manifests/*", "GET")]

    @staticmethod
    def secrets(registry):
        """The Authorization headers that somebody got."""
        return {r.authorization for r in registry.requests} - {""}


@pytest.fixture(name="world")
def _world(host, authority, no_images, installed, tmp_path):  # pylint: disable=unused-argument
    name_hosts()
    made = World(host, authority, tmp_path)
    with made.registry, made.mirror:
        yield made


def test_mirrors(world):
    """Mirrors are asked in their order, under their own names; what none of them has comes from the registry."""
    world.registry.publish(IMAGE)
    world.mirror.publish(IMAGE, "hub/a/b")
    world.conf("[Registry]\nPrefix=@R\nMirror=127.0.0.3:9\nMirror=@M/nothing\nMirror=@M/hub\n")
    world.fetch()
    assert world.mirror.asked("/v2/nothing/a/b/manifests/latest")
    assert world.mirror.asked("/v2/hub/a/b/blobs/*", "GET") and world.registry.requests == []
    world.mirror.repositories.clear()
    world.fetch()
    assert world.served()[-1] == "registry" and not world.mirror.asked("/v2/*/blobs/*")
    listed = world.host.rkt("image", "list", "--no-legend", "--fields=source").out
    assert f"docker://{world.registry.host}/a/b" in listed and "mirror.test" not in listed


def test_prefixes(world):
    """The longest prefix counts; Location= stands for it; by digest only, or by tag only; blocked ones are not asked for."""
    for name in ("a/b", "other/c"):
        world.registry.publish(IMAGE, name)
        world.mirror.publish(IMAGE, name)
    world.conf("[Registry]\nPrefix=@R\nBlocked=yes\n"
               "[Registry]\nPrefix=@R/a\nMirror=@M/a\nPullFromMirror=digest-only\n"
               "[Registry]\nPrefix=*.gone.test\nLocation=@M/other\n")
    done = world.fetch("other/c", check=False)
    assert done.rc == 254 and f"'{world.registry.host}/other/c' may not be pulled: test.conf says Blocked=yes" in done.err
    assert world.registry.requests == []
    world.fetch()
    assert world.served() == ["registry"]
    world.fetch(f"a/b@{IMAGE.digest}")
    assert world.served() == ["mirror"]
    world.fetch("c", host="x.gone.test")
    assert world.served() == ["mirror"]


def test_mirror_never_gets_what_is_the_registrys(world):
    """Each place has credentials of its own: a mirror that asks for the registry's does not get them."""
    world.registry.auth = world.mirror.auth = "basic"
    world.registry.publish(IMAGE)
    world.mirror.publish(IMAGE)
    world.conf("[Registry]\nPrefix=@R\nMirror=@M\n")
    world.docker_auth(world.registry.host)
    world.fetch()
    assert world.served()[-1] == "registry" and world.secrets(world.registry) == {basic()}
    assert world.mirror.requests and world.secrets(world.mirror) == set()


@pytest.mark.parametrize("source", ["auth.d", "REGISTRY_AUTH_FILE", "auth.json", "config.json", "dockercfg", "namespace",
                                    "identity token", "helper", "store"])
def test_credentials(world, source):
    """All the places where a login may be, and the programs that keep one."""
    host = world.registry.host
    world.registry.auth = "private"
    world.registry.identity_token = "s3cr3t-token"
    world.registry.publish(IMAGE)
    assert world.fetch(check=False).rc == 254
    entry, env = {"auth": LOGIN}, {"PATH": f"{world.top}/bin:/usr/bin:/bin"}
    files = {"REGISTRY_AUTH_FILE": ("my.json", {"auths": {host: entry}}),
             "auth.json": ("home/.config/containers/auth.json", {"auths": {host: entry}}),
             "config.json": ("home/.docker/config.json", {"auths": {f"https://{host}/v1/": entry}}),
             "dockercfg": ("home/.dockercfg", {host: entry}),
             "namespace": ("home/.docker/config.json", {"auths": {host: {"auth": "eDp5"}, f"{host}/a": entry}}),
             "identity token": ("home/.docker/config.json", {"auths": {host: {"identitytoken": "s3cr3t-token"}}}),
             "helper": ("home/.docker/config.json", {"credHelpers": {host: "test"}}),
             "store": ("home/.docker/config.json", {"auths": {host: {}}, "credsStore": "test"})}
    if source == "auth.d":
        world.docker_auth(host)
    else:
        path = world.top / files[source][0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(files[source][1]))
    if source == "REGISTRY_AUTH_FILE":
        env[source] = str(world.top / "my.json")
    helper = world.top / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\nread host\n[ \"$1 $host\" = 'get {host}' ] || exit 1\n"
                      f"echo '{{\"ServerURL\":\"{host}\",\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n")
    helper.chmod(0o755)
    done = world.fetch(env=env)
    assert PASSWORD not in done.all and "s3cr3t" not in done.all
    if source in ("helper", "store"):
        helper.write_text(f"#!/bin/sh\necho 'the agent is locked' >&2\necho '{{\"Secret\":\"{PASSWORD}\"}}'\nexit 1\n")
        done = world.fetch(env=env, check=False)
        assert done.rc == 254 and "docker-credential-test" in done.err and "the agent is locked" in done.err
        assert PASSWORD not in done.all


def test_credentials_of_a_unit(host, world, pods):
    """rkt.auth.json of LoadCredential= in a drop-in of pod-image@.service, as rkt-config(5) says."""
    world.registry.auth = "private"
    world.registry.publish(IMAGE)
    secret = world.top / "secret.json"
    secret.write_text(json.dumps({"auths": {world.registry.host: {"auth": LOGIN}}}))
    secret.chmod(0o600)
    dropin = pathlib.Path("/run/systemd/system/pod-image@.service.d/test.conf")
    dropin.parent.mkdir(parents=True, exist_ok=True)
    pod = pods.write("login", f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\n"
                              f"Image=docker://{world.registry.host}/a/b\nExec=/bin/sh -c \"exec busybox sleep infinity\"\n")
    try:
        assert pods.start(pod, check=False).rc != 0
        dropin.write_text(f"[Service]\nLoadCredential=rkt.auth.json:{secret}\n")
        host.run("systemctl", "daemon-reload")
        pods.start(pod)
        assert host.is_active(f"pod@{pod}")
    finally:
        shutil.rmtree(dropin.parent)
        host.run("systemctl", "daemon-reload")


def test_plain_http(world):
    """Without TLS only where it is said, and never with credentials."""
    with FakeRegistry(None) as plain:
        plain.publish(IMAGE)
        done = world.fetch(host=plain.host, check=False)
        assert done.rc == 254 and plain.requests == []
        world.conf(f"[Registry]\nPrefix={plain.host}\nInsecure=http\n")
        world.docker_auth(plain.host)
        world.fetch(host=plain.host)
        assert plain.asked("/v2/a/b/blobs/*") and world.secrets(plain) == set()
        plain.auth = "basic"
        assert world.fetch(host=plain.host, check=False).rc == 254
        assert world.secrets(plain) == set()


@pytest.mark.parametrize("how", ["CertificateAuthority", "certs.d", "Insecure"])
def test_certificates(world, how):
    """A private authority, by registries.d, and where docker and podman look; or no check at all."""
    private = keys.Authority(f"{CACHE}/private-ca", "private")
    with FakeRegistry(private) as registry:
        registry.publish(IMAGE)
        assert world.fetch(host=registry.host, check=False).rc == 254
        assert registry.requests == []
        certs = pathlib.Path("/etc/containers/certs.d", registry.host)
        try:
            if how == "certs.d":
                certs.mkdir(parents=True)
                shutil.copy(private.cert, certs / "ca.crt")
            elif how == "Insecure":
                world.conf(f"[Registry]\nPrefix={registry.host}\nInsecure=tls\n")
            else:
                world.conf(f"[Registry]\nPrefix={registry.host}\n{how}={private.cert}\n")
            world.fetch(host=registry.host)
        finally:
            shutil.rmtree(certs, ignore_errors=True)
        assert registry.asked("/v2/a/b/blobs/*")


def test_mistakes(world):
    """A mistake in registries.d is an error with file and line, and nothing is asked then; rkt config shows what counts."""
    world.registry.publish(IMAGE)
    world.conf("[Registry]\nPrefix=@R\n\nMirrors=@M\n")
    done = world.fetch(check=False)
    assert done.rc == 254 and "registries.d/test.conf:4: [Registry] Mirrors: unknown key (did you mean Mirror=?)" in done.err
    assert world.registry.requests == []
    world.conf("[Registry]\nPrefix=@R\nMirror=@M\n")
    shown = json.loads(world.host.rkt(f"--user-config={world.top}/config", "config").out)["stage0"]
    rules = [r for r in shown if r["rktKind"] == "registry"]
    assert [(r["prefix"], r["mirrors"]) for r in rules] == [(world.registry.host, [world.mirror.host])]
