# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The root file systems of labs: one per release, made once by mmdebstrap from the machine's own Debian mirror and
# kept in the cache under a name that says what went in. Sourced by `lab`.

ROOT_NEED_MIB=3000

# packages_of RELEASE: the names that test/lab/packages lists for it, one per line.
packages_of() {
        local line word
        while read -r line; do
                line=${line%%#*}
                case $line in
                "$1: "*) line=${line#*: } ;;
                *:\ *) continue ;;
                esac
                for word in $line; do
                        echo "$word"
                done
        done <"$LAB_DIR/packages"
}

# root_path RELEASE: where its root is, or will be. A change of the list or of the recipe changes the name.
root_path() {
        local key
        key=$({ packages_of "$1"; cat "$LAB_DIR/configure-root"; } | sha256sum)
        echo "$CACHE/root-$1-${key:0:12}"
}

# host_packages PROGRAM:PACKAGE...: install on this machine, in one go, the packages whose program it lacks.
host_packages() {
        local want=() pair
        for pair; do
                [[ " ${want[*]} " != *" ${pair##*:} "* ]] || continue
                case ${pair%%:*} in
                /*) [ -e "${pair%%:*}" ] || want+=("${pair##*:}") ;;
                *) command -v "${pair%%:*}" >/dev/null || want+=("${pair##*:}") ;;
                esac
        done
        [ ${#want[@]} -gt 0 ] || return 0
        note "installing ${want[*]} with apt"
        {
                flock 6 && apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
                        -o DPkg::Lock::Timeout=300 install "${want[@]}"
        } 6>"$STATE/apt.lock" >"$STATE/apt.log" 2>&1 </dev/null ||
                die "apt cannot install ${want[*]}: see $STATE/apt.log"
}

# host_needs RELEASE...: install what making (where still to be done) and running labs of these releases takes; check the space.
host_needs() {
        local release avail needs=(systemd-nspawn:systemd-container mkfs.ext4:e2fsprogs nsenter:util-linux losetup:mount)
        mkdir -p "$CACHE"
        avail=$(df --output=avail -m "$CACHE" | tail -n 1)
        for release; do
                [ ! -d "$(root_path "$release")" ] || continue
                [ $((avail -= ROOT_NEED_MIB)) -ge 0 ] ||
                        die "not enough disk space in $CACHE: a root takes $ROOT_NEED_MIB MiB (RKT_LAB_CACHE names another place)"
                needs+=(mmdebstrap:mmdebstrap /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring)
        done
        host_packages "${needs[@]}"
}

# debian_uri LABEL: the mirror that this machine's apt uses for the archive ("Debian" or "Debian-Security").
debian_uri() {
        # shellcheck disable=SC2016 # the names are apt's, not the shell's
        apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
                awk -v label="$1" '$1 == "Debian" && $2 == label && $3 == "main" { print $4; exit }'
}

# debian_sources RELEASE: one-line apt sources for it.
debian_sources() {
        local base security key=/usr/share/keyrings/debian-archive-keyring.gpg opts=
        base=$(debian_uri Debian)
        if [ -z "$base" ]; then
                apt-get -q update >"$STATE/apt.log" 2>&1 || die "apt-get update fails: see $STATE/apt.log"
                base=$(debian_uri Debian)
        fi
        [ -n "$base" ] || die "this machine's apt sources have no Debian archive: add one to /etc/apt"
        security=$(debian_uri Debian-Security)
        [ ! -e "$key" ] || opts="[signed-by=$key] "
        echo "deb $opts$base $1 main"
        echo "deb $opts$base $1-updates main"
        [ -z "$security" ] || echo "deb $opts$security $1-security main"
}

# root_make RELEASE TARGET: build it beside its final name, then rename. In a subshell, for its traps.
root_make() (
        release=$1 tmp=$2.tmp.$BASHPID log=$CACHE/make-$1.log
        rm -rf --one-file-system "$CACHE/root-$release-"*.tmp.*
        trap 'rm -rf --one-file-system "$tmp"' EXIT
        trap 'exit 130' INT TERM HUP
        note "making the root file system of $release (once, a few minutes; log: $log)"
        packages=$(packages_of "$release" | paste -sd,)
        debian_sources "$release" >"$CACHE/sources-$release.list"
        apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$CACHE/apt-$release.conf" || true
        # shellcheck disable=SC2016 # $1 is the hook's
        unshare -m --propagation private mmdebstrap --quiet --mode=root --variant=minbase \
                --include="$packages" --aptopt="$CACHE/apt-$release.conf" \
                --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
                --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
                --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' \
                --setup-hook='mkdir -p "$1/etc/apt"; [ ! -d /etc/apt/auth.conf.d ] || cp -a /etc/apt/auth.conf.d "$1/etc/apt/"' \
                --customize-hook="'$LAB_DIR/configure-root' \"\$1\"" \
                "$release" "$tmp" "$CACHE/sources-$release.list" >"$log" 2>&1 </dev/null ||
                die "mmdebstrap failed: $(grep -E '^E:|error:' "$log" | tail -n 1) (see $log)"
        mv -T "$tmp" "$2"
        root_forget "$release" "$2"
)

# root_forget RELEASE ROOT: remove the roots of this release that no lab used for a week; ROOT stays.
root_forget() {
        local old
        for old in "$CACHE/root-$1-"*; do
                if [ "$old" != "$2" ] && [ -n "$(find "$old" -maxdepth 0 -mtime +7)" ]; then
                        flock -n "$old" rm -rf --one-file-system "$old" || true
                fi
        done
}

# root_get RELEASE: print the path of a ready root, making it if need be.
root_get() {
        local target lock
        target=$(root_path "$1")
        if [ ! -d "$target" ]; then
                exec {lock}>"$CACHE/make-$1.lock"
                flock "$lock"
                [ -d "$target" ] || root_make "$1" "$target" >&2 || exit 1
                exec {lock}>&-
        fi
        touch "$target"
        echo "$target"
}
