# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pod networks: set up and taken away by rkt-net, by CNI's plugins called by hand, by netavark; and what goes through them."""
import json
import os
import pathlib
import shutil
import subprocess
import uuid

from common import WORK, clock, ratio, rounds, run, spread, table

HELPER = "/usr/lib/rkt/rkt-net"
CNI = "/usr/lib/cni"
NETAVARK = "/usr/lib/podman/netavark"
LIST = {"cniVersion": "1.0.0", "name": "hand", "type": "bridge", "bridge": "hand0", "isGateway": True, "hairpinMode": True,
        "ipam": {"type": "static", "addresses": [{"address": "10.77.0.2/24", "gateway": "10.77.0.1"},
                                               {"address": "fd77::2/64", "gateway": "fd77::1"}],
                 "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}


def helper(hide):
    """A candidate: up and down of the default network by rkt-net, in ms; hide: without plugins."""
    def candidate():
        name = str(uuid.uuid4())
        pod = pathlib.Path(WORK, "network-pod")
        (pod / "net").mkdir(parents=True, exist_ok=True)
        wanted = {"uuid": name, "machine": "bench", "hostname": "bench", "namespace": f"/var/run/netns/cni-{name}",
                  "networks": [{"name": "default", "ifName": "eth0"}], "ports": []}
        if hide:
            run("mount", "-t", "tmpfs", "tmpfs", CNI)
        fd = os.open(pod, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.dup2(fd, 3)
            start = clock()
            subprocess.run([HELPER, "up", "/var/lib/rkt"], input=json.dumps(wanted).encode(), pass_fds=[3], check=True,
                           capture_output=True)
            took = clock() - start
            subprocess.run([HELPER, "down", "/var/lib/rkt", name], pass_fds=[3], check=True, capture_output=True)
        finally:
            os.close(fd)
            if hide:
                run("umount", CNI)
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
