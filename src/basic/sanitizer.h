/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a sanitized build has to know of itself. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HAVE_SANITIZER 1
#endif
#endif
#ifndef HAVE_SANITIZER
#define HAVE_SANITIZER 0
#endif

/* At the top level of a program that runs behind filters: the leak checker traces its own process at its end, and hangs where
 * that is not allowed. */
#if HAVE_SANITIZER
#define NO_LEAK_CHECK                                                                                        \
        /* NOLINTNEXTLINE(readability-identifier-naming) the sanitizer names it */                           \
        int __lsan_is_turned_off(void) __attribute__((visibility("default")));                               \
        int __lsan_is_turned_off(void) {                                                                     \
                return 1;                                                                                    \
        }
#else
#define NO_LEAK_CHECK
#endif
