# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pod networks from beginning to end: which one a pod has that says nothing, hosts that cannot make it, MTU, what comes back
after a flush, and what is left when something goes wrong at the end."""
import contextlib
import json
import pathlib
import subprocess
import uuid as uuids

from conftest import app_section
from images import aci
from networks import POD

UNSIGNED = "--insecure-options=image"
HELPER = "/usr/lib/rkt/rkt-net"


@contextlib.contextmanager
def helper_network(host, tmp_path, **more):
    """A network without a pod: its namespace, made by rkt-net, removed afterwards."""
    uuid = str(uuids.uuid4())
    (tmp_path / "net").mkdir(exist_ok=True)
    wanted = {"uuid": uuid, "namespace": f"/var/run/netns/cni-{uuid}", "networks": [{"name": "default", "ifName": "eth0"}],
              "ports": [], **more}
    host.sh(f"{HELPER} up /var/lib/rkt 3<{tmp_path}", stdin=json.dumps(wanted))
    try:
        yield f"/run/netns/cni-{uuid}"
    finally:
        host.sh(f"{HELPER} down /var/lib/rkt {uuid} 3<{tmp_path}")


def interfaces(text):
    """The names in /proc/net/dev."""
    return [line.split(":")[0].strip() for line in text.splitlines() if ":" in line]


def test_who_says_nothing(host, pods, net, images, method):
    """Issue 7, 3; NET-04: pod files and rkt run that say nothing of a network have default."""
    name = pods.write("quiet", POD + app_section("main", images.busybox, "sleep infinity"))
    pods.start(name)
    one, = net.info(name)
    assert (one["netName"], one["ifName"], one["method"]) == ("default", "eth0", method)
    assert "default via 172.16.28.1 dev eth0" in net.inside(name, "ip", "route").out
    done = host.rkt(UNSIGNED, "run", images.busybox, "--exec=/bin/cat", "--", "/proc/net/dev")
    assert interfaces(done.out) == ["lo", "eth0"]


def test_a_host_that_cannot(host, net, images):
    """Issue 7: without the right, and where nftables refuses, the pod does not start, and it is said how to do without."""
    hint = "(this is the network 'default', which a pod has that says nothing; Network=none, or --net=none, does without)"
    command = ("rkt", UNSIGNED, "run", images.busybox, "--exec=/bin/true")
    done = host.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *command, check=False)
    assert done.rc == 254 and "stage1: failed to setup network: cannot switch on interface lo: " in done.err and hint in done.err, done
    with subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as owner:
        owner.stdin.write("add table inet rkt { flags owner; }\n")
        owner.stdin.flush()
        host.wait_for("the table is somebody else's", lambda: host.run("nft", "list", "table", "inet", "rkt", check=False).rc == 0)
        done = host.run(*command, check=False)
        assert done.rc == 254 and "nftables does not take the rules for ports and addresses: " in done.err and hint in done.err
        owner.stdin.close()
    assert net.left() == []


def test_mtu(host, net, method, tmp_path):
    """Issue 7, 6: the pod's interface has the MTU of the host's way out."""
    assert net.left() == []
    with helper_network(host, tmp_path) as name:
        assert " mtu 1500 " in host.run("nsenter", f"--net={name}", "ip", "link", "show", "eth0").out
    host.sh("ip link add t-up type veth peer name t-isp; ip link set t-up up; ip link set t-isp up; ip addr add 10.97.0.1/24 dev t-up; "
            "ip route add default via 10.97.0.2 metric 1")
    try:
        for way_out, pod in ((1300, 1300), (1000, 1280)):  # IPv6 needs 1280
            host.run("ip", "link", "set", "t-up", "mtu", way_out)
            with helper_network(host, tmp_path) as name:
                assert f" mtu {pod} " in host.run("nsenter", f"--net={name}", "ip", "link", "show", "eth0").out
                assert json.loads((tmp_path / "net/state.json").read_text())["networks"][0]["method"] == method
    finally:
        host.sh("ip link del t-up")


def test_addresses_in_use(host, net, method, tmp_path):
    """A built-in network does not cut the host off from where another interface leads: it is refused, before anything is changed, with
    the name of that interface; wider routes do not count, nor does what comes after the bridge has its address."""
    command = ("rkt", UNSIGNED, "run", "--net=default-restricted", net.images.busybox, "--exec=/bin/true")
    restricted = [{"name": "default-restricted", "ifName": "eth0"}]
    host.sh("ip link add t-up type veth peer name t-isp; ip link set t-up up; ip link set t-isp up; ip addr add 10.97.0.1/24 dev t-up")
    try:
        for what, where, found in (("addr", "172.31.5.4/20", "address 172.31.5.4/20"), ("addr", "172.31.5.4/12", "address 172.31.5.4/12"),
                                   ("route", "172.31.8.0/24 via 10.97.0.2", "route 172.31.8.0/24"),
                                   ("route", "172.31.0.0/16 via 10.97.0.2", "route 172.31.0.0/16"),
                                   ("route", "10.98.0.0/16 via 172.31.9.9 onlink", "gateway 172.31.9.9/32")):
            host.run("ip", what, "add", *where.split(), "dev", "t-up")
            done = host.run(*command, check=False)
            assert (done.rc, f"network 'default-restricted': its addresses, 172.31.0.0/16, are in use: interface t-up of the host has the {found}, "
                    in done.err) == (254, True), done
            assert "rkt-networking(7)" in done.err and net.left() == []
            host.run("ip", what, "del", *where.split(), "dev", "t-up")
        host.sh("ip addr add 172.16.0.9/12 dev t-up; ip route add 172.16.0.0/13 via 10.97.0.2; ip -6 addr add fd00:1234::1/64 dev t-up nodad")
        with helper_network(host, tmp_path, networks=restricted):
            assert json.loads((tmp_path / "net/state.json").read_text())["networks"][0]["method"] == method
            host.run("ip", "addr", "add", "172.31.200.1/24", "dev", "t-up")
            assert host.run(*command).rc == 0
    finally:
        host.sh("ip link del t-up")


def own_etc(root):
    """busybox with what some images ship."""
    aci.busybox_root(root)
    pathlib.Path(root, "etc/hosts").write_text("1.2.3.4 of-image\n")
    pathlib.Path(root, "etc/resolv.conf").write_text("nameserver 1.2.3.4\n")


def test_hosts_of_images(host, pods, net, images, tmp_path, host_dns):
    """Names of other pods, also where the image has an /etc/hosts: Docker images' is replaced, but not what is mounted there; an ACI's
    stays. So it is with what was left in its /etc/resolv.conf."""
    other = net.server("other", "")
    (tmp_path / "hosts").write_text("5.6.7.8 mounted\n")
    docker = images.make("example.com/docker", app={"exec": ["/bin/sh"]}, root=own_etc,
                         annotations=[{"name": "appc.io/docker/repository", "value": "library/x"}])
    words = [f"--volume=h,kind=host,source={tmp_path}/hosts"]
    for name, image, more in (("docker", docker, []), ("mounted", docker, ["--mount=volume=h,target=/etc/hosts"]),
                              ("aci", images.make("example.com/aci", app={"exec": ["/bin/sh"]}, root=own_etc), [])):
        words += [image, f"--name={name}", *more, "--exec=/bin/sh", "--", "-c", f"cat /etc/hosts /etc/resolv.conf | sed 's/^/<{name}> /'", "---"]
    out = host.rkt(UNSIGNED, "run", "--net=default", *words).out
    said = {name: [line.split("> ", 1)[1].strip() for line in out.splitlines() if f"<{name}> " in line] for name in ("docker", "mounted", "aci")}
    one, = net.info(other)
    assert f"{one['ip']} {other}" in [line[:len(f"{one['ip']} {other}")] for line in said["docker"]], out
    assert host_dns.read_text().splitlines()[2] in said["docker"] and not {"1.2.3.4 of-image", "nameserver 1.2.3.4"} & set(said["docker"]), out
    assert said["mounted"][0] == "5.6.7.8 mounted" and said["aci"] == ["1.2.3.4 of-image", "nameserver 1.2.3.4"], out
    pods.stop(other)


SENDER = """import socket, time
a, b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
a.bind(('', 40000)), b.bind(('::', 40001))
print('ready', flush=True)
while True:
    for s, to in ((a, '10.99.0.1'), (b, 'fd99::1')):
        try:
            s.sendto(b'x', (to, 19000))
        except ConnectionRefusedError:
            pass
    time.sleep(0.05)
"""
HEAR = """import socket
s, found = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), set()
s.bind(('::', 9000))
s.settimeout(30)
while len(found) < 2:
    found.add(s.recvfrom(9)[1][0].startswith('::ffff:'))
print('both')
"""


def test_senders_that_do_not_stop(host, pods, net, outside):
    """UDP from one port, without an end, reaches a pod that comes later, and the same pod at another address."""
    net.server("keeper", "PublishPort=18099:80\n")  # the kernel keeps track from here on
    with subprocess.Popen([*outside, "python3", "-c", SENDER], stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout.readline() == "ready\n"
            for network in ("default", "default:IP=172.16.28.77"):
                name = pods.write("udp", f"{POD}Network={network}\nPublishPort=19000:9000/udp\n" +
                                  app_section("main", net.images.busybox, "sleep infinity"))
                pods.start(name)
                assert net.inside(name, "python3", "-c", HEAR).out == "both\n", network
                pods.stop(name)
        finally:
            sender.kill()


def test_check_is_not_wanted(host, net, net_d, tmp_path):
    """Plugins of a list with disableCheck are not asked, others are."""
    net_d("says", '#!/bin/sh\ncat > /dev/null\necho $CNI_COMMAND $CNI_IFNAME >> /run/cni-fake.log\necho "{}"\n', executable=True)
    for name, more in (("yes", {}), ("no", {"disableCheck": True})):
        net_d(f"{name}.conflist", {"cniVersion": "1.0.0", "name": name, "plugins": [{"type": "says"}], **more})
    with helper_network(host, tmp_path, networks=[{"name": "yes", "ifName": "eth0"}, {"name": "no", "ifName": "eth1"}]):
        host.run(HELPER, "restore", "/var/lib/rkt")
    asked = pathlib.Path("/run/cni-fake.log").read_text().splitlines()
    assert asked == ["ADD eth0", "ADD eth1", "CHECK eth0", "DEL eth1", "DEL eth0"] and net.left() == []


def test_restart(host, pods, net, method):
    """A pod, and one that starts again with the same addresses, is reached at once, by the host and by other pods that know its neighbourhood."""
    other, name = net.server("other", ""), net.server("again", "")
    before, = net.info(name)
    urls = [f"http://{before['ip']}/", f"http://[{before['ip6']}]/"]
    prefix = ("nsenter", "-t", net.leader(other), "-n")
    bridge = pathlib.Path("/sys/class/net/rkt0/address").read_text()  # it is not that of a port
    for again in (False, True):
        if again:
            pods.stop(name)
            pods.start(name)
            now, = net.info(name)
            assert (now["ip"], now["ip6"], now["method"]) == (before["ip"], before["ip6"], method)
            assert pathlib.Path("/sys/class/net/rkt0/address").read_text() == bridge
            assert bridge == "02:52:ac:10:1c:01\n"
        for url in urls:
            for way in ((), prefix):  # a connection that is refused was an answer: the server is not there yet
                done = host.run(*way, "curl", "-sS", "--connect-timeout", "8", "--retry", "100", "--retry-delay", "0", "--retry-connrefused",
                                "--retry-max-time", "60", url)
                assert done.out == f"from-{name}\n" and "timed out" not in done.err.lower(), (url, way, done)


def test_at_the_end_of_run(host, pods, net, images):
    """Issue 7, 1: rkt run takes the networks away itself, the pod stays for rkt status; after a kill -9 gc does; a sandbox."""
    image = images.make("example.com/port", app={"exec": ["/bin/true"], "ports": [{"name": "x", "protocol": "tcp", "port": 80}]})
    for count in (1, 2):  # the port is free again
        host.rkt(UNSIGNED, "run", "--net=default,default-restricted", "--port=x:18080", image)
        assert net.left() == [] and [p["state"] for p in pods.ours()] == ["exited"] * count

    run = host.spawn("rkt", UNSIGNED, "run", images.busybox, "--exec=/bin/sleep", "--", "infinity")
    pod = host.wait_for("it runs", lambda: [p for p in pods.ours() if p["state"] == "running"], timeout=60)[0]
    host.rkt("status", "--wait-ready=60s", pod["name"])
    assert net.left() != []
    run.kill()
    run.communicate()
    host.rkt("status", "--wait=60s", pod["name"])
    host.rkt("gc")
    assert net.left() == []

    sandbox = host.spawn("rkt", "app", "sandbox")
    pod = host.wait_for("it runs", lambda: [p for p in pods.ours() if p["state"] == "running"], timeout=60)[0]
    host.rkt("status", "--wait-ready=60s", pod["name"])
    host.rkt("stop", pod["name"])
    sandbox.communicate(timeout=60)
    assert net.left() == []


def test_what_does_not_go(host, pods, net, net_d):
    """GC-02: macvlan fails at its end when its master has gone, each time: addresses go, others do not wait for it, gc goes on,
    and the removal of the pod is the end of it."""
    leases = pathlib.Path("/var/lib/cni/networks/mac")
    net_d("mac.conf", {"cniVersion": "0.4.0", "name": "mac", "type": "macvlan", "master": "t-parent",
                       "ipam": {"type": "host-local", "subnet": "11.11.8.0/24"}})
    net_d("never", '#!/bin/sh\ncat > /dev/null\necho $CNI_COMMAND >> /run/cni-fake.log\n[ $CNI_COMMAND = ADD ] && exec echo "{}"\n'
          'echo "not now" >&2\nexit 1\n', executable=True)
    net_d("never.conf", {"cniVersion": "0.4.0", "name": "never", "type": "never"})
    log = pathlib.Path("/run/cni-fake.log")
    host.sh("ip link add t-parent type veth peer name t-peer; ip link set t-parent up; ip link set t-peer up")
    try:
        name = pods.write("stays", POD + "Network=mac never\n" + app_section("main", net.images.busybox, "sleep infinity"))
        pods.start(name)
        uuid = pods.uuid(name)
        assert list(leases.glob("11.*"))
    finally:
        host.sh("ip link del t-parent")
    pods.stop(name)
    assert "network 'never': plugin 'never', DEL: exit status 1: not now" in host.status(f"pod@{name}")
    assert not list(leases.glob("11.*")) and f"cni-{uuid}" in net.left()
    asked = log.read_text().count("DEL")
    assert asked == 1
    host.rkt(UNSIGNED, "run", net.images.busybox, "--exec=/bin/true")  # who starts meanwhile does not ask again
    assert log.read_text().count("DEL") == asked
    done = host.rkt("gc")
    assert "network 'never'" in done.err and log.read_text().count("DEL") == asked + 1
    done = host.rkt("gc", "--grace-period=0s")
    assert f'pod "{uuid}": a network was not left as it should be, and is forgotten now: network ' in done.err
    assert f'Garbage collecting pod "{uuid}"' in done.out and net.left() == []
    assert "forgotten" not in host.rkt("gc", "--grace-period=0s").err


def test_rules_come_back(host, pods, net, outside, tmp_path):
    """Issue 7, 4: whatever nftables.service does, our rules are there after it; after a flush by hand, with the next pod that comes or
    goes, or by a restart of rkt-net, which firewalld's reload does, too."""
    run = host.spawn("rkt", UNSIGNED, "run", "--port=http:18080", net.images.make(
        "example.com/www", app={"exec": ["/bin/sh", "-c", "mkdir /www; echo here > /www/index.html; httpd -f -p 80 -h /www"],
                                "ports": [{"name": "http", "protocol": "tcp", "port": 80}]}))
    url = "http://10.99.0.1:18080/"
    try:
        pod = host.wait_for("it runs", lambda: [p for p in pods.ours() if p["state"] == "running"], timeout=60)[0]
        host.rkt("status", "--wait-ready=60s", pod["name"])
        assert net.get(url, *outside) == "here"
        for verb in ("start", "reload", "restart", "stop"):
            host.run("systemctl", verb, "nftables")
            assert net.get(url, *outside) == "here", verb
        host.run("nft", "flush", "ruleset")
        assert net.refused(url, *outside)
        with helper_network(host, tmp_path):
            assert net.get(url, *outside) == "here"
        host.run("systemctl", "start", "rkt-net")
        host.run("nft", "flush", "ruleset")
        host.run("systemctl", "reload", "rkt-net")
        assert net.get(url, *outside) == "here"
        host.rkt("stop", pod["name"])
    finally:
        host.run("systemctl", "stop", "nftables", "rkt-net")
        run.terminate()
        run.communicate(timeout=60)
    assert net.left() == []
