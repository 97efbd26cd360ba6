/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages for people. On a terminal or pipe: "rkt: text"; when standard error is the journal (JOURNAL_STREAM is set),
 * with a "<level>" prefix that journald takes away. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/log.h"

static bool log_debug_on = false;
static const char *log_prefix = NULL;

/**
 * log_set_debug() - show messages of level debug
 * @on: default is off
 */
void log_set_debug(bool on) {
        log_debug_on = on;
}

/**
 * log_is_debug() - are debug messages shown?
 *
 * Return: true after log_set_debug(true).
 */
bool log_is_debug(void) {
        return log_debug_on;
}

/**
 * log_set_prefix() - the command name in front of every message
 * @prefix: kept by reference; NULL for none
 */
void log_set_prefix(const char *prefix) {
        log_prefix = prefix;
}

/* Is standard error connected to the journal, by the rule of systemd.exec(5)? */
static bool stderr_is_journal(void) {
        const char *v = getenv("JOURNAL_STREAM");
        char expected[64];
        struct stat st;

        if (!v || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void) snprintf(expected, sizeof(expected), "%lu:%lu", (unsigned long) st.st_dev,
                        (unsigned long) st.st_ino);
        return strcmp(v, expected) == 0;
}

/**
 * log_full() - write one message in one write
 * @level:  LOG_ERR ... LOG_DEBUG of syslog(3)
 * @r:      errno, negative or positive, what %m shows; 0 for none
 * @format: printf
 *
 * Return: -abs(@r).
 */
int log_full(int level, int r, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *line = NULL;
        va_list ap;
        int n, saved_errno = errno;

        if (level == LOG_DEBUG && !log_debug_on)
                return r < 0 ? r : -r;
        va_start(ap, format);
        errno = r < 0 ? -r : r;
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (text) {
                if (stderr_is_journal())
                        n = asprintf(&line, "<%d>%s\n", level, text);
                else
                        n = asprintf(&line, "%s%s%s\n", log_prefix ? log_prefix : "", log_prefix ? ": " : "",
                                     text);
                if (n > 0 && write(STDERR_FILENO, line, (size_t) n) < 0) {
                        /* nowhere left to say so */
                }
        }
        errno = saved_errno;
        return r < 0 ? r : -r;
}
