# SPDX-License-Identifier: LGPL-2.1-or-later
"""App container images, made by GNU tar from the Debian that this runs on.

A root is a directory; an ACI is `manifest` and `rootfs/` in a tar, compressed or not. Nothing here is shared with
the product, so that each can be wrong on its own.
"""
import glob
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

ARCH = {"x86_64": "amd64", "aarch64": "aarch64", "i686": "i386", "ppc64le": "ppc64le", "s390x": "s390x"}[os.uname().machine]
COMPRESSORS = {"plain": None, "gz": ["gzip", "-6n"], "bz2": ["bzip2"], "xz": ["xz", "-1"]}
# What every Debian has and what Depends: does not name.
BASE = ["base-files", "base-passwd", "bash", "coreutils", "dash", "libc-bin", "netbase", "sed", "grep"]
# What packages need to be installed, not to run: no image of today's carries it.
INSTALL_ONLY = {"adduser", "debconf", "debianutils", "dpkg", "init-system-helpers", "iproute2", "lsb-base", "passwd",
                "sysvinit-utils", "usrmerge"}
REDIS_UID = 6379
POSTGRES_UID = 5432
# What PostgreSQL runs without: Debian's way to have several clusters, and its compiler of queries (libllvm*), a library of 120 MB.
POSTGRES_WITHOUT = ("postgresql-common", "postgresql-client-common", "locales", "ssl-cert", "perl", "libperl", "libllvm")


def manifest(name, version="1.0.0", app=None, labels=None, **more):
    """An appc ImageManifest as a dictionary. labels=None: version, os and arch; `app` may be None."""
    if labels is None:
        labels = {"version": version, "os": "linux", "arch": ARCH}
    doc = {"acKind": "ImageManifest", "acVersion": "0.8.11", "name": name,
           "labels": [{"name": k, "value": v} for k, v in labels.items()]}
    if app is not None:
        doc["app"] = {"user": "0", "group": "0", **app}
    return {**doc, **more}


def pack(output, manifest_doc, rootfs, compression="gz"):
    """Write an ACI of the directory `rootfs` to `output`; manifest_doc: dictionary, or text as it is."""
    with tempfile.TemporaryDirectory(prefix="aci-") as top:
        text = manifest_doc if isinstance(manifest_doc, str) else json.dumps(manifest_doc)
        with open(f"{top}/manifest", "w") as f:
            f.write(text)
        os.utime(f"{top}/manifest", (0, 0))
        tar = ["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--format=posix", "--sort=name",
               "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "-cf", "-",
               "-C", top, "manifest", "-C", os.path.dirname(os.path.abspath(rootfs)),
               f"--transform=flags=rSh;s,^{os.path.basename(rootfs)},rootfs,", os.path.basename(rootfs)]
        with open(output + ".new", "wb") as out:
            _pipe(tar, COMPRESSORS[compression], out)
    os.rename(output + ".new", output)
    return output


def dependency(name, labels=None, **more):
    """An object of a manifest's `dependencies`; more: imageID, size."""
    doc = {"imageName": name, **more}
    if labels:
        doc["labels"] = [{"name": k, "value": v} for k, v in labels.items()]
    return doc


def entry(path, content=None, **how):
    """A tar member of pack_entries(): a file if there is content, else a directory; `type` and anything else of
    tarfile.TarInfo by keyword, `xattrs` as a dictionary."""
    info = tarfile.TarInfo("rootfs" + (f"/{path}" if path else ""))
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.mode = 0o755 if content is None else 0o644
    info.mtime = 1000000000
    data = content.encode() if isinstance(content, str) else content or b""
    info.size = len(data)
    for key, value in how.pop("xattrs", {}).items():
        info.pax_headers[f"SCHILY.xattr.{key}"] = value
    for key, value in how.items():
        setattr(info, key, value)
    if info.type == tarfile.LNKTYPE:
        info.linkname = f"rootfs/{info.linkname}"
    return info, data


def link(path, target, hard=False, **how):
    """A symbolic link; hard: to another path of the root."""
    return entry(path, "", type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=target, **how)


def pack_entries(output, manifest_doc, entries, compression="plain"):
    """Write an ACI of exactly these entries, in this order; the root's own comes first unless they have one."""
    entries = list(entries)
    if not any(i.name == "rootfs" for i, _ in entries):
        entries.insert(0, entry(""))
    text = manifest_doc if isinstance(manifest_doc, str) else json.dumps(manifest_doc)
    info = tarfile.TarInfo("manifest")
    info.size, info.mode = len(text.encode()), 0o644
    with tarfile.open(output + ".tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for i, data in [(info, text.encode()), *entries]:
            tar.addfile(i, io.BytesIO(data))
    with open(output + ".tar", "rb") as plain, open(output + ".new", "wb") as out:
        subprocess.run(COMPRESSORS[compression] or ["cat"], stdin=plain, stdout=out, check=True)
    os.unlink(output + ".tar")
    os.rename(output + ".new", output)
    return output


def _pipe(tar, compressor, out):
    if compressor is None:
        subprocess.run(tar, stdout=out, check=True)
        return
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as producer:
        subprocess.run(compressor, stdin=producer.stdout, stdout=out, check=True)
    if producer.returncode:
        raise RuntimeError(f"tar failed: {producer.returncode}")


def image_id(path):
    """The store's key of an ACI: the first half of the SHA-512 of the uncompressed tar."""
    with open(path, "rb") as f:
        magic = f.read(6)
    tool = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz"}.get(magic[:2])
    digest = hashlib.sha512()
    with subprocess.Popen([tool, "-dc", path] if tool else ["cat", path], stdout=subprocess.PIPE) as p:
        for block in iter(lambda: p.stdout.read(1 << 20), b""):
            digest.update(block)
    return "sha512-" + digest.hexdigest()[:64]


# --- roots -----------------------------------------------------------------------------------------------------------

def skeleton(root):
    """The directories and links that every Debian root has, merged /usr included."""
    for d in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "dev", "proc", "sys", "run", "var/lib", "var/log",
              "var/tmp", "root", "home", "srv", "opt", "mnt"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        if not os.path.lexists(f"{root}/{link}"):
            os.symlink(f"usr/{link}", f"{root}/{link}")
    os.makedirs(f"{root}/tmp", exist_ok=True)
    for d in ("tmp", "var/tmp"):
        os.chmod(f"{root}/{d}", 0o1777)
    os.chmod(f"{root}/root", 0o700)
    if not os.path.lexists(f"{root}/var/run"):
        os.symlink("/run", f"{root}/var/run")


def closure(packages, without=()):
    """These packages and all that they depend on to run, as dpkg's database of this host has them; none whose name begins
    with one of `without`."""
    fields = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Depends},${Pre-Depends}\t${Provides}\n"],
                            check=True, capture_output=True, text=True).stdout
    depends, provides = {}, {}
    for line in fields.splitlines():
        name, deps, provided = line.split("\t")
        depends[name] = [[alt.split()[0].split(":")[0] for alt in group.split("|")]
                         for group in deps.split(",") if group.strip()]
        for virtual in provided.split(","):
            if virtual.strip():
                provides.setdefault(virtual.split()[0], name)
    todo, done = list(packages), []
    while todo:
        name = todo.pop()
        name = name if name in depends else provides.get(name)
        if name is None or name in done or name in INSTALL_ONLY or name.startswith(tuple(without)):
            continue
        done.append(name)
        for group in depends[name]:
            todo.extend(next(([alt] for alt in group if alt in depends or alt in provides), []))
    return sorted(done)


def package_files(names):
    """The paths of packages on this host, as a set, without links in the way to them."""
    listed = subprocess.run(["dpkg", "-L", *names], check=True, capture_output=True, text=True).stdout
    paths = set()
    for line in listed.splitlines():
        if line.startswith("/") and line != "/." and os.path.lexists(line):
            parent, last = os.path.split(line)
            paths.add(os.path.join(os.path.realpath(parent), last))
    return paths - {"/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys", "/run", "/tmp", "/var/run"}


def debian_root(root, packages, base=BASE, without=()):
    """Fill `root` with the files of Debian packages and of their dependencies, copied from this host by GNU tar."""
    skeleton(root)
    paths = package_files(closure([*base, *packages], without))
    paths |= {"/etc/nsswitch.conf"} & {p for p in ("/etc/nsswitch.conf",) if os.path.exists(p)}
    with tempfile.NamedTemporaryFile("w", prefix="aci-list-") as listing:
        listing.write("".join(f"{p[1:]}\0" for p in sorted(paths)))
        listing.flush()
        with subprocess.Popen(["tar", "-C", "/", "--no-recursion", "--null", "--xattrs", "-T", listing.name, "-cf", "-"],
                              stdout=subprocess.PIPE) as producer:
            subprocess.run(["tar", "-C", root, "--xattrs", "-xpf", "-"], stdin=producer.stdout, check=True)
    users(root)
    subprocess.run(["ldconfig", "-r", root], check=True)


def users(root):
    """passwd and group of the root: Debian's fixed ones, and what nginx and redis need."""
    shutil.copy("/usr/share/base-passwd/passwd.master", f"{root}/etc/passwd")
    shutil.copy("/usr/share/base-passwd/group.master", f"{root}/etc/group")
    with open(f"{root}/etc/passwd", "a") as f:
        f.write(f"redis:x:{REDIS_UID}:{REDIS_UID}::/var/lib/redis:/usr/sbin/nologin\n"
                "user1:x:1000:1000::/:/bin/sh\n")
    with open(f"{root}/etc/group", "a") as f:
        f.write(f"redis:x:{REDIS_UID}:\ngroup1:x:100:user1\n")


def busybox_root(root):
    """A root of 2 MB: busybox, its usual names, and the files that libc asks for."""
    skeleton(root)
    shutil.copy2("/usr/bin/busybox", f"{root}/usr/bin/busybox")
    for applet in subprocess.run(["busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", f"{root}/usr/bin/{applet}")
    if os.path.exists("/usr/share/base-passwd/passwd.master"):
        users(root)
    return root


def base_root(root):
    """What every Debian has."""
    debian_root(root, [])
    return root


def greet_root(root):
    """The socket-activated server of greet.c, linked statically, and busybox beside it."""
    busybox_root(root)
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "greet.c")
    subprocess.run(["cc", "-O2", "-Wall", "-static", "-o", f"{root}/usr/bin/greet", source], check=True)
    return root


def hello_root(root):
    """hello.c, linked statically, alone."""
    os.makedirs(f"{root}/bin")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hello.c")
    subprocess.run(["cc", "-O2", "-Wall", "-static", "-o", f"{root}/bin/hello", source], check=True)
    return root


def ace_root(root):
    """ace.c, which looks whether its executor keeps to the standard, alone."""
    for d in ("usr/bin", "work"):
        os.makedirs(f"{root}/{d}")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ace.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-Wall", "-static", "-o", f"{root}/usr/bin/ace", source], check=True)
    return root


def web_root(root):
    """nginx from Debian's packages, set up to serve one page on port 80 and to log to its stderr."""
    debian_root(root, ["nginx"])
    for d in ("var/lib/nginx", "var/log/nginx", "var/www/html"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
    with open(f"{root}/var/www/html/index.html", "w") as f:
        f.write("Welcome to the shop.\n")
    with open(f"{root}/etc/nginx/shop.conf", "w") as f:
        f.write("daemon off;\nerror_log stderr notice;\npid /run/nginx.pid;\nworker_processes 1;\n"
                "events {}\n"
                "http {\n\taccess_log off;\n\tserver {\n\t\tlisten 80;\n\t\troot /var/www/html;\n\t}\n}\n")
    return root


def redis_root(root):
    """redis from Debian's packages."""
    debian_root(root, ["redis-server", "redis-tools"])
    os.makedirs(f"{root}/data", exist_ok=True)
    for d in ("data", "var/lib/redis", "var/log/redis"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
        os.chown(f"{root}/{d}", REDIS_UID, REDIS_UID)
    for directory, _, files in os.walk(f"{root}/etc/redis"):
        for f in [directory, *(os.path.join(directory, f) for f in files)]:
            os.chown(f, REDIS_UID, REDIS_UID)
    return root


def postgres_root(root):
    """PostgreSQL's server and client from Debian's packages, in /usr/bin as in Docker Hub's; a user, his empty data directory
    and the directory of his socket."""
    top = sorted(glob.glob("/usr/lib/postgresql/*"))[-1]
    version = os.path.basename(top)
    debian_root(root, [f"postgresql-{version}", f"postgresql-client-{version}"], without=POSTGRES_WITHOUT)
    for name in os.listdir(f"{root}{top}/bin"):
        if not os.path.lexists(f"{root}/usr/bin/{name}"):
            os.symlink(f"{top}/bin/{name}", f"{root}/usr/bin/{name}")
    for path, line in (("passwd", f"postgres:x:{POSTGRES_UID}:{POSTGRES_UID}::/var/lib/postgresql:/bin/sh\n"),
                       ("group", f"postgres:x:{POSTGRES_UID}:\n")):
        with open(f"{root}/etc/{path}", "a") as f:
            f.write(line)
    for d, mode in (("var/lib/postgresql", 0o755), ("var/lib/postgresql/data", 0o700), ("run/postgresql", 0o2775)):
        os.makedirs(f"{root}/{d}", exist_ok=True)
        os.chown(f"{root}/{d}", POSTGRES_UID, POSTGRES_UID)
        os.chmod(f"{root}/{d}", mode)
    return root


WEB_APP = {"exec": ["/usr/sbin/nginx", "-c", "/etc/nginx/shop.conf"],
           "ports": [{"name": "http", "protocol": "tcp", "port": 80}]}
REDIS_APP = {"exec": ["/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", "6379", "--dir", "/data",
                      "--appendonly", "yes", "--daemonize", "no"],
             "user": "redis", "group": "redis", "workingDirectory": "/data",
             "mountPoints": [{"name": "data", "path": "/data"}],
             "ports": [{"name": "redis", "protocol": "tcp", "port": 6379}]}
GREET_APP = {"exec": ["/usr/bin/greet"],
             "ports": [{"name": "http", "protocol": "tcp", "port": 8080, "socketActivated": True}]}
SH_APP = {"exec": ["/bin/sh", "-c", "echo hello from busybox; exec sleep infinity"],
          "environment": [{"name": "VAR_FROM_MANIFEST", "value": "manifest"}]}

# name of the image: its root, its app
IMAGES = {"example.com/shop-web": (web_root, WEB_APP),
          "example.com/redis": (redis_root, REDIS_APP),
          "example.com/greet": (greet_root, GREET_APP),
          "example.com/busybox": (busybox_root, SH_APP)}


def cached_root(kind, cache):
    """The root that the function `kind` makes, made once per cache directory."""
    root = os.path.join(cache, kind.__name__)
    if not os.path.isdir(root):
        os.makedirs(cache, exist_ok=True)
        new = tempfile.mkdtemp(prefix=kind.__name__ + ".", dir=cache)
        os.chmod(new, 0o755)
        kind(new)
        os.rename(new, root)
    return root


def build(name, cache, version="1.0.0", compression="gz"):
    """One of IMAGES as an ACI in the cache directory; returns its path."""
    kind, app = IMAGES[name]
    output = os.path.join(cache, f"{name.replace('/', '_')}-{version}.{compression}.aci")
    if not os.path.exists(output):
        pack(output, manifest(name, version, app), cached_root(kind, cache), compression)
    return output
