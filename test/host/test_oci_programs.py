# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs as people pull them: PostgreSQL built by podman from a Containerfile, and a compiler with half a gigabyte around it,
both from Debian's registry, to work in a pod."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import CACHE, DATA
from images import aci, oci
from test_archive_sizes import MIB, RSS_MAX, RUSAGE

INSECURE = "--insecure-options=image"
SANITIZED = os.environ.get("LAB_PROFILE") == "asan"

CONTAINERFILE = """
FROM scratch
ADD root.tar /
COPY --chmod=755 entrypoint /usr/local/bin/entrypoint
ENV PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
USER postgres
WORKDIR /var/lib/postgresql
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["entrypoint"]
CMD ["postgres", "-c", "jit=off", "-c", "listen_addresses=", "-c", "unix_socket_directories=/run/postgresql"]
"""
ENTRYPOINT = """#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
        initdb --no-sync --auth=trust
        echo "a new database"
fi
exec "$@"
"""
DATABASE = """[Pod]
Network=none
InsecureOptions=image

[App db]
Image=docker://{image}
Type=notify
Volume=data:/var/lib/postgresql/data

[Volume data]
Persistent=yes
"""


@pytest.fixture(scope="module", name="postgres")
def postgres_of_podman(debian_registry):
    """The name of an image that `podman build` made and `podman push` pushed."""
    image = f"{debian_registry.host}/postgres:latest"
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/var/tmp") as top:  # not an overlay itself
        podman = ["podman", "--root", f"{top}/storage", "--runroot", f"{top}/run", "--storage-driver", "overlay"]
        context = pathlib.Path(top, "context")
        context.mkdir()
        (context / "Containerfile").write_text(CONTAINERFILE)
        (context / "entrypoint").write_text(ENTRYPOINT)
        subprocess.run(["tar", "--numeric-owner", "-C", aci.cached_root(aci.postgres_root, top), "-cf", context / "root.tar", "."],
                       check=True)  # COPY would make root the owner of everything
        for words in (["build", "--quiet", "--format=docker", "--tag", image, str(context)], ["push", "--quiet", image],
                      ["rmi", image]):
            done = subprocess.run([*podman, *words], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done
    return image


def ask(pods, name, query):
    """What psql says in the pod, as the app's own user."""
    return pods.shell_in(f"db@{name}", "/usr/bin/psql", "--no-psqlrc", "-P", "pager=off", "-qtAc", query).strip()


def test_postgresql(host, pods, no_images, postgres):  # pylint: disable=unused-argument
    """A database in a volume that the image fills with an empty directory of its user's: made at the first start, there after
    the second one, ready when the pod is, and shut down in order by the image's stop signal."""
    begin = time.time()
    name = pods.write("postgres", DATABASE.format(image=postgres))
    pods.start(name)
    uuid = pods.uuid(name)
    place = pods.shell_in(f"db@{name}", "/usr/bin/stat", "-c", "%U %G %a", "/var/lib/postgresql/data").strip()
    assert place == "postgres postgres 700"
    assert ask(pods, name, "select current_user || 1") == "postgres1"
    ask(pods, name, "create table shop (thing text); insert into shop values ('a teapot')")
    pods.stop(name)
    assert pods.apps(uuid) == {"db": 0}
    pods.start(name)
    assert pods.uuid(name) != uuid and ask(pods, name, "select thing from shop") == "a teapot"
    pods.stop(name)
    logged = host.journal("-u", f"pod@{name}", since=begin)
    assert logged.count("a new database") == 1
    assert logged.count("database system is shut down") >= 2 and "not properly shut down" not in logged
    assert pathlib.Path(DATA, "volumes", name, "data/PG_VERSION").exists()


# --- a toolchain -----------------------------------------------------------------------------------------------------

# Packages of a layer each, over what every Debian has; sanitizers are checked by less.
TOOLCHAIN = [["gcc", "libc6-dev"], ["perl", "python3"], ["git", "meson", "ninja-build"], ["libllvm*"]][:1 if SANITIZED else None]
SOURCE = r"""
#include <math.h>
#include <stdio.h>
int main(void) {
        printf("%.3f, compiled in a pod\n", sqrt(2.0) + __GNUC__ * 0.0);
        return 0;
}
"""


def layer_files():
    """The paths of each layer of TOOLCHAIN, as sets."""
    done = aci.package_files(aci.closure(aci.BASE))
    for packages in TOOLCHAIN:
        names = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n", *packages], check=True, capture_output=True, text=True)
        files = aci.package_files(aci.closure(names.stdout.split()))
        yield files - done
        done |= files


def pack(path, top, names=None):
    """A layer of paths beneath top (None: everything); its bytes unpacked, and its diff_id."""
    with tempfile.NamedTemporaryFile("w", prefix="layer-") as listing:
        listing.write("".join(f"{n[1:]}\0" for n in sorted(names or [])))
        listing.flush()
        what = ["-C", top, "."] if names is None else ["--no-recursion", "-C", top, "--null", "-T", listing.name]
        subprocess.run(["tar", "--numeric-owner", "--format=posix", "--pax-option=delete=atime,delete=ctime", "-cf", path, *what],
                       check=True)
    hashed = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout.split()[0]
    return os.path.getsize(path), f"sha256:{hashed}"


@pytest.fixture(scope="module", name="toolchain")
def toolchain_in_layers(debian_registry, tmp_path_factory):
    """(Image of packages in a layer each, the base in gzip and what is above it in zstd; bytes of all layers unpacked)."""
    layout = tmp_path_factory.mktemp("toolchain")
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    size, layers, diff_ids = 0, [], []
    for names in [None, *layer_files()]:
        plain = str(layout / "layer.tar")
        more, diff_id = pack(plain, "/", names) if names else pack(plain, aci.cached_root(aci.base_root, CACHE))
        size += more
        diff_ids.append(diff_id)
        tool, kind = (["zstd", "-q", "-1"], "zstd") if names else (["gzip", "-1n"], "gzip")
        with open(layout / "packed", "wb") as out:
            subprocess.run([*tool, "-c", plain], stdout=out, check=True)
        packed = subprocess.run(["sha256sum", layout / "packed"], check=True, capture_output=True, text=True).stdout.split()[0]
        layers.append({"mediaType": f"{oci.LAYER}+{kind}", "digest": f"sha256:{packed}",
                       "size": os.path.getsize(layout / "packed")})
        os.rename(layout / "packed", blobs / packed)
        os.unlink(plain)
    image = oci.Image([], app={"Entrypoint": ["/bin/sh", "-c"], "WorkingDir": "/srv"}, manifest_fields={"layers": layers},
                      fields={"rootfs": {"type": "layers", "diff_ids": diff_ids}})
    oci.write_layout(str(layout), image)
    debian_registry.skopeo(f"oci:{layout}:latest", "toolchain", "latest")
    shutil.rmtree(layout)
    return f"docker://{debian_registry.host}/toolchain", size


def test_toolchain(host, no_images, toolchain):  # pylint: disable=unused-argument
    """Half a gigabyte in layers of both compressions is pulled in 64 MiB of memory, and a compiler works in the pod."""
    image, size = toolchain
    assert SANITIZED or size > 500e6
    done = host.run(sys.executable, "-IS", "-c", RUSAGE, "rkt", INSECURE, "fetch", "--full", image)
    rss = int(done.err.splitlines()[-1]) * 1024
    assert rss < RSS_MAX, f"{rss / MIB:.1f} MiB"
    script = f"cat >a.c <<'E'\n{SOURCE}E\ngcc -O2 -Wall -o a a.c -lm && ./a && gcc -static -o b a.c -lm && ./b"
    assert host.rkt("run", INSECURE, image, "--", script).out == "1.414, compiled in a pod\n" * 2
