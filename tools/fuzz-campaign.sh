#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fuzz-campaign.sh BUILD LOGS [TARGET...]: run fuzz targets of a libFuzzer build (docs/HACKING.md), one after the other,
# $RUNS (10000000) executions each, the slow ones no longer than $SECONDS_MAX (3600) seconds. BUILD is the build directory.
# LOGS gets what each one printed, what it found, and a table of them all, LOGS/table. A finding ends that target only.
# Without findings, inputs that reach code which no input in test/corpus reaches are added there, the smallest first, up
# to $CORPUS_MAX (100000) bytes of each corpus. Default: every target that there is.
set -euo pipefail

top=$(dirname "$(dirname "$(readlink -f "$0")")")
build=$(readlink -f "${1:?BUILD}")
mkdir -p "${2:?LOGS}"
logs=$(readlink -f "$2")
shift 2
runs=${RUNS:-10000000}
seconds=${SECONDS_MAX:-3600}
corpus_max=${CORPUS_MAX:-100000}

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=0:quarantine_size_mb=8:malloc_context_size=4

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
        fuzz-tar-stream | fuzz-erofs*) echo 8192 ;;
        *manifest | fuzz-inflate | fuzz-untar | fuzz-discovery) echo 2048 ;;
        *) echo 512 ;;
        esac
}

campaign() {
        local target=$1 dir=$logs/$1 log status=0 executed took speed result=clean
        log=$dir/log
        mkdir -p "$dir/found" "$dir/crashes" "$top/test/corpus/$target"
        "$build/src/$target" -runs="$runs" -max_total_time="$seconds" -max_len="$(length_of "$target")" \
                -entropic=0 -timeout=25 -rss_limit_mb=2048 -reload=0 -verbosity=0 -print_final_stats=1 \
                -artifact_prefix="$dir/crashes/" "$dir/found" "$top/test/corpus/$target" \
                >"$log" 2>&1 || status=$?
        executed=$(stat_of "$log" number_of_executed_units)
        speed=$(stat_of "$log" average_exec_per_sec)
        took=$((${executed:-0} / (${speed:-0} > 0 ? speed : 1)))
        [ "$status" = 0 ] || result="FAILED, see $dir"
        printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$target" "${executed:-?}" "$took" "${speed:-?}" "$(date -u +%F)" "$result" |
                tee -a "$logs/table"
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
