#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every header compiles alone: check-headers.sh SOURCE-ROOT BUILD-ROOT CFLAGS...
root=$1
build=$2
shift 2
failed=0
find "$root/src" -name '*.h' | sort | {
        while read -r h; do
                printf '#include "%s"\n' "${h#"$root"/src/}" |
                        ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers \
                                -Wno-unused-parameter -Werror -fsyntax-only -I"$root/src" -I"$build" "$@" -x c - || failed=1
        done
        exit $failed
}
