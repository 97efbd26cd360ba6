#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fuzz-campaign.sh BUILD LOGS [TARGET...]: run fuzz targets of a libFuzzer build (docs/HACKING.md), one after the other,
# $RUNS (10000000) executions each, the slow ones no longer than $SECONDS_MAX (3600) seconds. BUILD is the build directory,
# of $REVISION (this tree's).
# A target runs in twenty legs, one of them with long inputs; leaks are looked for all along. Every other leg is a
# quick one: it does not count how often a loop goes round, and runs the binary of $QUICK_BUILD, if there is one, a build
# with -Dc_args=-fno-sanitize-coverage=trace-cmp,indirect-calls. LOGS keeps how
# far each one is: started again, with the same LOGS and the same revision, the script goes on where it was. LOGS/SUMMARY
# says target, executions, and clean or not; tools/fuzz-table.py takes it over into bench/fuzz.md. A finding ends that
# target only. Without findings, inputs that reach code which no input in test/corpus reaches are added there, the smallest
# first, up to $CORPUS_MAX (100000) bytes of each corpus. Default: every target that there is.
set -euo pipefail

top=$(dirname "$(dirname "$(readlink -f "$0")")")
build=$(readlink -f "${1:?BUILD}")
mkdir -p "${2:?LOGS}"
logs=$(readlink -f "$2")
shift 2
runs=${RUNS:-10000000}
seconds=${SECONDS_MAX:-3600}
corpus_max=${CORPUS_MAX:-100000}
revision=${REVISION:-$(git -C "$top" rev-parse --short HEAD)}
legs=20

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# What one execution frees fits into this quarantine, and it into the processor's cache. A finding's stacks: by replaying it.
export ASAN_OPTIONS=detect_stack_use_after_return=0:malloc_context_size=1
ASAN_OPTIONS+=:quarantine_size_mb=1:thread_local_quarantine_size_kb=64

stat_of() { sed -n "s/^stat::$2: *//p" "$1" | tail -n 1; }

# corpus_add TARGET FOUND: those inputs that bring something, within the limit.
corpus_add() {
        local seeds=$top/test/corpus/$1 all=$logs/$1/merged size file
        rm -rf "$all"
        mkdir -p "$all" "$seeds"
        cp -r "$seeds/." "$all"
        # counters would keep one input per number of rounds of a loop
        "$build/src/$1" -merge=1 -use_counters=0 -verbosity=0 "$all" "$2" >"$logs/$1/merge.log" 2>&1 || return 0
        size=$(find "$seeds" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')
        find "$all" -type f -printf '%s %f\n' | sort -n | while read -r n file; do
                [ ! -e "$seeds/$file" ] || continue
                size=$((size + n))
                [ "$size" -le "$corpus_max" ] || break
                cp "$all/$file" "$seeds/$file"
        done
}

# Long inputs are slow and find little; but an archive consists of blocks, and a manifest has much in it.
length_of() {
        case $1 in
        fuzz-tar-stream | fuzz-layer) echo 2560 8192 ;;
        fuzz-erofs) echo 1024 4096 ;;
        *manifest | fuzz-inflate | fuzz-untar | fuzz-discovery) echo 512 2048 ;;
        *) echo 256 1024 ;;
        esac
}

# summary TARGET EXECUTIONS SECONDS RESULT: replace the target's line.
summary() {
        touch "$logs/SUMMARY"
        {
                grep -v "^$1	" "$logs/SUMMARY" || true
                printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(date -u +%F)" "$4" "$revision"
        } | sort >"$logs/SUMMARY.$1"
        mv "$logs/SUMMARY.$1" "$logs/SUMMARY"
}

# leg TARGET LENGTH NUMBER: one of them; adds to the files executions and seconds.
leg() {
        local dir=$logs/$1 began=$SECONDS status=0 n binary=$build/src/$1
        [ $(($3 % 2)) = 0 ] || [ -z "${QUICK_BUILD:-}" ] || binary=$QUICK_BUILD/src/$1
        "$binary" -use_counters=$((1 - $3 % 2)) -runs=$((runs / legs)) -max_total_time=$((seconds / legs)) -max_len="$2" \
                -entropic=0 -timeout=25 -rss_limit_mb=2048 -reload=0 -verbosity=0 -print_final_stats=1 \
                -artifact_prefix="$dir/crashes/" "$dir/found" "$top/test/corpus/$1" >"$dir/log" 2>&1 || status=$?
        n=$(stat_of "$dir/log" number_of_executed_units)
        echo $(($(cat "$dir/executions") + ${n:-0})) >"$dir/executions"
        echo $(($(cat "$dir/seconds") + SECONDS - began)) >"$dir/seconds"
        return "$status"
}

campaign() {
        local target=$1 dir=$logs/$1 status=0 i result=clean short long
        mkdir -p "$dir/found" "$dir/crashes" "$top/test/corpus/$target"
        read -r short long < <(length_of "$target")
        i=$(cat "$dir/legs" 2>/dev/null || echo 0)
        [ "$i" -gt 0 ] || echo 0 | tee "$dir/executions" >"$dir/seconds"
        [ "$i" -lt "$legs" ] || return 0
        while [ "$i" -lt "$legs" ] && [ "$status" = 0 ]; do
                # the long ones second to last, so that the last leg shortens what they found
                leg "$target" "$([ "$i" = $((legs - 2)) ] && echo "$long" || echo "$short")" "$i" || status=$?
                i=$((i + 1))
                echo "$i" >"$dir/legs"
                summary "$target" "$(cat "$dir/executions")" "$(cat "$dir/seconds")" "running, clean so far"
        done
        [ "$status" = 0 ] || result="FAILED, see $dir"
        summary "$target" "$(cat "$dir/executions")" "$(cat "$dir/seconds")" "$result"
        [ "$status" != 0 ] || corpus_add "$target" "$dir/found"
        return "$status"
}

if [ $# -eq 0 ]; then
        mapfile -t targets < <(find "$build/src" -maxdepth 1 -type f -name 'fuzz-*' -printf '%f\n' | sort)
        set -- "${targets[@]}"
fi
failed=0
for target in "$@"; do
        campaign "$target" || failed=1
done
exit $failed
