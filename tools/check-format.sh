#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# clang-format 14 decides on every C file; other versions differ, so they are refused.
cd "$1" || exit 1
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" != 14 ]; then
        echo "clang-format 14 (Debian 12) is needed, found '${version:-none}'"
        exit 1
fi
find src generators test -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror
