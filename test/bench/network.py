# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pod networks: set up and taken away by rkt-net, by CNI's plugins called by hand, by netavark; what goes through them; what is
left of two hundred pods."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import uuid

import pods
from common import PODMAN, WORK, clock, ratio, rounds, run, spread, table

HELPER = "/usr/lib/rkt/rkt-net"
CNI = "/usr/lib/cni"
NETAVARK = "/usr/lib/podman/netavark"
LIST = {"cniVersion": "1.0.0", "name": "hand", "type": "bridge", "bridge": "hand0", "isGateway": True, "hairpinMode": True,
        "ipam": {"type": "static", "addresses": [{"address": "10.77.0.2/24", "gateway": "10.77.0.1"},
                                               {"address": "fd77::2/64", "gateway": "fd77::1"}],
                 "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}


@contextlib.contextmanager
def pod_network():
    """The default network of a pod, by rkt-net: its UUID, its address, and how long it took."""
    name = str(uuid.uuid4())
    pod = pathlib.Path(WORK, f"network-{name}")
    (pod / "net").mkdir(parents=True, exist_ok=True)
    wanted = {"uuid": name, "machine": "bench", "hostname": "bench", "namespace": f"/var/run/netns/cni-{name}",
              "networks": [{"name": "default", "ifName": "eth0"}], "ports": []}
    fd = os.open(pod, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.dup2(fd, 3)
        start = clock()
        done = subprocess.run([HELPER, "up", "/var/lib/rkt"], input=json.dumps(wanted).encode(), pass_fds=[3], check=True,
                              capture_output=True)
        took = clock() - start
        yield name, json.loads(done.stdout)["networks"][0]["addresses"][0].split("/")[0], took
        os.dup2(fd, 3)
        subprocess.run([HELPER, "down", "/var/lib/rkt", name], pass_fds=[3], check=True, capture_output=True)
    finally:
        os.close(fd)
        shutil.rmtree(pod)


@contextlib.contextmanager
def without_plugins():
    """As on a host that has none."""
    run("mount", "-t", "tmpfs", "tmpfs", CNI)
    try:
        yield
    finally:
        run("umount", CNI)


def helper(hide):
    """A candidate: up of the default network by rkt-net, in ms; hide: without plugins."""
    def candidate():
        with without_plugins() if hide else contextlib.nullcontext(), pod_network() as (_, _, took):
            return took
    return candidate


def by_hand():
    """The plugin alone, in a namespace that is there already, in ms."""
    run("ip", "netns", "add", "hand")
    env = {**os.environ, "CNI_CONTAINERID": "hand", "CNI_NETNS": "/run/netns/hand", "CNI_IFNAME": "eth0", "CNI_PATH": CNI}
    start = clock()
    run(f"{CNI}/bridge", input=json.dumps(LIST), env={**env, "CNI_COMMAND": "ADD"})
    took = clock() - start
    run(f"{CNI}/bridge", input=json.dumps(LIST), env={**env, "CNI_COMMAND": "DEL"})
    run("ip", "netns", "del", "hand")
    run("ip", "link", "del", "hand0")  # as rkt does when its last pod goes
    return took


def netavark():
    """netavark's setup, in ms."""
    run("ip", "netns", "add", "nv")
    options = {"container_id": "nv", "container_name": "nv",
               "networks": {"nv": {"static_ips": ["10.78.0.2"], "interface_name": "eth0"}},
               "network_info": {"nv": {"name": "nv", "id": "0" * 64, "driver": "bridge", "network_interface": "nv0",
                                       "subnets": [{"subnet": "10.78.0.0/24", "gateway": "10.78.0.1"}], "ipv6_enabled": False,
                                       "internal": False, "dns_enabled": False, "ipam_options": {"driver": "host-local"}}}}
    command = [NETAVARK, "--config", f"{WORK}/netavark"]
    pathlib.Path(WORK, "netavark").mkdir(exist_ok=True)
    start = clock()
    done = run(*command, "setup", "/run/netns/nv", input=json.dumps(options), check=False)
    took = clock() - start
    run(*command, "teardown", "/run/netns/nv", input=json.dumps(options), check=False)
    run("ip", "netns", "del", "nv")
    return took if done.returncode == 0 else float("nan")


def bench_network():
    """Setting up one network."""
    candidates = {"rkt-net up, built-in": helper(True), "rkt-net up, plugins": helper(False), "plugin bridge by hand": by_hand}
    if shutil.which(NETAVARK):
        candidates["netavark setup"] = netavark
    found = rounds(candidates, 15)
    print("## A pod's network\n\nOne bridge network, its namespace made (by the plugin alone and netavark: already there), addresses of "
          "both kinds (netavark: one), "
          "NAT (not by the plugin alone).\n")
    table(["command", "wall ms", "rkt with plugins / this", "built-in / this"],
          [[name, spread(values), ratio(found["rkt-net up, plugins"], values), ratio(found["rkt-net up, built-in"], values)]
           for name, values in found.items()])
    for link in ("hand0", "nv0"):
        run("ip", "link", "del", link, check=False)


def bench_with_network():
    """From nothing to a running app that has a network."""
    there = pods.image()
    unit = pods.pod_file("bench-net", ["main"])
    path = pathlib.Path(pods.PODS, "bench-net.pod")
    path.write_text(path.read_text().replace("Network=none", "Network=default"))
    run("systemctl", "daemon-reload")
    start = pods.timed(lambda: run("systemctl", "start", unit), lambda: run("systemctl", "stop", unit))

    def built_in():
        # whoever starts the unit has its own mount namespace: the plugins are hidden where PID 1 sees it
        run("nsenter", "-t", "1", "-m", "mount", "-t", "tmpfs", "tmpfs", CNI)
        try:
            return start()
        finally:
            run("nsenter", "-t", "1", "-m", "umount", CNI)

    candidates = {"rkt: pod@, plugins": start, "rkt: pod@, built-in": built_in}
    if there:
        candidates["podman run -d --network=podman"] = pods.timed(
            lambda: run(*pods.ALIKE, *PODMAN, "run", "-d", "--network=podman", "--pids-limit=0", "--name=bench-net", "bench-pods", "/bin/sleep",
                        "infinity"),
            lambda: run(*PODMAN, "rm", "-f", "-t", "0", "bench-net"))
    found = rounds(candidates, 11)
    print("## Start with a network\n\nOne app in a bridge network with NAT, image in the store; 11 rounds.\n")
    table(["command", "wall ms", "rkt with plugins / this", "built-in / this"],
          [[name, spread(values), ratio(found["rkt: pod@, plugins"], values), ratio(found["rkt: pod@, built-in"], values)]
           for name, values in found.items()])


# --- what goes through -----------------------------------------------------------------------------------------------

PORT = 5001
SEND_MSEC = 400
PINGS = 5000


def traffic():
    """The program of traffic.c, compiled once."""
    program = f"{WORK}/traffic"
    if not os.path.exists(program):
        run("cc", "-O2", "-static", "-o", program, pathlib.Path(__file__).resolve().parent / "traffic.c")
    return program


@contextlib.contextmanager
def veth_pair():
    """Two namespaces, joined by a pair of interfaces, and nothing between."""
    run("sh", "-euc", """ip netns add hand1; ip netns add hand2
        ip link add h1 netns hand1 type veth peer name h2 netns hand2
        ip -n hand1 addr add 10.76.0.1/24 dev h1; ip -n hand2 addr add 10.76.0.2/24 dev h2
        ip -n hand1 link set h1 up; ip -n hand2 link set h2 up""")
    yield "hand1", "hand2", "10.76.0.2"
    run("sh", "-euc", "ip netns del hand1; ip netns del hand2")


@contextlib.contextmanager
def bridge():
    """The same with a bridge of the host between: what a network of many needs."""
    run("sh", "-euc", """ip link add hand0 type bridge; ip link set hand0 up
        for i in 1 2; do ip netns add hand$i; ip link add v$i type veth peer name h$i netns hand$i
        ip link set v$i master hand0 up; ip -n hand$i addr add 10.76.0.$i/24 dev h$i; ip -n hand$i link set h$i up; done""")
    yield "hand1", "hand2", "10.76.0.2"
    run("sh", "-euc", "ip netns del hand1; ip netns del hand2; ip link del hand0")


@contextlib.contextmanager
def two_pods(hide):
    """Two pods in the network default."""
    with without_plugins() if hide else contextlib.nullcontext(), pod_network() as (one, _, _), pod_network() as (two, address, _):
        yield f"cni-{one}", f"cni-{two}", address


def measured(make, kind, amount):
    """A candidate: what traffic prints."""
    def candidate():
        with make() as (here, there, address), subprocess.Popen(
                ["ip", "netns", "exec", there, traffic(), "serve", str(PORT)], stdout=subprocess.PIPE, text=True) as server:
            server.stdout.readline()
            try:
                return float(run("ip", "netns", "exec", here, traffic(), kind, address, PORT, amount).stdout)
            finally:
                server.kill()
    return candidate


def bench_traffic():
    """Throughput and latency between two pods."""
    makers = {"veth pair by hand": veth_pair, "bridge by hand": bridge, "two pods, plugins": lambda: two_pods(False),
              "two pods, built-in": lambda: two_pods(True)}
    print("## Between two pods\n\nTCP over IPv4 by `test/bench/traffic.c`, 15 rounds, everything made anew for each figure. Ratios: plugins, "
          "built-in to what stands in the row.\n")
    for title, kind, amount in (("MiB a second", "send", SEND_MSEC), ("one byte there and back, us", "ping", PINGS)):
        found = rounds({name: measured(make, kind, amount) for name, make in makers.items()}, 15)
        table([title, "median (range)", "plugins / this", "built-in / this"],
              [[name, spread(values), ratio(found["two pods, plugins"], values), ratio(found["two pods, built-in"], values)]
               for name, values in found.items()])


# --- what is left ----------------------------------------------------------------------------------------------------

STARTS = 200


def leftovers():
    """How many interfaces, namespaces, states, leases and lines of rules there are."""
    links = run("ip", "-o", "link").stdout
    return {"interfaces": len(re.findall(r"^\d+: (?:rkt|veth)", links, re.M)),
            "namespaces": len(list(pathlib.Path("/run/netns").glob("cni-*"))),
            "network namespaces of the kernel": len(run("lsns", "-n", "-t", "net", "-o", "NS").stdout.split()),
            "leases and states": len(list(pathlib.Path("/run/rkt/net").glob("*-*"))),
            "rules": len(run("nft", "list", "ruleset").stdout.splitlines()),
            "mounts": len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())}


def bench_churn():
    """Two hundred starts and stops of real pods, four side by side."""
    pods.image()
    before = leftovers()
    for i in range(4):
        pods.pod_file(f"bench-churn{i}", ["main"])
        path = pathlib.Path(pods.PODS, f"bench-churn{i}.pod")
        path.write_text(path.read_text().replace("Network=none", f"Network=default\nPublishPort={21000 + i}:80"))
    run("systemctl", "daemon-reload")
    start = clock()
    loops = [subprocess.Popen(["sh", "-euc", f"for n in $(seq {STARTS // 4}); do systemctl start {unit}; systemctl stop {unit}; done"])
             for unit in (f"pod@bench-churn{i}.service" for i in range(4))]
    failed = sum(loop.wait() != 0 for loop in loops)
    took = clock() - start
    for i in range(4):
        pathlib.Path(pods.PODS, f"bench-churn{i}.pod").unlink()
    run("systemctl", "daemon-reload")
    after = leftovers()
    print(f"## {STARTS} pods that come and go\n\nEach in the network default with a published port, four side by side; {took / STARTS:.0f} ms "
          f"each; {failed} loops failed. What there is before and after:\n")
    table(["", "before", "after"], [[name, before[name], after[name]] for name in before])
