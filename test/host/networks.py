# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the tests of pod networks: `net`, `method`, `net_d`, `outside`."""
import json
import pathlib
import re

import pytest

from conftest import app_section

CNI = pathlib.Path("/usr/lib/cni")
NETD = pathlib.Path("/etc/rkt/net.d")
WWW = "mkdir -p /www; echo from-{0} > /www/index.html; httpd -f -p [::]:80 -h /www"
POD = "[Pod]\nInsecureOptions=image\n"


@pytest.fixture(params=["cni", "built-in"])
def method(request, host):
    """Who makes the built-in networks."""
    if request.param == "built-in":
        host.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", CNI)
    yield request.param
    if request.param == "built-in":
        host.run("umount", CNI)


class Network:
    """What tests ask of pods and of the host's network."""

    def __init__(self, host, pods, images):
        self.host, self.pods, self.images = host, pods, images

    def server(self, name, pod, more=""):
        """A pod with a web server that says who it is."""
        name = self.pods.write(name, POD + pod + app_section("main", self.images.busybox, WWW.format("t-" + name), more))
        self.pods.start(name)
        return name

    def leader(self, name):
        """PID 1 of a pod."""
        return self.host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()

    def inside(self, name, *command, **kwargs):
        """Run a program of the host in a pod's network."""
        return self.host.run("nsenter", "-t", self.leader(name), "-n", *command, **kwargs)

    def in_app(self, name, *command, **kwargs):
        """Run a program of the app."""
        return self.host.run("nsenter", "-t", self.leader(name), "-m", "-n", "chroot", "/opt/stage2/main/rootfs", *command,
                             **kwargs)

    def info(self, name):
        """The networks of a running pod, as rkt list has them."""
        found = [p for p in json.loads(self.host.rkt("list", "--format=json").out)
                 if p["machine"] == name and p["state"] == "running"]
        return found[0].get("networks", [])

    def get(self, url, *before, check=True):
        """What a web server answers."""
        return self.host.run(*before, "curl", "-sS", "--max-time", "5", "--retry", "20", "--retry-delay", "0",
                             "--retry-connrefused", "--retry-max-time", "5", url, check=check).out.strip()

    def refused(self, url, *before):
        """Whether nobody listens there."""
        done = self.host.run(*before, "curl", "-sS", "--max-time", "60", url, check=False)
        assert done.rc in (0, 7), done  # neither an answer nor a refusal says nothing
        return done.rc == 7

    def closed(self, name, *before):
        """Whether an unpublished port of a pod is out of reach, by both families, because of our rule alone: there is a way to it."""
        one = self.info(name)[0]
        urls = [f"http://{one['ip']}/"] + ([f"http://[{one['ip6']}]/"] if one.get("ip6") else [])
        refusals = [self.host.run(*before, "curl", "-sS", "--connect-timeout", "1", "--max-time", "60", url, check=False).rc == 28
                    for url in urls]
        self.host.run("nft", "flush", "chain", "inet", "rkt", "forward")
        answers = [self.get(url, *before) == f"from-{name}" for url in urls]
        self.host.run("systemctl", "restart", "rkt-net")
        return all(refusals) and all(answers)

    def left(self):
        """What networks leave behind, which is nothing."""
        links = self.host.run("ip", "-o", "link").out
        found = re.findall(r": (rkt[-0-9][^:@]*)[:@]", links) + re.findall(r": (veth[^:@]*)[:@]", links)
        found += [p.name for p in pathlib.Path("/run/netns").glob("cni-*")]
        found += [p.name for p in pathlib.Path("/run/rkt/net").glob("*-*")]
        table = self.host.run("nft", "list", "table", "inet", "rkt", check=False)
        return found + ([table.out] if table.rc == 0 else [])


@pytest.fixture
def net(host, pods, images):
    """Networks of this test's pods."""
    made = Network(host, pods, images)
    yield made
    pods.cleanup()
    host.run("rkt", "gc", "--grace-period=0s")
    assert made.left() == []


@pytest.fixture
def outside(host):
    """A command prefix that runs on another machine, which knows this host as 10.99.0.1 and fd99::1, and as a router to pods."""
    host.sh("""ip netns add outside; ip link add out0 type veth peer name out1 netns outside
        ip addr add 10.99.0.1/24 dev out0; ip addr add fd99::1/64 dev out0 nodad; ip link set out0 up
        ip -n outside addr add 10.99.0.2/24 dev out1; ip -n outside addr add fd99::2/64 dev out1 nodad
        ip -n outside link set out1 up; ip -n outside link set lo up
        ip -n outside route add 172.16.0.0/12 via 10.99.0.1; ip -n outside route add fd00::/8 via fd99::1""")
    yield ("ip", "netns", "exec", "outside")
    host.sh("ip netns del outside; ip link del out0 2>/dev/null || :")


@pytest.fixture
def net_d():
    """Write configurations and plugins into net.d; all is gone afterwards."""
    made = []

    def write(name, text, executable=False):
        NETD.mkdir(parents=True, exist_ok=True)
        path = NETD / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        path.chmod(0o755 if executable else 0o644)
        made.append(path)
        return path

    log = pathlib.Path("/run/cni-fake.log")
    log.unlink(missing_ok=True)
    yield write
    for path in made:
        path.unlink()
    log.unlink(missing_ok=True)


@pytest.fixture
def host_dns():
    """The host has an /etc/resolv.conf for a while."""
    path = pathlib.Path("/etc/resolv.conf")
    before = path.read_text() if path.exists() else None
    path.write_text("# a host\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch home\n")
    yield path
    if before is None:
        path.unlink()
    else:
        path.write_text(before)
