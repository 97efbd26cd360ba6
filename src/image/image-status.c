/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress for systemctl status and for a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macro.h"
#include "basic/str.h"
#include "image/image-status.h"

#define COLUMNS_FALLBACK 80U
#define BAR_WIDTH_MIN    8U
#define BAR_WIDTH_MAX    30U
#define RATE_WEIGHT      8U /* the latest measurement counts one part in so many */

/**
 * image_status_init() - decide where progress goes
 * @s: is filled in; silent when standard error is no terminal
 */
void image_status_init(ImageStatus *s) {
        *s = (ImageStatus){ .terminal = isatty(STDERR_FILENO) == 1 };
}

static void format_bytes(uint64_t n, char *ret, size_t size) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        double v = (double) n;
        size_t i = 0;

        for (; v >= 1000 && i + 1 < ELEMENTSOF(units); i++)
                v /= 1024;
        (void) snprintf(ret, size, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

static void format_left(const ImageStatusBar *b, char *ret, size_t size) {
        uint64_t sec;

        *ret = 0;
        if (b->rate == 0 || b->total <= b->done)
                return;
        sec = (b->total - b->done + b->rate - 1) / b->rate;
        if (sec < 3600)
                (void) snprintf(ret, size, " %u:%02u left", (unsigned) sec / 60, (unsigned) sec % 60);
        else if (sec < 100 * 3600)
                (void) snprintf(ret, size, " %u:%02u:%02u left", (unsigned) sec / 3600,
                                (unsigned) sec / 60 % 60, (unsigned) sec % 60);
}

/* "42.1 MiB/200.0 MiB 35.2 MiB/s 0:04 left" */
static void format_numbers(const ImageStatusBar *b, char *ret, size_t size) {
        char done[24], total[24] = "", rate[24] = "", left[32];

        format_bytes(b->done, done, sizeof(done));
        if (b->total > 0)
                format_bytes(b->total, total, sizeof(total));
        if (b->rate > 0)
                format_bytes(b->rate, rate, sizeof(rate));
        format_left(b, left, sizeof(left));
        (void) snprintf(ret, size, "%s%s%s%s%s%s%s", done, *total ? "/" : "", total, *rate ? " " : "", rate,
                        *rate ? "/s" : "", left);
}

static const char *base_name(const char *what) {
        const char *slash = strrchr(what, '/');

        return slash && slash[1] ? slash + 1 : what;
}

/**
 * image_status_format() - one line of the terminal
 * @b:       download
 * @columns: of the terminal
 * @ret:     fewer characters than that, no newline
 */
void image_status_format(const ImageStatusBar *b, unsigned columns, char ret[IMAGE_STATUS_TEXT_MAX]) {
        char numbers[128], bar[BAR_WIDTH_MAX + 4] = "";
        const char *name = base_name(b->what);
        unsigned room, n_name = (unsigned) strlen(name), width, n;

        format_numbers(b, numbers, sizeof(numbers));
        columns = MIN(columns, IMAGE_STATUS_TEXT_MAX);
        n = (unsigned) strlen(numbers);
        room = columns > n + 2 ? columns - n - 2 : 0;
        /* The numbers first, then the name, then the bar. */
        width = room > MIN(n_name, 40U) + 4 ? room - MIN(n_name, 40U) - 4 : 0;
        width = MIN(width, BAR_WIDTH_MAX);
        if (b->total > 0 && width >= BAR_WIDTH_MIN) {
                unsigned full = (unsigned) ((double) MIN(b->done, b->total) / (double) b->total * width);

                bar[0] = '[';
                memset(bar + 1, ' ', width);
                memset(bar + 1, '=', full);
                if (full > 0 && full < width)
                        bar[full] = '>';
                memcpy(bar + 1 + width, "] ", 3);
        }
        n = (unsigned) strlen(bar);
        room = room > n ? room - n : 0;
        (void) snprintf(ret, IMAGE_STATUS_TEXT_MAX, "%.*s%s%s%s", (int) MIN(n_name, room), name,
                        room > 0 ? " " : "", bar, numbers);
        ret[columns > 0 ? columns - 1 : 0] = 0;
}

/**
 * image_status_update() - what has come until now
 * @b:     download; a new one is zero but for what
 * @done:  bytes
 * @total: bytes, 0: not known
 * @now:   CLOCK_MONOTONIC
 */
void image_status_update(ImageStatusBar *b, uint64_t done, uint64_t total, usec_t now) {
        if (b->seen_usec > 0 && now > b->seen_usec && done >= b->done) {
                uint64_t rate = (uint64_t) ((double) (done - b->done) * (double) USEC_PER_SEC /
                                            (double) (now - b->seen_usec));

                b->rate = b->rate == 0 ? rate : (b->rate * (RATE_WEIGHT - 1) + rate) / RATE_WEIGHT;
        }
        b->done = done;
        b->total = total;
        b->seen_usec = now;
}

static ImageStatusBar *find_bar(ImageStatus *s, const char *what) {
        char text[sizeof(s->bars[0].what)];
        ImageStatusBar *b;

        (void) snprintf(text, sizeof(text), "%s", strlen(what) < sizeof(text) ? what : base_name(what));
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        FOREACH_ARRAY (i, s->bars, s->n_bars)
                if (streq(i->what, text))
                        return i;
        b = s->bars + MIN(s->n_bars, IMAGE_STATUS_BARS_MAX - 1);
        s->n_bars = MIN(s->n_bars + 1, IMAGE_STATUS_BARS_MAX);
        *b = (ImageStatusBar){};
        memcpy(b->what, text, sizeof(text));
        return b;
}

static void clear(ImageStatus *s) {
        if (s->n_drawn > 1)
                (void) fprintf(stderr, "\033[%uA", s->n_drawn - 1);
        if (s->n_drawn > 0)
                (void) fputs("\r\033[J", stderr);
        s->n_drawn = 0;
}

static void draw(ImageStatus *s) {
        struct winsize size = {};
        char line[IMAGE_STATUS_TEXT_MAX];
        unsigned columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 ? COLUMNS_FALLBACK
                                                                                           : size.ws_col;

        clear(s);
        FOREACH_ARRAY (b, s->bars, s->n_bars) {
                image_status_format(b, columns, line);
                (void) fprintf(stderr, "%s%s", s->n_drawn > 0 ? "\n" : "", line);
                s->n_drawn++;
        }
        (void) fflush(stderr);
}

/**
 * image_status_progress() - an ImageProgressFunc
 * @userdata: an ImageStatus
 * @what:     URL or path
 * @done:     bytes
 * @total:    bytes, 0: not known
 */
void image_status_progress(void *userdata, const char *what, uint64_t done, uint64_t total) {
        ImageStatus *s = userdata;
        ImageStatusBar *b = find_bar(s, what);
        char numbers[128];

        image_status_update(b, done, total, clock_usec(CLOCK_MONOTONIC));
        format_numbers(b, numbers, sizeof(numbers));
        (void) sd_notifyf(0, "STATUS=Fetching %s: %s", b->what, numbers);
        if (s->terminal)
                draw(s);
}

/**
 * image_status_done() - take the progress away again: something else is written, or all is there
 * @s: as initialised
 */
void image_status_done(ImageStatus *s) {
        clear(s);
        s->n_bars = 0;
}
