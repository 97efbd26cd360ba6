# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Booting, entering and ending a lab. Sourced by `lab`.
#
# A lab is a supervisor (this script again, verb `supervise`) in a mount namespace and a cgroup of its own, and below it
# systemd-nspawn. It is alive as long as the supervisor holds the lock $STATE/NAME.lock, and whatever happened to the
# supervisor, killing the cgroup and forgetting $STATE/NAME ends it: all its mounts die with the namespace.
#
#   $STATE/NAME/cgroup     path of the lab's cgroup below the cgroup v2 mount
#   $STATE/NAME/release    bookworm or trixie
#   $STATE/NAME/console    what its console prints
#   $STATE/NAME/mnt        in the supervisor's namespace: a tmpfs with upper, work, root; ext4 in rkt and data

RELEASES='bookworm trixie'
BOOT_TIMEOUT=180

# lab_lock: take the lock of lab $NAME, as fd 8; fails when somebody has it. It counts only as long as it has its name,
# which `down` takes away.
lab_lock() {
        exec 8>>"$STATE/$NAME.lock"
        flock -n 8 && [ "$STATE/$NAME.lock" -ef "/proc/$BASHPID/fd/8" ]
}

# is_running: whether somebody holds the lock of lab $NAME.
is_running() {
        [ -e "$STATE/$NAME/cgroup" ] && ! flock -n "$STATE/$NAME.lock" true
}

need_running() {
        is_running || die "lab '$NAME' is not running: start it with 'lab up --name $NAME'"
}

# cgroup_mount: where this machine has cgroup v2.
cgroup_mount() {
        local dir
        dir=$(awk '{ for (i = 6; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' \
                /proc/self/mountinfo)
        [ -n "$dir" ] || die "this machine has no cgroup v2 mounted: mount -t cgroup2 cgroup2 DIRECTORY first"
        echo "$dir"
}

lab_cgroup() { echo "$(cgroup_mount)$(cat "$STATE/$NAME/cgroup")"; }

# cgroup_remove DIR: remove it and all below; the processes are gone or going.
cgroup_remove() {
        local tries=0
        while [ -d "$1" ] && [ $((tries += 1)) -lt 100 ]; do
                find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
        done
}

# lab_clean: kill whatever is left of lab $NAME and forget it. The caller holds the lock.
lab_clean() {
        local cgroup tries=0
        if [ -s "$STATE/$NAME/cgroup" ]; then
                cgroup=$(lab_cgroup)
        else
                cgroup=$(cgroup_mount)/rkt-lab-$NAME
        fi
        if [ -d "$cgroup" ]; then
                echo 1 >"$cgroup/cgroup.kill"
                while grep -q '^populated 1' "$cgroup/cgroup.events" 2>/dev/null; do
                        [ $((tries += 1)) -lt 300 ] || die "processes in $cgroup do not die: see cgroup.procs there"
                        sleep 0.05
                done
                cgroup_remove "$cgroup"
        fi
        rm -rf --one-file-system "${STATE:?}/$NAME"
}

# leader: the lab's PID 1, as this machine numbers it.
leader() {
        local payload pid
        payload=$(lab_cgroup)/lab/payload
        while read -r pid; do
                if grep -qE '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null; then
                        echo "$pid"
                        return
                fi
        done < <(cat "$payload/init.scope/cgroup.procs" "$payload/cgroup.procs" 2>/dev/null)
        return 1
}

# inside COMMAND...: exec it in the namespaces and the cgroup of the lab's PID 1, with a clean environment. When the
# process that this becomes is killed, COMMAND gets SIGTERM.
inside() {
        local pid
        pid=$(leader) || die "lab '$NAME' has no PID 1 (yet): see 'lab console --name $NAME'"
        echo "$BASHPID" >"$(lab_cgroup)/lab/payload/init.scope/cgroup.procs"
        exec 8>&- nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup --root --wdns=/root \
                setpriv --pdeathsig TERM env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

# boot_wait PID: until the lab's start is complete; PID is the supervisor.
boot_wait() {
        local end=$((SECONDS + BOOT_TIMEOUT)) state=
        while [ $SECONDS -lt $end ]; do
                kill -0 "$1" 2>/dev/null || {
                        tail -n 20 "$STATE/$NAME/console" >&2
                        die "lab '$NAME' did not boot: the end of its console is above"
                }
                if (inside test -S /run/systemd/private) 2>/dev/null; then
                        state=$( (inside timeout "$BOOT_TIMEOUT" systemctl is-system-running --wait) 2>/dev/null) || true
                        case $state in
                        running) return ;;
                        degraded)
                                note "failed units: $( (inside systemctl --failed --plain --no-legend) |
                                        awk '{ printf "%s ", $1 }')"
                                return
                                ;;
                        esac
                fi
                sleep 0.05
        done
        die "lab '$NAME' did not finish booting in $BOOT_TIMEOUT s (state: ${state:-none}): see 'lab console --name $NAME'"
}

# up_undo: an `up` that does not end well leaves nothing. The supervisor may not have come to its cgroup yet.
up_undo() {
        if [ -n "$SUPERVISOR" ]; then
                kill -KILL "$SUPERVISOR" 2>/dev/null || true
                wait "$SUPERVISOR" 2>/dev/null || true
        fi
        lab_clean
        rm -f "$STATE/$NAME.lock"
}

verb_up() {
        local release=bookworm disk=4G root launch=()
        while [ $# -gt 0 ]; do
                case $1 in
                --release=*) release=${1#*=} ;;
                --disk=*) disk=${1#*=} ;;
                --release | --disk)
                        [ $# -ge 2 ] || die "$1 needs a value"
                        declare "${1#--}=$2"
                        shift
                        ;;
                *) die "up: unknown argument '$1': see lab --help" ;;
                esac
                shift
        done
        [[ " $RELEASES " == *" $release "* ]] || die "unknown release '$release': there are ${RELEASES/ / and }"
        [[ $disk =~ ^[1-9][0-9]*[MGT]$ ]] || die "bad size '$disk' for --disk: a number and M, G or T"
        cgroup_mount >/dev/null
        lab_lock || die "lab '$NAME' is running already: end it with 'lab down --name $NAME', or give this one another --name"
        SUPERVISOR=
        trap up_undo EXIT
        trap 'exit 130' INT TERM HUP
        lab_clean
        host_needs "$release"
        root=$(root_get "$release") || exit 1
        mkdir -p "$STATE/$NAME/mnt" "$CACHE/build-$release"
        echo "$release" >"$STATE/$NAME/release"

        if [ -d /run/systemd/system ]; then
                launch=(systemd-run --quiet --scope --collect --unit="rkt-lab-$NAME" --property=Delegate=yes)
        fi
        setsid "${launch[@]}" unshare --mount --propagation private \
                "$LAB" supervise --name "$NAME" "$root" "$disk" </dev/null >"$STATE/$NAME/console" 2>&1 &
        SUPERVISOR=$!
        boot_wait "$SUPERVISOR"
        trap - EXIT INT TERM HUP
}

# supervise ROOT DISK: what `up` starts in the background; holds the lock by fd 8, inherited.
verb_supervise() {
        local root=$1 disk=$2 dir=$STATE/$NAME mnt=$STATE/$NAME/mnt cgroup fd status=133
        trap '' HUP INT
        # whatever the caller had open, a lock perhaps
        for fd in /proc/self/fd/*; do
                fd=${fd##*/}
                [ "$fd" -le 2 ] || [ "$fd" -eq 8 ] || [ "/proc/$$/fd/$fd" -ef "$LAB" ] || exec {fd}>&-
        done
        exec 7<"$root"
        flock -s 7
        cgroup=$(cgroup_own)
        mount -t tmpfs -o mode=755,size=80% "lab-$NAME" "$mnt"
        mkdir "$mnt"/{upper,work,root}
        mount -t overlay -o "lowerdir=$root,upperdir=$mnt/upper,workdir=$mnt/work" "lab-$NAME" "$mnt/root"
        disk_make "$mnt/rkt" "$disk"
        disk_make "$mnt/data" 4G
        mkdir "$mnt/data"/{journal,srv,home}
        mkdir -m 1777 "$mnt/data/tmp"
        tr -d - </proc/sys/kernel/random/uuid >"$mnt/root/etc/machine-id"
        mkdir -p /run/systemd
        mount -t tmpfs -o mode=755 tmpfs /run/systemd
        [ "$(cgroup_mount)" = /sys/fs/cgroup ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
        while [ "$status" -eq 133 ]; do
                status=0
                (supervised_nspawn "/sys/fs/cgroup$cgroup" "$mnt" "$(cat "$dir/release")") || status=$?
                [ ! -e "$dir/hard" ] || { rm "$dir/hard" && status=133; }
        done
        return "$status"
}

# disk_make DIR SIZE: a fresh ext4, mounted at DIR. Overlays and idmapped mounts need a real file system beneath.
disk_make() {
        mkdir "$1"
        truncate -s "$2" "$1.img"
        mkfs.ext4 -q -F -m 0 "$1.img"
        mount -o loop "$1.img" "$1"
        rmdir "$1/lost+found"
}

# cgroup_own: print the path of this lab's cgroup, after moving the supervisor into it.
cgroup_own() {
        local top path
        top=$(cgroup_mount)
        if [ -d /run/systemd/system ]; then
                path=$(sed -n 's/^0:://p' /proc/self/cgroup) # a delegated scope
        else
                path=/rkt-lab-$NAME
                mkdir -p "$top$path"
                cgroup_delegate "$top"
        fi
        mkdir -p "$top$path/manager" "$top$path/lab"
        echo $$ >"$top$path/manager/cgroup.procs"
        cgroup_delegate "$top$path"
        echo "$path" >"$STATE/$NAME/cgroup.new"
        mv "$STATE/$NAME/cgroup.new" "$STATE/$NAME/cgroup"
        echo "$path"
}

# cgroup_delegate DIR: pass on all the controllers that DIR has; one that cannot be is no error.
cgroup_delegate() {
        local controller
        for controller in $(cat "$1/cgroup.controllers"); do
                (echo "+$controller" >"$1/cgroup.subtree_control") 2>/dev/null || true
        done
}

# supervised_nspawn CGROUP MNT RELEASE: one boot; exit status 133 means that the lab asked for a reboot.
supervised_nspawn() {
        local bind=() dev
        # Always a new cgroup: Linux 6.18 kills what is cloned into one that cgroup.kill was used on before.
        cgroup_remove "$1/lab"
        mkdir -p "$1/lab"
        cgroup_delegate "$1"
        echo "$BASHPID" >"$1/lab/cgroup.procs"
        for dev in /dev/kmsg; do
                [ ! -e "$dev" ] || bind+=("--bind=$dev")
        done
        # shellcheck disable=SC2093 # the subshell is there for this exec
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 SYSTEMD_SECCOMP=0 \
                exec 8>&- systemd-nspawn --quiet --boot --directory="$2/root" --machine="$NAME" --register=no \
                --keep-unit --capability=all --private-network --private-users=no --resolv-conf=off --timezone=off \
                --link-journal=no --console=read-only --bind-ro="$TOP:/src" --bind="$CACHE/build-$3:/build" \
                --bind="$2/rkt:/var/lib/rkt" --bind="$2/data/journal:/var/log/journal" --bind="$2/data/srv:/srv" \
                --bind="$2/data/home:/home" --bind="$2/data/tmp:/var/tmp" "${bind[@]}"
}

verb_sh() {
        [ "${1:-}" != -- ] || shift
        need_running
        if [ $# -gt 0 ]; then
                inside systemd-run --quiet --scope -- "$@"
        elif [ -t 0 ]; then
                inside systemd-run --quiet --pty --wait --collect --working-directory=/root --setenv=TERM="${TERM:-dumb}" \
                        --setenv=HOME=/root --setenv=LANG=C.UTF-8 -- /bin/bash -l
        else
                inside systemd-run --quiet --scope -- /bin/bash
        fi
}

verb_push() {
        [ $# -eq 2 ] || die "push: give it a file and where it goes"
        [ -e "$1" ] || die "push: there is no '$1'"
        need_running
        # shellcheck disable=SC2016 # expanded inside
        tar -C "$(dirname "$1")" -cf - -- "$(basename "$1")" | inside sh -euc '
                new=$(mktemp -d /var/tmp/push-XXXXXX)
                trap "rm -rf \"$new\"" EXIT
                tar -C "$new" --no-same-owner -xf -
                mkdir -p "$(dirname "$2")"
                if [ -d "$2" ]; then set -- "$1" "$2/$1"; fi
                rm -rf "$2"
                mv -T "$new/$1" "$2"' push "$(basename "$1")" "$2"
}

verb_reboot() {
        local hard= old end=$((SECONDS + BOOT_TIMEOUT))
        case ${1:-} in
        --hard) hard=1 ;;
        ?*) die "reboot: unknown argument '$1': see lab --help" ;;
        esac
        need_running
        old=$(leader) || die "lab '$NAME' has no PID 1: see 'lab console --name $NAME'"
        if [ -n "$hard" ]; then
                : >"$STATE/$NAME/hard"
                echo 1 >"$(lab_cgroup)/lab/cgroup.kill"
        else
                (inside systemctl reboot)
        fi
        while [ -e "/proc/$old" ]; do
                [ $SECONDS -lt $end ] || die "lab '$NAME' did not shut down in $BOOT_TIMEOUT s: see 'lab console --name $NAME'"
                sleep 0.05
        done
        boot_wait "$(head -n 1 "$(lab_cgroup)/manager/cgroup.procs")"
}

verb_down() {
        if lab_lock; then
                [ -e "$STATE/$NAME" ] || {
                        rm -f "$STATE/$NAME.lock"
                        die "lab '$NAME' is not running"
                }
                note "cleaning up what a killed lab '$NAME' left behind"
        fi
        lab_clean
        rm -f "$STATE/$NAME.lock"
}

verb_list() {
        local dir
        for dir in "$STATE"/*/; do
                NAME=$(basename "$dir")
                ! is_running || printf '%-16s %s\n' "$NAME" "$(cat "$dir/release")"
        done
}

verb_console() {
        [ -e "$STATE/$NAME/console" ] || die "lab '$NAME' is not running"
        cat "$STATE/$NAME/console"
}

verb_logs() {
        need_running
        inside journalctl --no-pager "$@"
}
