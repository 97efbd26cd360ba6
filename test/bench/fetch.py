# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images: from a server into the store, mounted, listed. Each beside what does the same with the tools that there are."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request

from common import PODMAN, WORK, clock, large_root, ratio, rounds, run, spread, table, timed
from images import aci, keys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "host"))
import tree_mount  # noqa: E402  pylint: disable=wrong-import-position

DATA = "/var/lib/rkt"
HOST, PORT, REGISTRY = "bench.test", 8443, "127.0.0.1:5005"
URL = f"https://{HOST}:{PORT}"
ENTRIES = 10000
# what the product does with the bytes, by hand: download, inflate, hash, write
PIPELINE = """curl -sSf {url} | igzip -dc | tee {fifo} > {file} &
openssl dgst -sha512 < {fifo} > {file}.sha512
wait $!
"""
NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; error_log stderr error;
events {{ }}
http {{ access_log off; client_body_temp_path {work}/nginx; proxy_temp_path {work}/nginx; fastcgi_temp_path {work}/nginx;
  uwsgi_temp_path {work}/nginx; scgi_temp_path {work}/nginx;
  server {{ listen 127.0.0.2:{port} ssl; server_name {host}; root {work}/docroot;
    ssl_certificate {pem}; ssl_certificate_key {pem}; }} }}
"""
REGISTRY_CONFIG = """version: 0.1
storage: {{ filesystem: {{ rootdirectory: {work}/registry }}, delete: {{ enabled: true }} }}
http: {{ addr: {address} }}
log: {{ level: error }}
"""


class Servers:
    """nginx with TLS for ACIs, docker-registry without for podman; a context manager."""

    def __init__(self):
        self.processes = []

    def __enter__(self):
        os.makedirs(f"{WORK}/docroot", exist_ok=True)
        os.makedirs(f"{WORK}/nginx", exist_ok=True)
        authority = keys.Authority(f"{WORK}/ca")
        authority.trust()
        hosts = pathlib.Path("/etc/hosts")
        if HOST not in hosts.read_text():
            hosts.write_text(hosts.read_text() + f"127.0.0.2 {HOST}\n")
        config = pathlib.Path(WORK, "nginx.conf")
        config.write_text(NGINX.format(work=WORK, port=PORT, host=HOST, pem=authority.issue("bench.pem", [HOST])))
        self._start("nginx", "-c", config)
        if shutil.which("docker-registry") and shutil.which("podman"):
            config = pathlib.Path(WORK, "registry.yml")
            config.write_text(REGISTRY_CONFIG.format(work=WORK, address=REGISTRY))
            self._start("docker-registry", "serve", config)
            self._wait(f"http://{REGISTRY}/v2/")
        self._wait(f"{URL}/")
        return self

    def _start(self, *command):
        self.processes.append(subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))

    @staticmethod
    def _wait(url):
        for _ in range(100):
            try:
                with urllib.request.urlopen(url):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"bench: nobody answers at {url}")

    def __exit__(self, *_exc):
        for process in self.processes:
            process.terminate()
            process.wait()


def realistic_root(root):
    """200 MB in ten thousand entries: Debian, and text of a kind."""
    large_root(root)
    have = sum(len(directories) + len(files) for _, directories, files in os.walk(root))
    words = [bytes(random.Random(i).choices(b"abcdefghijklmnopqrstuvwxyz", k=2 + i % 9)) for i in range(2000)]
    choose = random.Random(1)
    for i in range(ENTRIES - have):
        os.makedirs(f"{root}/srv/text/{i % 50}", exist_ok=True)
        pathlib.Path(f"{root}/srv/text/{i % 50}/{i}.txt").write_bytes(b" ".join(choose.choices(words, k=100)))
    return root


def image():
    """The ACI, behind the server, and its tar's size and number of entries."""
    root = aci.cached_root(realistic_root, WORK)
    path = f"{WORK}/docroot/large.aci"
    if not os.path.exists(path):
        os.makedirs(f"{WORK}/docroot", exist_ok=True)
        aci.pack(path, aci.manifest("example.com/bench-large", app={"exec": ["/bin/true"]}), root, "gz")
    entries = size = 0
    with tarfile.open(path) as tar:
        for _ in tar:
            entries += 1
        size = tar.offset
    return root, path, size, entries


def remove_images():
    """Empty the store."""
    ids = run("rkt", "image", "list", "--no-legend", "--fields=id", "--full").stdout.split()
    if ids:
        run("rkt", "image", "rm", *ids)


class Timed:
    """A command, run with `before`; remembers CPU time and the largest process of all that it started."""

    def __init__(self, command, before):
        self.command, self.before, self.cpu, self.rss = command, before, [], 0

    def __call__(self):
        self.before()
        os.sync()
        wall, cpu, rss, status = (int(n) for n in run(timed(), *self.command).stdout.split())
        if status:
            raise SystemExit(f"bench: {self.command} failed: {status}")
        self.cpu.append(cpu / 1e6)
        self.rss = max(self.rss, rss)
        return wall / 1e6


def disk_usage(top):
    """Bytes that a directory takes."""
    return int(run("du", "-s", "--block-size=1", top).stdout.split()[0])


def push(root):
    """The same files for podman, as one layer; False: there is no podman or no registry."""
    if not shutil.which("podman") or not shutil.which("docker-registry"):
        return False
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run([*PODMAN, "import", "-q", "-", "bench-large"], stdin=tar.stdout, check=True, capture_output=True)
    run(*PODMAN, "push", "-q", "--tls-verify=false", "bench-large", f"docker://{REGISTRY}/bench-large")
    run(*PODMAN, "rmi", "-af")
    return True


def pipeline(url):
    """The shell script that does by hand what a fetch does."""
    fifo, script = f"{DATA}/t-bench.fifo", pathlib.Path(WORK, "pipeline.sh")
    if os.path.exists(fifo):
        os.unlink(fifo)
    os.mkfifo(fifo)
    script.write_text(PIPELINE.format(url=url, fifo=fifo, file=f"{DATA}/t-bench.tar"))
    return ["/bin/sh", str(script)]


def remove_file():
    """What the script wrote."""
    pathlib.Path(DATA, "t-bench.tar").unlink(missing_ok=True)


def bench_fetch():
    """A large image from a server, until it can be mounted."""
    root, path, size, entries = image()
    with Servers():
        url = f"{URL}/large.aci"
        remove_images()
        candidates = {
            "rkt fetch": Timed(["/usr/bin/rkt", "--insecure-options=image", "fetch", url], remove_images),
            "curl, igzip, openssl": Timed(pipeline(url), remove_file),
        }
        if push(root):
            candidates["podman pull"] = Timed(["/usr/bin/" + PODMAN[0], *PODMAN[1:], "pull", "-q", "--tls-verify=false",
                                               f"{REGISTRY}/bench-large"], lambda: run(*PODMAN, "rmi", "-af"))
        found = rounds(candidates, 9)
        remove_images()
        before = disk_usage(f"{DATA}/cas")
        run("rkt", "--insecure-options=image", "fetch", url)
        stored = disk_usage(f"{DATA}/cas") - before
        remove_images()
        remove_file()
        if "podman pull" in candidates:
            run(*PODMAN, "rmi", "-af")
    print(f"## Fetch\n\n{size / 1e6:.0f} MB of tar, {os.path.getsize(path) / 1e6:.0f} MB as gzip, {entries} entries, from nginx "
          "over loopback HTTPS (podman: from docker-registry over HTTP, the same files in one layer), into ext4 on a loop "
          "device, until it is on disk and can be mounted. CPU: of all processes but the server's; RSS: of the largest. "
          "9 rounds.\n")
    ours = candidates["rkt fetch"]
    table(["command", "wall ms", "CPU ms", "RSS MiB", "rkt / this, wall", "rkt / this, CPU"],
          [[name, spread(found[name], 0), spread(c.cpu, 0), f"{c.rss / 1024:.0f}",
            "" if c is ours else ratio(found["rkt fetch"], found[name]),
            "" if c is ours else ratio(ours.cpu[1:], c.cpu[1:])] for name, c in candidates.items()])
    print(f"By hand: `curl -sSf URL | igzip -dc | tee FIFO > FILE`, `openssl dgst -sha512 < FIFO`; nothing synced, no index, "
          f"no look at the tar.\n\nDisk for it, stored and ready to run: {stored / 1e6:.1f} MB, {stored / size:.3f} of the tar.\n")


def bench_mount():
    """Nothing that depends on the image's size."""
    rows = []
    image()
    small = f"{WORK}/docroot/small.aci"
    if not os.path.exists(small):
        aci.pack(small, aci.manifest("example.com/bench-small", app={"exec": ["/bin/true"]}),
                 aci.cached_root(aci.busybox_root, WORK), "gz")

    def mount(key):
        began = clock()
        with tree_mount.mounted(key):
            return clock() - began

    for name in ("small", "large"):
        remove_images()
        key = run("rkt", "--insecure-options=image", "fetch", "--full", f"{WORK}/docroot/{name}.aci").stdout.strip()[:71]
        index = f"{DATA}/cas/tree/{key}/index.erofs"
        if not os.path.exists(index):
            print(f"## Mount\n\nNot measured: this kernel ({os.uname().release}) cannot mount an index.\n")
            return
        blob = f"{DATA}/cas/blob/sha512/{key[7:9]}/{key}"
        found = rounds({name: lambda: mount(key)}, 31)  # pylint: disable=cell-var-from-loop
        rows.append([name, f"{os.path.getsize(blob) / 1e6:.0f}", f"{os.path.getsize(index) / 1e6:.2f}", spread(found[name], 2)])
    remove_images()
    print("## Mount\n\nA rendered image, by mount(2) from its index and blob (test/host/tree_mount.py).\n")
    table(["image", "tar MB", "index MB", "wall ms"], rows)


def copies(count):
    """Images by the thousand: files as `rkt fetch` leaves them, under other names."""
    small = f"{WORK}/docroot/small.aci"
    key = run("rkt", "--insecure-options=image", "fetch", "--full", small).stdout.strip()[:71]
    refs = [p for p in pathlib.Path(DATA, "cas/ref").rglob("*") if p.is_file() and key in p.read_text()]
    if not refs:
        raise SystemExit("bench: a fetched image has no file in cas/ref that names it")
    made = []
    for i in range(count - 1):
        other = f"{key[:7]}{i:016x}{key[23:]}"
        for ref in refs:
            target = ref.with_name(ref.name.replace(key, other) if key in ref.name else f"{ref.name}-{i}")
            target.write_text(ref.read_text().replace(key, other).replace("bench-small", f"bench-{i}"))
            made.append(target)
    return made


def bench_list():
    """Ten thousand images."""
    rows = []
    remove_images()
    made = copies(ENTRIES)
    listed = len(run("rkt", "image", "list", "--no-legend").stdout.splitlines())
    if listed != ENTRIES:
        raise SystemExit(f"bench: {listed} of {ENTRIES} images are listed")
    for options in ([], ["--format=json"]):
        command = ["/usr/bin/rkt", "image", "list", *options]
        candidate = Timed(command, lambda: None)
        found = rounds({"list": candidate}, 11)
        rows.append([f"`{' '.join(['rkt', *command[1:]])}`", spread(found["list"], 0), spread(candidate.cpu, 0),
                     f"{candidate.rss / 1024:.0f}"])
    for path in made:
        path.unlink()
    remove_images()
    print(f"## Lists\n\n{ENTRIES} images in the store.\n")
    table(["command", "wall ms", "CPU ms", "RSS MiB"], rows)
