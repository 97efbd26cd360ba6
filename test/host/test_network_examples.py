# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of rkt-networking(7): written to where the page says, started, and seen to do what the page says."""
import contextlib
import pathlib
import re
import subprocess

import pytest

from networks import POD, WWW

PAGE = pathlib.Path(__file__).resolve().parents[2] / "man/rkt-networking.7.scd"


def examples():
    """{title: [(path, text)]}."""
    section = re.search(r"^# EXAMPLES\n(.*?)^# [A-Z]", PAGE.read_text(encoding="utf-8"), re.M | re.S).group(1)
    found = {}
    for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", section, re.M | re.S):
        block = "".join(re.findall(r"^```\n(.*?)^```$", body, re.M | re.S))
        found[title] = re.findall(r"^# (/\S+)\n(.*?)(?=^# /|\Z)", block, re.M | re.S)
    return found


class Example:
    """The files of one example, with names of this test's pods and an image that there is: a web server that says who it is."""

    def __init__(self, net, net_d, files):
        self.net = net
        self.stems = [pathlib.Path(path).stem for path, _ in files if path.endswith(".pod")]
        for path, text in files:
            where = pathlib.Path(path)
            if where.suffix == ".pod":
                net.pods.write(where.stem, self.pod_text(where.stem, text))
            else:
                assert where.parent == pathlib.Path("/etc/rkt/net.d"), path
                net_d(where.name, text)
        for stem in reversed(self.stems):  # what others need stands last
            net.pods.start(f"t-{stem}")

    def pod_text(self, stem, text):
        """Only what cannot be there is replaced."""
        names = "|".join(sorted(self.stems, key=len, reverse=True))
        text = re.sub(rf"(?<![\w/-])({names})(?![\w-])", r"t-\1", text)
        text, images = re.subn(r"^Image=\S+$", f'Image={self.net.images.busybox}\nExec=/bin/sh -c "{WWW.format("t-" + stem)}"', text,
                               flags=re.M)
        assert images == 1, text
        return f"{POD}\n{text}"

    def address(self, stem, number=0):
        """An address of a pod."""
        return self.net.info(f"t-{stem}")[number]["ip"]

    def namespace(self, stem):
        """Prefix of a command that runs in a pod's network."""
        return ("nsenter", "-t", self.net.leader(f"t-{stem}"), "-n")


def check_shop(x, outside):
    """8080 from anywhere; the database by its name, and not by who has a route to it."""
    assert x.net.get("http://10.99.0.1:8080/", *outside) == "from-t-shop"
    uuid = x.net.pods.uuid("t-shop")
    line = x.net.host.rkt("enter", "--app=t-shop", uuid, "/bin/sh", "-c", 'grep -w "$DB_HOST" /etc/hosts').out.splitlines()[0]
    assert line.split() == [x.address("shop-db"), "t-shop-db"]
    assert x.net.get(f"http://{x.address('shop-db')}/", *x.namespace("shop")) == "from-t-shop-db"
    assert x.net.closed("t-shop-db", *outside)


def check_address(x, outside):
    """Its address; its port for this host alone."""
    assert x.address("admin") == "172.16.28.50"
    assert x.net.get("http://127.0.0.1:9000/") == "from-t-admin"
    assert x.net.refused("http://10.99.0.1:9000/", *outside)


def check_no_way_out(x, outside):
    """The worker reaches the proxy and nothing else, the proxy the world."""
    with subprocess.Popen([*outside, "python3", "-c", "import http.server as h; s = h.HTTPServer(('10.99.0.2', 8000), "
                           "h.SimpleHTTPRequestHandler); print('ready', flush=True); s.serve_forever()"], cwd="/srv",
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as world:
        assert world.stdout.readline() == "ready\n"
        try:
            assert "Directory listing" in x.net.get("http://10.99.0.2:8000/", *x.namespace("proxy"))
            assert x.net.refused("http://10.99.0.2:8000/", *x.namespace("worker"))
        finally:
            world.kill()
    assert x.net.get(f"http://{x.address('proxy')}/", *x.namespace("worker")) == "from-t-proxy"


def check_backend(x, outside):
    """Its addresses, its MTU, its port."""
    assert x.address("queue").startswith("10.22.0.")
    assert " mtu 1400 " in x.net.host.run(*x.namespace("queue"), "ip", "link", "show", "eth0").out
    assert x.net.get("http://10.99.0.1:5672/", *outside) == "from-t-queue"


def check_lan(x, outside):
    """Its address, for others on that wire."""
    assert x.address("camera") in {f"192.168.7.{n}" for n in range(200, 221)} and outside
    assert x.net.get(f"http://{x.address('camera')}/", "ip", "netns", "exec", "t-router") == "from-t-camera"


CHECKS = {
    "A web server, and its database by name": check_shop,
    "A fixed address, for this host alone": check_address,
    "Nothing gets out": check_no_way_out,
    "A bridge of one's own": check_backend,
    "An address of the local network": check_lan,
}


@contextlib.contextmanager
def wire(host):
    """eth0 of this host, and who else is on it."""
    assert not pathlib.Path("/sys/class/net/eth0").exists()
    host.sh("""ip netns add t-router; ip link add eth0 type veth peer name r0 netns t-router; ip link set eth0 up
        ip -n t-router addr add 192.168.7.1/24 dev r0; ip -n t-router link set r0 up""")
    try:
        yield
    finally:
        host.sh("ip netns del t-router; ip link del eth0 2>/dev/null || :")


@pytest.mark.parametrize("title", CHECKS)
def test_example(host, net, net_d, outside, title):
    """Issue 7: rkt-networking(7) explains it with examples that are tests."""
    found = examples()
    assert set(found) == set(CHECKS) and all(found.values())
    with wire(host):
        try:
            x = Example(net, net_d, found[title])
            CHECKS[title](x, outside)
        finally:
            net.pods.cleanup()
            host.sh("ip link del backend0 2>/dev/null || :; nft flush ruleset")
