#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# cppcheck over everything: check-cppcheck.sh SOURCE-ROOT BUILD-ROOT
# memleak, resourceLeak: cppcheck does not know __attribute__((cleanup)); the tests run with a leak sanitizer instead.
cppcheck --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 --inline-suppr \
        --suppress=memleak --suppress=resourceLeak --suppress=readdirCalled --suppress=getpwnamCalled --suppress=getgrnamCalled --suppress=getpwuidCalled --suppress=getgrgidCalled --suppress=missingIncludeSystem --suppress=nullPointerOutOfMemory \
        --suppress=uninitvar:*/test-*.c --suppress=*:*/test-*.c \
        --library=posix,gnu -j "$(nproc)" -D_GNU_SOURCE '-D_cleanup_(x)=' -I "$1/src" -I "$2" "$1/src" "$1/generators"
