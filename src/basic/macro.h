/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleanup attributes and the few macros that everything uses. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#define _cleanup_(f)         __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_             __attribute__((unused))
#define _noreturn_           __attribute__((noreturn))
#define _sentinel_           __attribute__((sentinel))

/* DEFINE_CLEANUP(Store *, store_free) makes store_freep() for _cleanup_(store_freep). */
#define DEFINE_CLEANUP(type, func)                                                                           \
        static inline void func##p(type *p) {                                                                \
                if (*p)                                                                                      \
                        (void) func(*p);                                                                     \
        }                                                                                                    \
        struct rkt_semicolon_eater

#define TAKE_PTR(p)                                                                                          \
        ({                                                                                                   \
                typeof(p) *_pp = &(p);                                                                       \
                typeof(p) _taken = *_pp;                                                                     \
                *_pp = NULL;                                                                                 \
                _taken;                                                                                      \
        })

#define TAKE_FD(fd)                                                                                          \
        ({                                                                                                   \
                int *_pfd = &(fd);                                                                           \
                int _taken_fd = *_pfd;                                                                       \
                *_pfd = -EBADF;                                                                              \
                _taken_fd;                                                                                   \
        })

/* -1 and errno become a negative errno; anything else is passed on. */
#define RET_NERRNO(call)                                                                                     \
        ({                                                                                                   \
                int _ret = (call);                                                                           \
                _ret < 0 ? -errno : _ret;                                                                    \
        })

/* Keeps the first error of several steps that are all tried. */
#define RET_GATHER(first, call)                                                                              \
        ({                                                                                                   \
                int _r = (call);                                                                             \
                if ((first) >= 0 && _r < 0)                                                                  \
                        (first) = _r;                                                                        \
                _r;                                                                                          \
        })

/* The size of a buffer between files, which changes no result. Fuzzers get small ones: mapping and zeroing large ones would
 * take most of their time, and what crosses a buffer's end is found sooner. */
#ifdef RKT_FUZZING
#define IO_BUFFER(size) 8192U
/* For functions whose ways through are as many as there are inputs, and of no interest: a fuzzer would collect them all. */
#define _not_traced_ __attribute__((no_sanitize("coverage")))
#else
#define IO_BUFFER(size) (size)
#define _not_traced_
#endif

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define FOREACH_ARRAY(i, arr, n)                                                                             \
        for (typeof(*(arr)) *i = (arr), *_end_##i = i ? i + (n) : i; i < _end_##i; i++)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
