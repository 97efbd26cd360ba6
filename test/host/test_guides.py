# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of rkt's guides, as they are written there: getting started, trying out, using with systemd. What they take from
the network is here: coreos.com and myapp.com are our server, etcd and the apps are hello.c. What is not followed is in
docs/NOT-TO-COPY.md."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from images import aci, oci

UNITS = pathlib.Path("/etc/systemd/system")
NOTIFY = {"annotations": [{"name": "appc.io/executor/supports-systemd-notify", "value": "true"}]}


def port(name, number, activated=False):
    """One of an image's ports."""
    return {"name": name, "protocol": "tcp", "port": number, **({"count": 1, "socketActivated": True} if activated else {})}


def hello(images, name, version, ports, command=(), **more):
    """An image with hello in it."""
    return images.make(name, version=version, root=aci.hello_root, app={"exec": ["/bin/hello", *command], "ports": ports}, **more)


@pytest.fixture
def world(host, server, images, signer):
    """What the guides find elsewhere, signed; nobody trusts the key yet."""
    server.publish_key(signer)
    for version in ("v2.0.4", "v2.2.5"):
        path = hello(images, "coreos.com/etcd", version, [port("client", 2379)], ["2379"], **NOTIFY)
        server.publish("coreos.com/etcd", path, version=version, key=signer)
    path = hello(images, "myapp.com/myapp-1.3.4", "latest", [port("http", 80)], ["80"])
    server.publish("myapp.com/myapp-1.3.4", path, version="latest", key=signer)
    path = hello(images, "myapp.com/my-socket-activated-app", "v1.0", [port("80-tcp", 80, True)])
    server.publish("myapp.com/my-socket-activated-app", path, version="v1.0", key=signer)
    yield server
    for prefix in ("coreos.com", "myapp.com"):
        shutil.rmtree(f"/etc/rkt/trustedkeys/prefix.d/{prefix}", ignore_errors=True)
    for image in ("coreos.com/etcd", "myapp.com"):
        for line in host.rkt("image", "list", "--no-legend", "--fields=id,name", "--full").out.splitlines():
            if image in line:
                host.rkt("image", "rm", line.split()[0], check=False)


@pytest.fixture
def trusting(host, world):
    """`rkt trust` was done, of all prefixes."""
    for prefix in ("coreos.com/etcd", "myapp.com"):
        host.rkt("trust", "--skip-fingerprint-review", f"--prefix={prefix}")
    return world


@pytest.fixture
def units(host):
    """Units of the administrator; they are stopped and removed."""
    names = []

    def write(name, text):
        names.append(name)
        (UNITS / name).write_text(text)
        host.run("systemctl", "daemon-reload")

    yield write
    for name in sorted(set(names), reverse=True):  # sockets first
        host.run("systemctl", "stop", name, check=False)
        host.run("systemctl", "reset-failed", name, check=False)
        (UNITS / name).unlink()
    host.run("systemctl", "daemon-reload")


def get(host, url, *flags):
    """curl, which waits until somebody answers."""
    return host.run("curl", "-sS", "--max-time", "60", "--retry", "100", "--retry-delay", "0", "--retry-connrefused",
                    "--retry-max-time", "60", *flags, url).out


def row(host, app):
    """Of the running pod with this app, what `rkt list` says of it."""
    rows = [line.split("\t") for line in host.rkt("list", "--no-legend").out.splitlines()]
    found = [[w.strip() for w in r] for r in rows if len(r) > 3 and r[1].strip() == app and r[3].strip() == "running"]
    return found[0] if found else None


def address(words):
    """Where it is: "default:ip4=172.16.28.2"."""
    return re.search(r"default:ip4=(\d+(\.\d+){3})", " ".join(words)).group(1)


def machine_of(host, unit):
    """The machine whose unit this is, when there is one."""
    def find():
        names = [m["machine"] for m in host.machines()]
        return [n for n in names if host.run("machinectl", "show", n, "--property=Unit", "--value", check=False).out.strip() == unit]
    return host.wait_for(f"a machine of {unit}", find, timeout=60)[0]


@pytest.fixture
def run_unit(host):
    """systemd-run; returns the unit that it says, which is stopped in the end."""
    names = []

    def run(*words):
        done = host.run("systemd-run", *words)
        names.append(re.search(r"Running as unit: ([^;\s]+)", done.all).group(1))
        return names[-1]

    yield run
    for name in names:
        host.run("systemctl", "stop", name, check=False)


def test_getting_started(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Getting started: an image of one static program, not signed, from the working directory; `rkt list` says where it is; curl.
    ^C is what stops it here."""
    path = images.make("example.com/hello", version="0.0.1", root=aci.hello_root,
                       app={"user": "root", "group": "root", "exec": ["/bin/hello"], "ports": [port("www", 5000)]},
                       annotations=[{"name": "authors", "value": "Carly Container <carly@example.com>"}])
    (tmp_path / "hello-0.0.1-linux-amd64.aci").symlink_to(path)
    process = subprocess.Popen(["rkt", "--insecure-options=image", "run", "hello-0.0.1-linux-amd64.aci"], cwd=tmp_path,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    words = host.wait_for("the pod", lambda: row(host, "hello"), timeout=60)
    assert words[2] == "example.com/hello:0.0.1" and len(words[0]) == 8
    words = host.wait_for("its address", lambda: "default:ip4=" in " ".join(row(host, "hello")) and row(host, "hello"), timeout=60)
    assert get(host, f"http://{address(words)}:5000") == "hello\n"
    process.terminate()
    process.communicate(timeout=120)
    host.rkt("status", "--wait=60s", words[0])


def test_trying_out(host, pods, world, tmp_path, signer):  # pylint: disable=unused-argument
    """Trying out: a person looks at the key and says yes; fetch by name; the ID is the digest of the plain archive, and where it is
    stored; the same image by its name, its ID and its URL. A member of group rkt may fetch."""
    line = "rkt trust --prefix=coreos.com/etcd"
    done = host.run("script", "--quiet", "--return", "--command", line, "/dev/null", stdin="yes\n")
    assert "Are you sure you want to trust this key (yes/no)?" in done.out
    assert f'Added key for prefix "coreos.com/etcd" at "/etc/rkt/trustedkeys/prefix.d/coreos.com/etcd/{signer.fingerprint}"' in done.out
    key = host.rkt("fetch", "coreos.com/etcd:v2.0.4").out.strip()
    assert re.fullmatch("sha512-[0-9a-f]{32}", key)
    url = f"https://coreos.com/aci/coreos.com/etcd-v2.0.4-linux-{aci.ARCH}.aci"
    host.run("curl", "-sSO", url, cwd=tmp_path)
    file = f"etcd-v2.0.4-linux-{aci.ARCH}.aci"
    assert host.sh(f"gzip -dc {file} | sha512sum", cwd=tmp_path).out.startswith(key.removeprefix("sha512-"))
    assert key in host.run("find", "/var/lib/rkt/cas/blob/").out
    user = f"t-guide-{os.getpid()}"
    host.run("useradd", "--groups", "rkt", user)
    try:
        newer = host.run("runuser", "-u", user, "--", "rkt", "fetch", "coreos.com/etcd,version=v2.2.5").out.strip()
        assert re.fullmatch("sha512-[0-9a-f]{32}", newer) and newer != key
    finally:
        host.run("userdel", user)
    pods_of = [subprocess.Popen(["rkt", "run", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for name in ("coreos.com/etcd:v2.0.4", key, url)]

    def running():
        listed = json.loads(host.rkt("list", "--format=json").out) or []
        return [p for p in listed if p["state"] == "running" and p["app_names"] == ["etcd"]]

    host.wait_for("three pods", lambda: len(running()) == 3, timeout=60)
    assert len({p["apps"][0]["image_id"] for p in running()}) == 1
    for one in pods_of:
        one.terminate()
    for one in pods_of:
        one.communicate(timeout=120)


def test_systemd_run(host, pods, trusting, images, run_unit):  # pylint: disable=unused-argument
    """With systemd, systemd-run: a service in machine.slice, with the pod in its cgroup; machinectl by the name rkt-UUID, whose
    poweroff ends it. With --service-type=notify it is active when the app says so, not before."""
    unit = run_unit("--slice=machine", "rkt", "run", "coreos.com/etcd:v2.2.5")
    machine = machine_of(host, unit)
    assert re.fullmatch("rkt-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", machine)
    host.wait_for("its log", lambda: "hello listens" in host.journal("-u", unit), timeout=60)
    assert [m["class"] for m in host.machines() if m["machine"] == machine] == ["container"]
    assert host.show(unit, "ActiveState", "Slice", "ControlGroup") == {
        "ActiveState": "active", "Slice": "machine.slice", "ControlGroup": f"/machine.slice/{unit}"}
    tree = host.run("systemd-cgls", "--no-pager", "--full", f"/machine.slice/{unit}").out
    assert "/bin/hello" in tree and "etcd.service" in tree
    assert "/bin/hello" in host.run("systemctl", "status", "--no-pager", "--full", unit).out
    host.run("machinectl", "poweroff", machine)
    host.wait_for("its end", lambda: machine not in [m["machine"] for m in host.machines()], timeout=60)
    host.wait_for("the unit's", lambda: host.show(unit, "ActiveState") == "inactive", timeout=60)
    image = hello(images, "example.com/notify", "1.0.0", [], ["2379"], **NOTIFY)
    for words in (["--slice=machine", "--service-type=notify", "--no-block", "rkt", "run", "coreos.com/etcd:v2.2.5"],
                  ["--service-type=notify", "--no-block", "rkt", "run", "--insecure-options=image", image]):
        unit = run_unit(*words)
        machine = machine_of(host, unit)
        host.wait_for("its log", lambda u=unit: "hello listens" in host.journal("-u", u), timeout=60)
        assert host.show(unit, "ActiveState") == "activating"
        where = json.loads(host.rkt("status", "--format=json", machine.removeprefix("rkt-")).out)["networks"][0]["ip"]
        assert get(host, f"http://{where}:2379") == "hello\n"
        host.wait_for("readiness", lambda u=unit: host.is_active(u), timeout=60)
        host.run("systemctl", "stop", unit)
        assert host.show(unit, "Result", "ActiveState")["ActiveState"] == "inactive"


SIMPLE = """[Unit]
Description=etcd

[Service]
Slice=machine.slice
ExecStart=/usr/bin/rkt run coreos.com/etcd:v2.2.5
KillMode=mixed
Restart=always
"""


def test_simple_unit(host, pods, trusting, units):  # pylint: disable=unused-argument
    """With systemd, a simple unit: start, stop, restart, enable, disable; SIGTERM lets the pod end in order."""
    units("t-etcd.service", SIMPLE)
    host.run("systemctl", "start", "t-etcd.service")
    first = machine_of(host, "t-etcd.service")
    host.run("systemctl", "restart", "t-etcd.service")
    host.wait_for("another one", lambda: machine_of(host, "t-etcd.service") != first, timeout=60)
    assert "state=exited" in host.rkt("status", first.removeprefix("rkt-")).out.splitlines()
    host.run("systemctl", "stop", "t-etcd.service")
    assert host.show("t-etcd.service", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert "no installation config" in host.run("systemctl", "enable", "t-etcd.service", check=False).err
    host.run("systemctl", "disable", "t-etcd.service")


def test_killed_and_restarted_at_once(host, pods, trusting, units):  # pylint: disable=unused-argument
    """Restart=always with a SIGKILLed rkt run: the next pod waits until machined has forgotten the last one of the unit."""
    units("t-etcd.service", SIMPLE + "RestartSec=0\n")
    host.run("systemctl", "start", "t-etcd.service")
    for n in range(1, 4):
        last = machine_of(host, "t-etcd.service")
        host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "t-etcd.service")
        host.wait_for("another one", lambda m=last: machine_of(host, "t-etcd.service") != m, timeout=60)
        assert host.show("t-etcd.service", "NRestarts") == str(n)
    host.run("systemctl", "stop", "t-etcd.service")


ADVANCED = """[Unit]
Description=MyApp
Documentation=https://myapp.com/docs/1.3.4
Requires=network-online.target
After=network-online.target

[Service]
Slice=machine.slice
Delegate=true
CPUShares=512
MemoryLimit=1G
Environment=HTTP_PROXY=192.0.2.3:5000
Environment=NO_PROXY=myapp.com
Environment=STORAGE_PATH=/opt/myapp
Environment=TMPDIR=/var/tmp
ExecStartPre=/usr/bin/rkt fetch myapp.com/myapp-1.3.4
ExecStart=/usr/bin/rkt run --inherit-env --port=http:8888 myapp.com/myapp-1.3.4
ExecStopPost=/usr/bin/rkt gc --mark-only
KillMode=mixed
Restart=always
"""


def test_advanced_unit(host, pods, trusting, units):  # pylint: disable=unused-argument
    """With systemd, an advanced unit (and no proxy for our server): fetched before; the unit's variables; its limits, since the pod is in its cgroup; a port; marked
    for gc when it has ended. A shell that becomes rkt is as good."""
    units("t-myapp.service", ADVANCED)
    host.run("systemctl", "start", "t-myapp.service")
    variables = get(host, "http://127.0.0.1:8888/env").splitlines()
    assert {"HTTP_PROXY=192.0.2.3:5000", "STORAGE_PATH=/opt/myapp", "TMPDIR=/var/tmp", "AC_APP_NAME=myapp-1-3-4"} <= set(variables)
    machine = machine_of(host, "t-myapp.service")
    pid = host.run("machinectl", "show", machine, "--property=Leader", "--value").out.strip()
    assert "/machine.slice/t-myapp.service/" in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    host.run("systemctl", "stop", "t-myapp.service")
    assert host.show("t-myapp.service", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    units("t-shell.service", "[Service]\nExecStart=/bin/sh -c \"true; exec rkt run --net=none coreos.com/etcd:v2.2.5\"\n")
    host.run("systemctl", "start", "t-shell.service")
    machine_of(host, "t-shell.service")
    host.run("systemctl", "stop", "t-shell.service")
    assert host.show("t-shell.service", "Result") == "success"


def test_socket_activated(host, pods, trusting, units):  # pylint: disable=unused-argument
    """SOCK-01, with systemd: the first connection starts the container, whose image has a socket-activated port; the port of the host
    is another one. Stopped, it listens on."""
    units("t-activated.service", "[Unit]\nDescription=My socket-activated app\n\n[Service]\n"
          "ExecStart=/usr/bin/rkt run --port 80-tcp:18080 myapp.com/my-socket-activated-app:v1.0\nKillMode=mixed\n")
    units("t-activated.socket", "[Unit]\nDescription=My socket-activated app's socket\n\n[Socket]\nListenStream=18080\n")
    host.run("systemctl", "start", "t-activated.socket")
    assert host.show("t-activated.socket", "SubState") == "listening" and not host.is_active("t-activated.service")
    for url in ("http://127.0.0.1:18080", "http://[::1]:18080"):
        assert get(host, url) == "hello\n"
    assert host.is_active("t-activated.service")
    host.run("systemctl", "stop", "t-activated.service")
    assert host.show("t-activated.socket", "SubState") == "listening"
    assert get(host, "http://127.0.0.1:18080") == "hello\n"
    host.run("systemctl", "stop", "t-activated.socket", "t-activated.service")
    units("t-activated.socket", "[Socket]\nListenStream=127.0.0.1:18080\n")  # one address
    host.run("systemctl", "start", "t-activated.socket")
    assert get(host, "http://127.0.0.1:18080") == "hello\n"


PTP0 = {"name": "ptp0", "type": "ptp", "ipMasq": True,
        "ipam": {"type": "host-local", "subnet": "172.16.28.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}


def test_proxied_socket(host, pods, units, fake_registry, images, tmp_path):  # pylint: disable=unused-argument
    """SPX-01, with systemd: systemd-socket-proxyd in front of an image of Docker's that has an address of its own on a network of
    net.d, and starts with the first connection."""
    root = pathlib.Path(aci.cached_root(aci.hello_root, images.cache))
    program = (root / "bin/hello").read_bytes()
    fake_registry.publish(oci.Image([oci.tar({"bin": None, "bin/hello": (0o755, program)})], app={"Cmd": ["/bin/hello", "6379"]},
                                    docker=True), "library/redis", "latest")
    conf = pathlib.Path("/etc/rkt/net.d/ptp0.conf")
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(json.dumps(PTP0))
    try:
        units("t-rkt-redis.service", "[Unit]\nDescription=Socket-proxyd redis server\n\n[Service]\nExecStart=/usr/bin/rkt "
              '--insecure-options=image run --net="ptp0:IP=172.16.28.101" '
              f"docker://{fake_registry.host}/library/redis\nKillMode=process\n")
        units("t-proxy-to-rkt-redis.service", "[Unit]\nRequires=t-rkt-redis.service\nAfter=t-rkt-redis.service\n\n[Service]\n"
              "ExecStart=/usr/lib/systemd/systemd-socket-proxyd 172.16.28.101:6379\n")
        units("t-proxy-to-rkt-redis.socket", "[Socket]\nListenStream=6371\n\n[Install]\nWantedBy=sockets.target\n")
        host.run("systemctl", "enable", "t-proxy-to-rkt-redis.socket")
        host.run("systemctl", "start", "t-proxy-to-rkt-redis.socket")
        host.run("curl", "-sS", "--max-time", "5", "http://localhost:6371/", check=False)  # may come before redis listens
        host.wait_for("redis", lambda: host.run("curl", "-sS", "--max-time", "5", "http://localhost:6371/", check=False).out == "hello\n",
                      timeout=60)
        assert row(host, "redis")[-1] == "ptp0:ip4=172.16.28.101"
        host.run("systemctl", "disable", "t-proxy-to-rkt-redis.socket")
    finally:
        host.run("systemctl", "stop", "t-proxy-to-rkt-redis.socket", "t-proxy-to-rkt-redis.service", "t-rkt-redis.service", check=False)
        conf.unlink()
