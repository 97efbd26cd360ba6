# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is done in labs: install, test, demo, bench. Sourced by `lab`.
#
# Each suite of `lab test` leaves LOGS/SUITE-RELEASE.log, a JUnit file where it has one, and LOGS/SUITE-RELEASE.count with
# "PASSED FAILED SKIPPED"; the closing line is their sum. A suite that ends badly without a failed test counts as one.

SUITES='lint unit host host-asan vm lab'
SUITES_DEFAULT='lint unit host vm lab'

# tree_key: a name for this source tree in the build cache.
tree_key() { echo "$TOP" | sha256sum | cut -c1-8; }

verb_install() {
        local profile=plain
        case ${1:-} in
        --asan) profile=asan ;;
        ?*) die "install: unknown argument '$1': see lab --help" ;;
        esac
        need_running
        (inside systemd-run --quiet --scope -- /src/test/lab/build "$(tree_key)" "$profile" install) ||
                die "the build failed (see above)"
}

# junit_count FILE: its "PASSED FAILED SKIPPED". pytest lists a test twice that failed and could not clean up: it counts once.
junit_count() {
        awk 'BEGIN { RS = "<"; FS = "\n" }
        /^testsuite[ \n]/ { suite++ }
        /^testcase[ \n]/ {
                match($0, / name="[^"]*"/); test = suite substr($0, RSTART, RLENGTH)
                match($0, / classname="[^"]*"/); test = test substr($0, RSTART, RLENGTH)
                seen[test]
        }
        /^(failure|error)[ >\/]/ { bad[test] }
        /^skipped[ >\/]/ { skipped[test] }
        END { for (test in seen) if (test in bad) b++; else if (test in skipped) s++; else p++
                print p + 0, b + 0, s + 0 }' "$1"
}

# suite_end SUITE RELEASE STATUS [JUNIT]: write down and show how it went.
suite_end() {
        local passed=0 failed=0 skipped=0
        [ -z "${4:-}" ] || [ ! -s "$4" ] || read -r passed failed skipped < <(junit_count "$4")
        [ "$3" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
        echo "$passed $failed $skipped" >"$LOGS/$1-$2.count"
        echo "== $1, $2: $passed passed, $failed failed, $skipped skipped"
}

# show RELEASE [SED-ARGUMENT...]: what a suite prints, filtered, each line with the release in front.
show() {
        local release=$1
        shift
        sed -u "$@" -e "s/^/$release: /"
}

# in_lab COMMAND...: run it in lab $NAME.
in_lab() { "$LAB" sh --name "$NAME" -- "$@" </dev/null; }

# suite_meson SUITE RELEASE PROFILE: a suite of meson's.
suite_meson() {
        local status=0 junit
        junit=/build/$(tree_key)/$1.xml
        in_lab rm -f "$junit"
        in_lab /src/test/lab/build "$(tree_key)" "$3" test "$1" "$junit" 2>&1 | tee "$LOGS/$1-$2.log" |
                show "$2" -e '/^Summary of Failures/,$d; /^Ok: /,$d; /^ninja: \|^$/d' || status=$?
        in_lab sh -c "[ ! -e $junit ] || cat $junit" >"$LOGS/$1-$2.xml"
        suite_end "$1" "$2" "$status" "$LOGS/$1-$2.xml"
}

# suite_host SUITE RELEASE PROFILE: pytest on the installed product.
suite_host() {
        local status=0 option=() files=()
        [ "$3" = plain ] || option=(--asan)
        if ! "$LAB" install --name "$NAME" "${option[@]}" >"$LOGS/$1-$2.log" 2>&1; then
                tail -n 40 "$LOGS/$1-$2.log" | show "$2"
                suite_end "$1" "$2" 1
                return
        fi
        in_lab rm -f /tmp/host.xml
        # every test of this release runs with sanitizers; without them only what shows that this build works too
        if [ "$1-$2" = host-bookworm ] && chosen host-asan && [ -z "$FILTERED" ]; then
                files=(test_boot.py test_pod_lifecycle.py test_trees.py test_trust.py test_workers.py)
        fi
        "$LAB" sh --name "$NAME" -- env --chdir=/src/test/host PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
                LAB_PROFILE="$3" ASAN_OPTIONS=detect_leaks=0 \
                pytest-3 -p no:cacheprovider --rootdir=/src/test/host --timeout=300 -v --tb=short -rfEs \
                --junit-xml=/tmp/host.xml --durations=25 "${files[@]}" "${PYTEST_ARGS[@]}" </dev/null 2>&1 | tee -a "$LOGS/$1-$2.log" |
                show "$2" -e '/^=* \(ERRORS\|FAILURES\) =*$/,/^=* short test summary/d' || status=$?
        # no test of that name on this release is no failure
        [ "$status" -ne 5 ] || [ -z "$FILTERED" ] || status=0
        in_lab sh -c '[ ! -e /tmp/host.xml ] || cat /tmp/host.xml' >"$LOGS/$1-$2.xml"
        in_lab journalctl --no-pager -b all >"$LOGS/$1-$2.journal" 2>&1 || true
        suite_end "$1" "$2" "$status" "$LOGS/$1-$2.xml"
}

# suite_vm RELEASE: test/vm/run RELEASE JUNIT, on this machine, not in a lab.
suite_vm() {
        local status=0
        LAB=$LAB LAB_NAME=$NAME "$TOP/test/vm/run" "$1" "$LOGS/vm-$1.xml" 2>&1 | tee "$LOGS/vm-$1.log" || status=$?
        suite_end vm "$1" "$status" "$LOGS/vm-$1.xml"
}

# suite_lab: the lab's own tests, TAP, on this machine.
suite_lab() {
        local status=0
        "$LAB_DIR/test-lab" 2>&1 | tee "$LOGS/lab-all.log" || status=$?
        awk 'BEGIN { print "<testsuite>" }
                /^(not )?ok / { print "<testcase name=\"" NR "\">" }
                /^not ok / { print "<failure/>" }
                /^ok .*# SKIP/ { print "<skipped/>" }' "$LOGS/lab-all.log" >"$LOGS/lab-all.xml"
        suite_end lab all "$status" "$LOGS/lab-all.xml"
}

# suites_in LAB RELEASE SUITE...: those of these suites that were asked for, in a lab of that name.
suites_in() {
        local release=$2 suite fresh='' profile=plain
        NAME=$1
        shift 2
        [ "$release" != bookworm ] || profile=asan
        [[ " $TEST_RELEASES " == *" $release "* ]] || return 0
        for suite; do
                chosen "$suite" || continue
                # what was installed with sanitizers must not be mixed with what was not
                if [ "$suite" = host-asan ] && [ -n "$fresh" ]; then
                        "$LAB" down --name "$NAME"
                fi
                is_running || "$LAB" up --name "$NAME" --release "$release" || {
                        suite_end "$suite" "$release" 1
                        continue
                }
                fresh=1
                echo "== $suite, $release"
                case $suite in
                lint) suite_meson lint "$release" plain ;;
                unit) suite_meson unit "$release" "$profile" ;;
                host) suite_host host "$release" plain ;;
                host-asan) suite_host host-asan "$release" asan ;;
                esac
        done
        [ -n "$KEEP" ] || ! is_running || "$LAB" down --name "$NAME"
}

# Two lanes, about equally long.
lane_one() { suites_in "$NAME-bookworm" bookworm unit host host-asan; }
lane_two() {
        (suites_in "$NAME-trixie" trixie unit host)
        (suites_in "$NAME-lint" bookworm lint)
}

# test_options ARGUMENT...: set CHOSEN, FILTERED, KEEP, PYTEST_ARGS, TEST_RELEASES.
test_options() {
        CHOSEN=() FILTERED='' KEEP='' PYTEST_ARGS=() TEST_RELEASES=$RELEASES
        while [ $# -gt 0 ]; do
                case $1 in
                -k)
                        [ $# -ge 2 ] || die "-k needs an expression"
                        PYTEST_ARGS+=(-k "$2") FILTERED=1
                        shift
                        ;;
                --release)
                        [ $# -ge 2 ] || die "--release needs a value"
                        TEST_RELEASES=$2
                        shift
                        ;;
                --release=*) TEST_RELEASES=${1#*=} ;;
                --keep) KEEP=1 ;;
                --)
                        shift
                        PYTEST_ARGS+=("$@") FILTERED=1
                        break
                        ;;
                *)
                        [[ " $SUITES " == *" $1 "* ]] || die "unknown suite '$1': there are $SUITES"
                        CHOSEN+=("$1")
                        ;;
                esac
                shift
        done
        [[ " $RELEASES " == *" $TEST_RELEASES "* || $TEST_RELEASES == "$RELEASES" ]] ||
                die "unknown release '$TEST_RELEASES': there are ${RELEASES/ / and }"
        [ ${#CHOSEN[@]} -gt 0 ] || read -ra CHOSEN <<<"$SUITES_DEFAULT"
}

chosen() { [[ " ${CHOSEN[*]} " == *" $1 "* ]]; }

test_cleanup() {
        local lab job
        for job in $(jobs -p); do
                kill -- "-$job" 2>/dev/null || true
        done
        wait
        rm -f "$STATE/test-$NAME.lock"
        for lab in bookworm trixie lint; do
                (NAME=$NAME-$lab && [ -z "$KEEP" ] && is_running && verb_down) || true
        done
}

verb_test() {
        local release
        [ -n "$NAME_GIVEN" ] || NAME=test
        test_options "$@"
        exec 5>>"$STATE/test-$NAME.lock"
        { flock -n 5 && [ "$STATE/test-$NAME.lock" -ef /proc/$$/fd/5 ]; } ||
                die "a test run named '$NAME' is going on: give this one another --name"
        LOGS=$CACHE/logs/$NAME
        rm -rf "$LOGS"
        mkdir -p "$LOGS"
        # shellcheck disable=SC2086 # a list
        host_needs $TEST_RELEASES
        for release in $TEST_RELEASES; do
                root_get "$release" >/dev/null # before the lanes make theirs at the same time
        done
        trap test_cleanup EXIT
        trap 'exit 130' INT TERM HUP
        set -m # each lane is a process group, so that it can be ended with all that it started
        lane_one </dev/null &
        lane_two </dev/null &
        set +m
        wait
        if chosen vm && [ -x "$TOP/test/vm/run" ]; then
                for release in $TEST_RELEASES; do
                        suite_vm "$release"
                done
        fi
        ! chosen lab || suite_lab
        trap - EXIT INT TERM HUP
        rm -f "$STATE/test-$NAME.lock"
        test_close
}

# test_close: the sum of all suites.
test_close() {
        local passed failed
        read -r passed failed < <(cat "$LOGS"/*.count 2>/dev/null | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
        [ "$failed" -eq 0 ] || note "logs are in $LOGS"
        [ $((passed + failed)) -gt 0 ] || note "no test was run"
        echo "$passed passed, $failed failed"
        [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# on_fresh_lab PROGRAM RELEASE [ARGUMENT...]: boot, install, run PROGRAM on this machine with $LAB and $LAB_NAME, end.
on_fresh_lab() {
        local program=$1 release=$2 status=0
        shift 2
        [ -x "$TOP/$program" ] || die "there is no $program in this source tree yet"
        "$LAB" up --name "$NAME" --release "$release"
        trap '"$LAB" down --name "$NAME"' EXIT
        trap 'exit 130' INT TERM HUP
        note "building and installing in the lab"
        "$LAB" install --name "$NAME"
        LAB=$LAB LAB_NAME=$NAME "$TOP/$program" "$@" || status=$?
        trap - EXIT INT TERM HUP
        "$LAB" down --name "$NAME"
        return "$status"
}

verb_demo() {
        local release=bookworm
        [ -n "$NAME_GIVEN" ] || NAME=demo
        case ${1:-} in
        --release=*) release=${1#*=} && shift ;;
        --release) release=${2:-} && shift 2 ;;
        esac
        on_fresh_lab test/demo/run "$release" "$@"
}

verb_bench() {
        [ -n "$NAME_GIVEN" ] || NAME=bench
        on_fresh_lab test/bench/run trixie "$@"
}

# root [--release RELEASE]: for programs that want the tree itself.
verb_root() {
        local release=bookworm
        case ${1:-} in
        --release=*) release=${1#*=} ;;
        --release) release=${2:-} ;;
        esac
        [[ " $RELEASES " == *" $release "* ]] || die "unknown release '$release': there are ${RELEASES/ / and }"
        root_get "$release"
}
