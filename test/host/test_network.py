# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pod networks: the built-in ones, with Debian's plugins and without them; ports; names; what is left afterwards.

All of it twice: `method` hides the plugins by an empty mount for the second round."""
import contextlib
import json
import pathlib
import socket
import subprocess

import pytest

from conftest import app_section
from networks import POD

LISTEN = """import socket, sys
kind = sys.argv[1]
s = socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM, proto=132 if kind == "sctp" else 0)
s.settimeout(10)
s.bind(("", int(sys.argv[2])))
kind == "udp" or s.listen()
print("ready", flush=True)
print((s if kind == "udp" else s.accept()[0]).recv(100).decode(), end="")"""
SEND = """import socket, sys
kind = sys.argv[1]
s = socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM, proto=132 if kind == "sctp" else 0)
s.settimeout(10)
s.connect((sys.argv[2], int(sys.argv[3])))
s.send(b"hello")"""
def has_sctp():
    """Whether the kernel can."""
    try:
        socket.socket(type=socket.SOCK_STREAM, proto=132).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def listening(port):
    """A program of the host that listens."""
    with socket.create_server(("0.0.0.0", port), reuse_port=False) as server:
        yield server


def test_default_network(host, pods, net, outside, method):
    """NET-04, NET-05, NET-07..NET-11, NET-16, LST-03, PFWD: two pods in the network default."""
    web = net.server("web", "Network=default\nPublishPort=18080:80 127.0.0.1:18081:80 18090-18092:80-82\n"
                     "PublishPort=10.99.0.1:18083:80 [fd99::1]:18084:80 19000:9000/udp 19001:9001/sctp\n")
    cat = net.server("cat", "Network=default\nHostName=kitty\n")
    (one,), (two,) = net.info(web), net.info(cat)
    assert one["netName"] == "default" and one["ifName"] == "eth0" and one["method"] == method
    assert one["mask"] == "255.255.255.0" and one["ip"].startswith("172.16.28.") and one["ip"] != two["ip"]
    assert one["ip"] in host.run("machinectl", "status", web).out
    assert any(m["machine"] == web and one["ip"] in m["addresses"] for m in host.machines())
    uuid = pods.uuid(web)
    both = f"default:ip4={one['ip']}, default:ip6={one['ip6']}"
    assert f"networks={both}\n" in host.rkt("status", uuid).out and both in host.rkt("list").out
    info = json.loads(pathlib.Path(f"/var/lib/rkt/pods/run/{uuid}/net-info.json").read_text())
    assert info == [one]

    # of its own, and of the other by address and by name
    assert host.run("readlink", "/proc/self/ns/net").out != net.inside(web, "readlink", "/proc/self/ns/net").out
    assert net.get(f"http://{one['ip']}/") == f"from-{web}"
    assert net.get(f"http://[{one['ip6']}]/") == f"from-{web}"
    for url in (f"http://{one['ip']}/", f"http://[{one['ip6']}]/"):
        assert net.get(url, "nsenter", "-t", net.leader(cat), "-n") == f"from-{web}", url
    names = net.in_app(cat, "/bin/cat", "/etc/hosts").out.splitlines()  # a static wget of Debian 12 crashes when it looks up
    assert f"{one['ip']} {web}" in names and f"{one['ip6']} {web}" in names
    assert f"{two['ip']} {cat} kitty" in net.in_app(web, "/bin/cat", "/etc/hosts").out.splitlines()

    # ports: of the host's addresses, its localhost, the pod itself, another pod, another machine
    for url in ("http://172.16.28.1:18080/", "http://127.0.0.1:18080/", "http://127.0.0.1:18081/", "http://127.0.0.1:18090/",
                "http://10.99.0.1:18083/", "http://[fd99::1]:18084/", "http://[fd99::1]:18080/"):
        assert net.get(url) == f"from-{web}", url
    for prefix in (("nsenter", "-t", net.leader(web), "-n"), ("nsenter", "-t", net.leader(cat), "-n"), outside):
        for url in ("http://10.99.0.1:18080/", "http://[fd99::1]:18080/", "http://10.99.0.1:18090/"):
            assert net.get(url, *prefix) == f"from-{web}", (prefix, url)
    assert net.refused("http://127.0.0.1:18083/") and net.refused("http://10.99.0.1:18081/", *outside)
    assert net.refused("http://10.99.0.1:18084/") and net.refused("http://[::1]:18080/")
    for kind, port in (("udp", 9000), ("sctp", 9001)):
        if kind == "sctp" and not has_sctp():
            print("sctp: only the rule is looked at, this kernel has no SCTP")
            assert "sctp dport 19001" in host.run("nft", "list", "table", "inet", "rkt").out
            continue
        listen = subprocess.Popen(["nsenter", "-t", net.leader(web), "-n", "python3", "-c", LISTEN, kind, str(port)],
                                  stdout=subprocess.PIPE, text=True)
        assert listen.stdout.readline() == "ready\n"
        host.run(*outside, "python3", "-c", SEND, kind, "10.99.0.1", port + 10000)
        assert listen.communicate(timeout=120)[0] == "hello"

    # who has a route to pods gets no further than to published ports
    assert net.closed(cat, *outside) and net.get("http://10.99.0.1:18080/", *outside) == f"from-{web}"

    # NAT: the other machine sees the host; and nobody comes in by what a published port needs
    seen = subprocess.Popen([*outside, "python3", "-c", "import socket; s = socket.create_server(('10.99.0.2', 80)); "
                             "print('ready', flush=True); print(s.accept()[1][0])"], stdout=subprocess.PIPE, text=True)
    assert seen.stdout.readline() == "ready\n"
    net.inside(cat, "python3", "-c", "import socket; socket.create_connection(('10.99.0.2', 80), 5)")
    assert seen.communicate(timeout=120)[0] == "10.99.0.1\n"
    net.inside(cat, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; ip addr del 127.0.0.1/8 dev lo; "
               "ip route add 127.0.0.0/8 via 172.16.28.1 src $(ip -4 -o addr show eth0 | sed 's,.*inet \\([0-9.]*\\).*,\\1,')")
    to_localhost = ("nsenter", "-t", net.leader(cat), "-n", "python3", "-c",
                    "import socket; socket.create_connection(('127.0.0.1', 18099), 2)")
    with listening(18099):
        assert "timed out" in host.run(*to_localhost, check=False).err
        host.run("nft", "flush", "ruleset")  # as the page says
        host.run(*to_localhost)
        host.run("systemctl", "restart", "rkt-net")
        assert "timed out" in host.run(*to_localhost, check=False).err

    # no pod is a router of the host's, which forwards and nevertheless listens to its own
    assert pathlib.Path("/proc/sys/net/ipv6/conf/rkt0/accept_ra").read_text() == "0\n"
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"

    localnet = pathlib.Path("/proc/sys/net/ipv4/conf/rkt0/route_localnet")
    assert localnet.read_text() == "1\n"

    # what somebody flushes comes back
    host.run("nft", "flush", "ruleset")
    assert net.refused("http://10.99.0.1:18080/", *outside)
    host.run("systemctl", "restart", "rkt-net")
    assert net.get("http://10.99.0.1:18080/", *outside) == f"from-{web}"

    # ports that are taken
    other = pods.write("other", POD + "Network=default\nPublishPort=8085:80 18091:80\n" + app_section(
        "main", net.images.busybox, "sleep infinity"))
    assert pods.start(other, check=False).rc != 0
    assert f"port 18091/tcp of the host is taken by pod '{web}' ({uuid})" in host.status(f"pod@{other}")
    with listening(8085):
        assert pods.start(other, check=False).rc != 0
        assert "port 8085/tcp of the host is in use by a program" in host.status(f"pod@{other}")

    # kill -9: nothing is left, and names go
    host.run("systemctl", "kill", "--kill-whom=all", "--signal=KILL", f"pod@{web}")
    pods.ended(web)
    assert web not in net.in_app(cat, "/bin/cat", "/etc/hosts").out
    assert net.refused("http://127.0.0.1:18080/")
    assert localnet.read_text() == "0\n" and "127.0.0.0/8 drop" not in host.run("nft", "list", "table", "inet", "rkt").out
    pods.stop(cat)
    assert net.left() == []


RESULT = '{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.9.0.2/24"}],"dns":{"nameservers":["1.2.3.4"]}}'
FAKE = """#!/bin/sh
[ "$CNI_COMMAND" = VERSION ] && exec echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0"]}'
in=$(cat)
case $in in *1.1.0*) echo '{"cniVersion":"1.0.0","code":1,"msg":"incompatible CNI versions"}'; exit 1;; esac
{ env | grep -E '^CNI_'; sed -n 's/^CapEff:[^0-9a-f]*/CapEff=/p' /proc/self/status; echo STDIN; echo "$in"; echo END; } >> /run/cni-fake.log
"""


def calls():
    """What the fake plugin was called with, as dictionaries; "stdin" is what it read."""
    found = []
    for text in pathlib.Path("/run/cni-fake.log").read_text().split("\nEND\n")[:-1]:
        head, stdin = text.split("STDIN\n", 1)
        found.append({**dict(line.split("=", 1) for line in head.splitlines()), "stdin": stdin})
    return found


def test_what_plugins_are_told(host, pods, net, net_d):
    """NET-21, NET-24, NET-25, NET-27, NET-28, NET-29, NET-30: environment, stdin, order, versions, DNS; DEL once for each ADD."""
    long = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz54"
    one = '{ "name": "%s", "cniVersion": "0.3.1",\n  "type": "fake" }\n' % long
    net_d("fake", FAKE + f"[ $CNI_COMMAND != ADD ] || echo '{RESULT}'\n", executable=True)
    net_d("10-one.conf", one)
    net_d("20-two.conflist", {"cniVersion": "1.1.0", "name": "rkt.kubernetes.io", "plugins": [
        {"type": "fake", "capabilities": {"ips": True}}, {"type": "fake", "capabilities": {"portMappings": True}, "k": 1}]})
    name = pods.write("told", POD + f"Network={long}:k=v,IP=1.2.3.9 rkt.kubernetes.io:ip=10.9.0.7 PublishPort=18080:80\n".replace(
        " PublishPort", "\nPublishPort") + app_section("main", net.images.busybox, "sleep infinity"))
    pods.start(name)
    uuid = pods.uuid(name)
    assert [(n["netName"], n["ip"], n["method"]) for n in net.info(name)] == [
        (long, "10.9.0.2", "cni"), ("rkt.kubernetes.io", "10.9.0.2", "cni")]
    assert net.in_app(name, "/bin/cat", "/etc/resolv.conf").out == "nameserver 1.2.3.4\n"
    pods.stop(name)
    made = calls()
    assert [(c["CNI_COMMAND"], c["CNI_IFNAME"]) for c in made] == [
        ("ADD", "eth0"), ("ADD", "eth1"), ("ADD", "eth1"), ("DEL", "eth1"), ("DEL", "eth1"), ("DEL", "eth0")]
    for call in made:
        assert int(call["CapEff"], 16) == 1 << 12 | 1 << 13 | 1 << 21  # NET_ADMIN, NET_RAW (iptables-legacy), SYS_ADMIN
        assert call["CNI_VERSION"] == "0.1.0" and call["CNI_CONTAINERID"] == uuid
        assert call["CNI_NETNS"] == f"/var/run/netns/cni-{uuid}"
        assert call["CNI_PATH"].startswith("/etc/rkt/net.d:/usr/lib/rkt/plugins/net:")
        assert call["CNI_ARGS"] == ("k=v;IP=1.2.3.9" if call["CNI_IFNAME"] == "eth0" else "")
    assert made[0]["stdin"] == made[-1]["stdin"] == one.rstrip()
    first, second, last = (json.loads(made[i]["stdin"]) for i in (1, 2, 3))
    assert first == {"cniVersion": "0.4.0", "name": "rkt.kubernetes.io", "type": "fake", "runtimeConfig": {"ips": ["10.9.0.7"]}}
    mapping = {"hostPort": 18080, "containerPort": 80, "protocol": "tcp"}
    assert second == {"cniVersion": "0.4.0", "name": "rkt.kubernetes.io", "type": "fake", "k": 1,
                      "runtimeConfig": {"portMappings": [mapping]}, "prevResult": json.loads(RESULT)}
    assert last == second


@pytest.mark.parametrize("script,message", [
    ("echo '{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"come back later\",\"details\":\"busy\"}'; exit 1", "come back later: busy"),
    ("echo 'it went wrong' >&2; exit 3", "exit status 3: it went wrong"),
    ("head -c 300000 /dev/zero | tr '\\0' x", "it printed more than"),
    ("echo '{\"ips\":[{\"address\":\"nonsense\"}]}'", "'nonsense' in the result is no address"),
    ("kill -9 $$", "exit status 137"),
    ("exec sleep 60", "it did not end within 1 seconds"),
], ids=["error", "stderr", "flood", "rubbish", "killed", "hangs"])
def test_plugin_fails(host, pods, net, net_d, script, message):
    """Issue 7, 2: the pod does not start, the plugin's message is shown, what had been added is removed, and nothing else."""
    net_d("fake", FAKE + "[ $CNI_COMMAND = ADD ] || exit 0\n[ \"$CNI_IFNAME\" = eth1 ] || exec echo '{}'\n" + script + "\n",
          executable=True)
    for name in ("a", "b", "c"):  # it does not come to the third
        net_d(f"{name}.conf", {"cniVersion": "0.4.0", "name": name, "type": "fake"})
    name = pods.write("bad", POD + "Network=a b c\n" + app_section("main", net.images.busybox, "sleep infinity") +
                      "\n[Service]\nEnvironment=RKT_CNI_TIMEOUT_SEC=1\n")
    assert pods.start(name, check=False).rc != 0
    status = host.status(f"pod@{name}")
    assert message in status and "network 'b'" in status
    assert [(c["CNI_COMMAND"], c["CNI_IFNAME"]) for c in calls()] == [("ADD", "eth0"), ("ADD", "eth1"), ("DEL", "eth1"), ("DEL", "eth0")]
    assert net.left() == []


def test_own_networks(host, pods, net, net_d, outside):
    """NET-06, NET-12..NET-15, NET-19, NET-20, NET-22, NET-23: bridge and ptp of Debian's plugins, ports of theirs and ours;
    default-restricted; requested addresses; a network that takes the place of default; one that is not there."""
    net_d("bridge.conf", {"cniVersion": "0.4.0", "name": "bridge", "type": "bridge", "bridge": "t-br0", "ipMasq": True,
                          "isGateway": True, "ipam": {"type": "host-local", "subnet": "11.11.5.0/24",
                                                      "routes": [{"dst": "0.0.0.0/0"}]}})
    net_d("own.conf", {"name": "default", "type": "ptp", "ipMasq": True, "ipam": {
        "type": "host-local", "subnet": "172.16.29.0/24", "routes": [{"dst": "0.0.0.0/0"}]}})
    bridge = net.server("bridge", "Network=bridge default-restricted:IP=172.31.42.42\nPublishPort=18080:80\n")
    users = "PrivateUsers=pick\n" if int(host.run("systemctl", "--version").out.split()[1]) >= 257 else ""
    ptp = net.server("ptp", "Network=default:IP=172.16.29.123\nPublishPort=18081:80\n" + users)
    try:
        assert [n["ip"].rsplit(".", 1)[0] for n in net.info(bridge)] == ["11.11.5", "172.31.42"]
        assert net.info(ptp)[0]["ip"] == "172.16.29.123" and net.info(ptp)[0]["netConf"] == "/etc/rkt/net.d/own.conf"
        for url in ("http://11.11.5.1:18080/", "http://127.0.0.1:18080/", "http://172.31.42.42/"):
            assert net.get(url) == f"from-{bridge}", url
        for url in ("http://172.16.29.1:18081/", "http://127.0.0.1:18081/", "http://172.16.29.123/"):
            assert net.get(url) == f"from-{ptp}", url
        for prefix in (outside, ("nsenter", "-t", net.leader(bridge), "-n"), ("nsenter", "-t", net.leader(ptp), "-n")):
            assert net.get("http://10.99.0.1:18080/", *prefix) == f"from-{bridge}", prefix
            assert net.get("http://10.99.0.1:18081/", *prefix) == f"from-{ptp}", prefix
        other = pods.write("other", POD + "Network=default-restricted:IP=172.31.42.42\n" + app_section(
            "main", net.images.busybox, "sleep infinity"))
        assert pods.start(other, check=False).rc != 0
        assert 'requested IP address "172.31.42.42" is not available in network: default-restricted' in host.status(f"pod@{other}")
        done = host.rkt("run", "--insecure-options=image", "--net=default-restricted:IP=172.31.42.42", net.images.busybox,
                        check=False)
        assert done.rc == 254 and 'requested IP address "172.31.42.42" is not available' in done.err
        pods.write("other", POD + "Network=nowhere\n" + app_section("main", net.images.busybox, "sleep infinity"))
        assert pods.start(other, check=False).rc != 0
        assert "there is no network 'nowhere' in /etc/rkt/net.d; known are default, default-restricted, host, none, bridge" \
            in host.status(f"pod@{other}")
        assert list(pathlib.Path("/var/lib/cni/networks/bridge").glob("11.*"))
    finally:
        for name in (bridge, ptp):
            pods.stop(name)
        host.sh("ip link del t-br0")
    assert not list(pathlib.Path("/var/lib/cni/networks/bridge").glob("11.*"))


def test_after_a_reboot(host, net, net_d, tmp_path):
    """GC-02, S9: namespaces and rules are gone, what a plugin keeps on disk is not; gc asks it to forget, and may ask again."""
    net_d("bridge.conf", {"cniVersion": "0.4.0", "name": "bridge", "type": "bridge", "bridge": "t-br1",
                          "ipam": {"type": "host-local", "subnet": "11.11.6.0/24"}})
    uuid = "12345678-0000-4000-8000-000000000000"
    (tmp_path / "net").mkdir()
    wanted = {"uuid": uuid, "namespace": f"/var/run/netns/cni-{uuid}", "networks": [{"name": "bridge", "ifName": "eth0"}], "ports": []}
    host.sh(f"/usr/lib/rkt/rkt-net up /var/lib/rkt 3<{tmp_path}", stdin=json.dumps(wanted))
    leases = pathlib.Path("/var/lib/cni/networks/bridge")
    assert len(list(leases.glob("11.*"))) == 1
    host.sh(f"umount /run/netns/cni-{uuid}; rm /run/netns/cni-{uuid} /run/rkt/net/{uuid}.json; ip link del t-br1")
    for _ in range(3):
        host.sh(f"/usr/lib/rkt/rkt-net down /var/lib/rkt {uuid} 3<{tmp_path}")
        assert not list(leases.glob("11.*")) and not (tmp_path / "net/state.json").exists()


def test_two_data_directories(host, pods, net, tmp_path):
    """A running pod of another data directory keeps its network; what one left that is over, or gone, is taken away."""
    web = net.server("web", "Network=default\nPublishPort=18080:80\n")
    host.rkt(f"--dir={tmp_path / 'other'}", "gc", "--grace-period=0s")
    host.rkt(f"--dir={tmp_path / 'other'}", "--insecure-options=image", "run", "--net=default", net.images.busybox,
             "--exec=/bin/true")
    host.rkt("gc")  # the other's pod is over
    assert net.get("http://127.0.0.1:18080/") == f"from-{web}"
    assert [p.name for p in pathlib.Path("/run/rkt/net").glob("*.json")] == [f"{pods.uuid(web)}.json"]

    uuid = "12345678-0000-4000-8000-000000000001"
    (tmp_path / "net").mkdir()
    wanted = {"uuid": uuid, "namespace": f"/var/run/netns/cni-{uuid}", "dataDirectory": "/var/lib/rkt",
              "networks": [{"name": "default", "ifName": "eth0"}], "ports": []}
    state = pathlib.Path(f"/run/rkt/net/{uuid}.json")
    host.sh(f"/usr/lib/rkt/rkt-net up /var/lib/rkt 3<{tmp_path}", stdin=json.dumps(wanted))
    inside = host.spawn("nsenter", f"--net=/run/netns/cni-{uuid}", "sh", "-c", "echo ready; exec sleep 60")
    assert inside.stdout.readline() == "ready\n"
    host.rkt("gc")
    assert state.exists()
    inside.kill()
    inside.communicate()
    host.rkt(f"--dir={tmp_path / 'other'}", "gc")
    assert not state.exists() and net.get("http://127.0.0.1:18080/") == f"from-{web}"


def test_kill_of_down(host, net, tmp_path):
    """What down has not removed yet is written down: a name of a namespace is not left without a state."""
    uuid = "12345678-0000-4000-8000-000000000002"
    (tmp_path / "net").mkdir()
    wanted = {"uuid": uuid, "namespace": f"/var/run/netns/cni-{uuid}", "networks": [{"name": "default", "ifName": "eth0"}],
              "ports": []}
    name, state = pathlib.Path(f"/run/netns/cni-{uuid}"), pathlib.Path(f"/run/rkt/net/{uuid}.json")
    down = f"/usr/lib/rkt/rkt-net down /var/lib/rkt {uuid} 3</dev/null"
    host.sh(f"/usr/lib/rkt/rkt-net up /var/lib/rkt 3<{tmp_path}", stdin=json.dumps(wanted))
    host.sh(f"umount {name}; rm {name}; mkdir {name}")
    done = host.sh(down, check=False)
    assert done.rc != 0 and f"cannot remove /var/run/netns/cni-{uuid}" in done.err and state.exists()
    name.rmdir()
    host.sh(down)
    assert not state.exists()


def test_unreadable_states(host, net, tmp_path):
    """A damaged state is in nobody's way; one that cannot be read is, as its address may be taken."""
    uuid = "12345678-0000-4000-8000-000000000003"
    (tmp_path / "net").mkdir()
    wanted = {"uuid": uuid, "namespace": f"/var/run/netns/cni-{uuid}", "networks": [{"name": "default", "ifName": "eth0"}],
              "ports": []}
    stranger = pathlib.Path("/run/rkt/net/stranger.json")
    stranger.mkdir(parents=True)
    up = f"/usr/lib/rkt/rkt-net up /var/lib/rkt 3<{tmp_path}"
    done = host.sh(up, stdin=json.dumps(wanted), check=False)
    stranger.rmdir()
    assert done.rc != 0 and f"cannot read {stranger}: " in done.err
    stranger.write_text('{"uuid":')
    try:
        host.sh(up, stdin=json.dumps(wanted))
    finally:
        host.sh(f"/usr/lib/rkt/rkt-net down /var/lib/rkt {uuid} 3<{tmp_path}")
        stranger.unlink()


def test_names(host, net, images, method, host_dns):
    """DNS-01..DNS-08, NET-30, HOSTS-02: resolv.conf, by flags; none where there is no way out."""
    def resolv(*flags):
        return host.rkt("--insecure-options=image", "run", *flags, images.busybox, "--exec=/bin/sh", "--", "-c",
                        "cat /etc/resolv.conf; sha1sum /etc/resolv.conf", check=False).all

    assert net.left() == [] and method
    out = resolv("--net=default", "--dns=8.8.8.8", "--dns=8.8.4.4", "--dns-search=foo.com,bar.com", "--dns-opt=debug",
                 "--dns-opt=use-vc,rotate", "--dns-domain=example.net")
    for line in ("domain example.net", "search foo.com bar.com", "nameserver 8.8.8.8", "nameserver 8.8.4.4",
                 "options debug use-vc rotate"):
        assert line in out
    assert "No such file" in resolv("--net=default-restricted")
    assert host.run("sha1sum", host_dns).out.split()[0] in resolv("--net=none", "--dns=host")
    out = resolv("--net=default")
    assert "nameserver 9.9.9.9" in out and "search home" in out and "127.0.0.53" not in out
    assert "No such file" in resolv("--net=default", "--dns=none")


def test_many_times(host, net, method, tmp_path):
    """Issue 7, 6: thirty times up and down, four side by side, leave no interface, rule, address and namespace."""
    script = tmp_path / "loop"
    script.write_text("""import json, os, subprocess, sys, uuid
pod = sys.argv[1]
os.makedirs(pod + "/net")
os.dup2(os.open(pod, os.O_RDONLY), 3)
for _ in range(int(sys.argv[2])):
    name = str(uuid.uuid4())
    wanted = {"uuid": name, "machine": "m" + name[:8], "namespace": "/var/run/netns/cni-" + name,
              "networks": [{"name": n, "ifName": f"eth{i}"} for i, n in enumerate(("default", "default-restricted"))],
              "ports": [{"protocol": "tcp", "hostPort": 20000 + int(sys.argv[3]), "podPort": 80, "count": 1}]}
    up = subprocess.run(["/usr/lib/rkt/rkt-net", "up", "/var/lib/rkt"], input=json.dumps(wanted), pass_fds=[3], check=True,
                        stdout=subprocess.PIPE, text=True).stdout
    print(*(a for n in json.loads(up)["networks"] for a in n["addresses"]), *{n["method"] for n in json.loads(up)["networks"]})
    subprocess.run(["/usr/lib/rkt/rkt-net", "down", "/var/lib/rkt", name], pass_fds=[3], check=True)
""")
    count = 30 // 4 + 1
    running = [host.spawn("python3", script, tmp_path / f"pod{i}", count, i) for i in range(4)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert len(out.splitlines()) == count and all(line.endswith(method) for line in out.splitlines())
    assert net.left() == []
    assert not [line for line in host.run("ip", "-o", "link").out.splitlines() if "rkt" in line]


def test_no_network_and_the_hosts(host, pods, net, net_d):
    """NET-01, NET-02, NET-03, NET-18, NET-26: none has loopback alone, host is the host's; macvlan and a gateway of a plugin."""
    none = pods.write("none", POD + "Network=none\n" + app_section("main", net.images.busybox, "sleep infinity"))
    pods.start(none)
    assert net.inside(none, "ls", "/proc/self/net/dev_snmp6").out.split() == ["lo"]
    assert net.inside(none, "readlink", "/proc/self/ns/net").out != host.run("readlink", "/proc/self/ns/net").out
    pods.stop(none)
    mine = pods.write("hosts", POD + "Network=host\n" + app_section(
        "main", net.images.busybox, "mkdir /www; echo of-the-host > /www/index.html; httpd -f -p 18088 -h /www"))
    pods.start(mine)
    assert net.inside(mine, "readlink", "/proc/self/ns/net").out == host.run("readlink", "/proc/self/ns/net").out
    assert net.get("http://127.0.0.1:18088/") == "of-the-host"
    pods.stop(mine)

    host.sh("""ip link add t-parent type veth peer name t-peer; ip link set t-parent up; ip link set t-peer up
        ip addr add 10.98.0.1/24 dev t-parent; ip route add default via 10.98.0.2 dev t-parent""")
    try:
        net_d("mac.conf", {"cniVersion": "0.4.0", "name": "mac", "type": "macvlan", "master": "t-parent", "ipam": {
            "type": "host-local", "subnet": "11.11.7.0/24", "routes": [{"dst": "0.0.0.0/0"}], "gateway": "11.11.7.1"}})
        one, two = net.server("one", "Network=mac\nPublishPort=18080:80\n"), net.server("two", "Network=mac\n")
        assert net.get(f"http://{net.info(one)[0]['ip']}/", "nsenter", "-t", net.leader(two), "-n") == f"from-{one}"
        assert "default via 11.11.7.1" in net.inside(two, "ip", "route").out
        # what leads to the world never leads to the host's loopback
        assert pathlib.Path("/proc/sys/net/ipv4/conf/t-parent/route_localnet").read_text() == "0\n"
        for name in (one, two):
            pods.stop(name)
    finally:
        host.sh("ip link del t-parent")
