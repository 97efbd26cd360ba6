/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app writes to the journal's own socket where it can: nothing is in between, and nothing runs beside it. It writes into
 * named pipes, from which rkt-log copies (src/helper/rkt-log.c), when
 *
 *   - its image is Docker's: such programs open /dev/stdout and /proc/self/fd/1 by name, which no socket allows;
 *   - there are two journals (Log=both): both get every line, and the app waits for both;
 *   - its streams are to be attached to ("stream"). With "tty" it gets a terminal of rkt-log's instead.
 *
 * The pipes are those of rkt-log@APP.socket, so that rkt-log is started by the first output and may end, crash or be killed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-stdio.h"
#include "run/console.h"
#include "run/kubernetes-log.h"

#define NAME_SIZE_MAX 80 /* of "/rkt/stdio/NAME.journal" in a sun_path */

static const char *last_value(const AppSettings *s, const char *key) {
        char *const *const lists[] = { s->profile, s->file };
        const char *value = NULL;

        FOREACH_ARRAY (list, lists, ELEMENTSOF(lists))
                for (char *const *l = *list; l && *l; l++) {
                        const char *rest = startswith(*l, key);

                        if (rest && *rest == '=')
                                value = rest + 1;
                }
        return value && *value ? value : NULL;
}

typedef enum Stream {
        STREAM_IN,
        STREAM_OUT,
        STREAM_ERR,
        _STREAM_MAX,
} Stream;

typedef enum Way {
        WAY_NULL,
        WAY_JOURNAL, /* output only: as Log= says, or to the pod's console */
        WAY_TTY,     /* the app's terminal, which rkt-log keeps */
        WAY_STREAM,  /* a pipe of rkt-log's, to be attached to; output goes to the journal as well */
} Way;

static const char *const keys[_STREAM_MAX] = { "StandardInput", "StandardOutput", "StandardError" };

/* "interactive" is a terminal that somebody is attached to from the beginning, if the pod is in the foreground. */
static Way way_of(const AppSettings *s, const AppUnitContext *c, Stream stream) {
        const char *value = c->interactive ? "interactive" : last_value(s, keys[stream]);

        if (!value)
                return stream == STREAM_IN ? WAY_NULL : WAY_JOURNAL;
        if (streq(value, "journal"))
                return WAY_JOURNAL;
        if (streq(value, "stream"))
                return WAY_STREAM;
        return streq(value, "tty") || streq(value, "interactive") ? WAY_TTY : WAY_NULL;
}

static bool has_way(const AppSettings *s, const AppUnitContext *c, Way way) {
        for (Stream i = 0; i < _STREAM_MAX; i++)
                if (way_of(s, c, i) == way)
                        return true;
        return false;
}

/* The address of a socket has an end: an app with a longer name writes to the pod's journal alone. */
static bool journal_is_copied(const PodApp *a, const AppUnitContext *c) {
        return !c->console && strlen(a->name) <= NAME_SIZE_MAX &&
               (c->log == POD_LOG_BOTH || pod_app_annotation(a, APP_ANNOTATION_DOCKER));
}

/* Does it go through a pipe? */
static bool has_pipe(const PodApp *a, const AppSettings *s, const AppUnitContext *c, Stream stream) {
        Way way = way_of(s, c, stream);

        return way == WAY_STREAM || (way == WAY_JOURNAL && journal_is_copied(a, c));
}

static bool has_log_file(const PodApp *a, const AppUnitContext *c) {
        return c->kubernetes_log && kubernetes_log_path(a);
}

static bool has_relay(const PodApp *a, const AppSettings *s, const AppUnitContext *c) {
        return !has_log_file(a, c) && (has_way(s, c, WAY_TTY) || has_pipe(a, s, c, STREAM_IN) ||
                                       has_pipe(a, s, c, STREAM_OUT) || has_pipe(a, s, c, STREAM_ERR));
}

/**
 * app_stdio_passes_messages() - does rkt-log also take what the app says by syslog(3) and the journal's own protocol?
 * @a: app
 * @s: what people said
 * @c: what the pod says of all apps
 *
 * Return: true: the app finds the sockets of its rkt-log in the journal's place.
 */
bool app_stdio_passes_messages(const PodApp *a, const AppSettings *s, const AppUnitContext *c) {
        return c->log == POD_LOG_BOTH && !c->console && has_relay(a, s, c);
}

/**
 * app_stdio_endpoints() - what of an app can be attached to
 * @a:   app
 * @ret: "tty-in" and "tty-out"; or some of "stdin", "stdout" and "stderr"; NULL when there are none. For strv_free()
 *
 * Return: 0, -ENOMEM.
 */
int app_stdio_endpoints(const PodApp *a, char ***ret) {
        static const char *const streams[_STREAM_MAX] = { "stdin", "stdout", "stderr" };
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        _cleanup_strv_free_ char **names = NULL;
        const AppUnitContext c = {};
        int r = app_settings_load(a, &s);

        if (r >= 0 && way_of(&s, &c, STREAM_IN) == WAY_TTY)
                r = strv_extend(&names, "tty-in");
        if (r >= 0 && has_way(&s, &c, WAY_TTY))
                r = strv_extend(&names, "tty-out");
        for (Stream i = 0; i < _STREAM_MAX && r >= 0; i++)
                if (way_of(&s, &c, i) == WAY_STREAM)
                        r = strv_extend(&names, streams[i]);
        if (r >= 0)
                *ret = TAKE_PTR(names);
        return r;
}

/**
 * app_stdio_add_unit() - what the [Unit] section of an app says of its streams
 * @a: app
 * @s: what people said
 * @c: what the pod says of all apps
 * @b: lines are added
 *
 * A terminal has to be there before the app.
 */
void app_stdio_add_unit(const PodApp *a, const AppSettings *s, const AppUnitContext *c, StrBuf *b) {
        const char *what = !has_log_file(a, c) && has_way(s, c, WAY_TTY) ? "service" : "socket";

        if (has_relay(a, s, c) || has_log_file(a, c))
                strbuf_addf(b, "Requires=rkt-log@%s.%s\nAfter=rkt-log@%s.%s\n", a->name, what, a->name, what);
}

static void add_stream(const PodApp *a, const AppSettings *s, const AppUnitContext *c, Stream stream,
                       StrBuf *b) {
        static const char *const endings[_STREAM_MAX] = { "in", "out", "err" };
        Way way = way_of(s, c, stream);

        strbuf_addf(b, "%s=", keys[stream]);
        if (way == WAY_NULL || (stream == STREAM_IN && has_log_file(a, c)))
                strbuf_add(b, "null\n");
        else if (has_log_file(a, c) || (way != WAY_TTY && has_pipe(a, s, c, stream)))
                strbuf_addf(b, "file:/rkt/stdio/%s.%s\n", a->name, endings[stream]);
        else if (way == WAY_TTY)
                strbuf_add(b, stream == STREAM_IN ? "tty-force\n" : "tty\n");
        else if (c->console)
                strbuf_addf(b, "file:%s\n", stream == STREAM_ERR ? CONSOLE_STDERR : CONSOLE_STDOUT);
        else
                strbuf_add(b, "journal\n");
}

/**
 * app_stdio_add_service() - what the [Service] section of an app, or of one of its hooks, says of its streams
 * @a:       app
 * @s:       what people said
 * @c:       what the pod says of all apps
 * @is_hook: it gets no input
 * @b:       lines are added
 *
 * All keys "Standard..." are written here, and are not to be copied from the settings again.
 */
void app_stdio_add_service(const PodApp *a, const AppSettings *s, const AppUnitContext *c, bool is_hook,
                           StrBuf *b) {
        if (is_hook)
                strbuf_add(b, "StandardInput=null\n");
        else
                add_stream(a, s, c, STREAM_IN, b);
        add_stream(a, s, c, STREAM_OUT, b);
        add_stream(a, s, c, STREAM_ERR, b);
        if (has_way(s, c, WAY_TTY))
                strbuf_addf(b, "TTYPath=/rkt/stdio/%s.tty\n", a->name);
        if (!app_settings_has(s, "SyslogIdentifier"))
                strbuf_addf(b, "SyslogIdentifier=%s\n", a->name);
}

/**
 * app_stdio_identifier() - by what name the journal knows an app's lines
 * @a:   app, with its "app" object
 * @ret: SyslogIdentifier=, or the app's name; to free()
 *
 * Return: 0, -ENOMEM.
 */
int app_stdio_identifier(const PodApp *a, char **ret) {
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        _cleanup_free_ char *name = NULL;
        size_t n = 0;
        int r = app_settings_load(a, &s);

        if (r < 0)
                return r;
        name = strdup(str_or(last_value(&s, "SyslogIdentifier"), a->name));
        if (!name)
                return -ENOMEM;
        for (const char *p = name; *p;
             p++) { /* all other specifiers have been replaced (podfile/specifier.h) */
                name[n++] = *p;
                if (p[0] == '%' && p[1] == '%')
                        p++;
        }
        name[n] = '\0';
        *ret = TAKE_PTR(name);
        return 0;
}

/* SyslogLevel= and SyslogFacility= have been checked. */
static int priority(const AppSettings *s) {
        static const char *const levels[] = { "emerg",   "alert",  "crit", "err",
                                              "warning", "notice", "info", "debug" };
        static const char *const facilities[] = {
                "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
                "uucp",   "cron",   "authpriv", "ftp",    NULL,     NULL,     NULL,     NULL,
                "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
        };
        const char *level = last_value(s, "SyslogLevel"), *facility = last_value(s, "SyslogFacility");
        int n = LOG_INFO, f = LOG_FAC(LOG_DAEMON);

        for (int i = 0; level && i < (int) ELEMENTSOF(levels); i++)
                if (streq(level, levels[i]) || (level[0] == '0' + i && !level[1]))
                        n = i;
        for (int i = 0; facility && i < (int) ELEMENTSOF(facilities); i++)
                if (streq_ptr(facility, facilities[i]))
                        f = i;
        return f << 3 | n;
}

static bool is_no(const char *value) {
        return value && (streq(value, "no") || streq(value, "false") || streq(value, "off") ||
                         streq(value, "0") || streq(value, "n") || streq(value, "f"));
}

/* A value as it stands in a unit file, specifiers and all, becomes a word of a command line. */
static void add_word(StrBuf *b, const char *value) {
        strbuf_add(b, "\"");
        for (const char *p = value; *p; p++) {
                if (*p == '"' || *p == '\\')
                        strbuf_add(b, "\\");
                strbuf_add_n(b, p, 1);
        }
        strbuf_add(b, "\"");
}

static void socket_text(const PodApp *a, const AppSettings *s, const AppUnitContext *c, StrBuf *b) {
        strbuf_addf(b,
                    "[Unit]\nDescription=Streams of %s\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\n"
                    "[Socket]\n",
                    a->name);
        if (has_pipe(a, s, c, STREAM_IN))
                strbuf_addf(b, "ListenFIFO=/rkt/stdio/%s.in\n", a->name);
        if (has_pipe(a, s, c, STREAM_OUT))
                strbuf_addf(b, "ListenFIFO=/rkt/stdio/%s.out\n", a->name);
        if (has_pipe(a, s, c, STREAM_ERR))
                strbuf_addf(b, "ListenFIFO=/rkt/stdio/%s.err\n", a->name);
        strbuf_addf(b, "ListenStream=/rkt/stdio/%s.sync\n", a->name);
        if (app_stdio_passes_messages(a, s, c))
                strbuf_addf(b, "ListenDatagram=/rkt/stdio/%s.log\nListenDatagram=/rkt/stdio/%s.journal\n",
                            a->name, a->name);
        /* an app's own user opens it by /dev/stdout; it finds the place by that only */
        strbuf_add(b,
                   "Slice=system.slice\nSocketMode=0622\nPassCredentials=yes\nTriggerLimitIntervalSec=0\n");
}

static void service_text(const PodApp *a, const AppSettings *s, const AppUnitContext *c, StrBuf *b) {
        /* it outlives its app, and is the last but journald */
        strbuf_addf(b,
                    "[Unit]\nDescription=From %s to the journal\nDefaultDependencies=no\n"
                    "IgnoreOnIsolate=yes\nStartLimitIntervalSec=0\n"
                    "Requires=rkt-log@%s.socket\nAfter=rkt-log@%s.socket\n",
                    a->name, a->name, a->name);
        if (c->log != POD_LOG_HOST)
                strbuf_add(b, "After=systemd-journald.socket\n");
        strbuf_addf(b, "\n[Service]\nSlice=system.slice\nExecStart=:/rkt/bin/rkt-log %s ", a->name);
        add_word(b, str_or(last_value(s, "SyslogIdentifier"), a->name));
        strbuf_addf(b, " %d %d%s\n", priority(s), is_no(last_value(s, "SyslogLevelPrefix")) ? 0 : 1,
                    !has_way(s, c, WAY_TTY) ? ""
                    : c->interactive        ? " interactive\nType=notify\nRestart=always\nRestartSec=0"
                                            : " tty\nType=notify\nRestart=always\nRestartSec=0");
        strbuf_add(b, "StandardOutput=null\nStandardError=null\nNoNewPrivileges=yes\n"
                      "CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE\n"
                      "OOMScoreAdjust=-250\n");
}

/**
 * app_stdio_units() - the units of the program that copies an app's output
 * @a:         app
 * @c:         what the pod says of all apps
 * @ret_names: names of the units; free with strv_free(); NULL when it needs none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int app_stdio_units(const PodApp *a, const AppUnitContext *c, char ***ret_names, char ***ret_texts,
                    Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        StrBuf socket = STRBUF_INIT, service = STRBUF_INIT;
        char *text;
        int r = app_settings_load(a, &s);

        if (r >= 0 && has_log_file(a, c))
                r = kubernetes_log_units(a, &names, &texts);
        else if (r >= 0 && has_relay(a, &s, c)) {
                socket_text(a, &s, c, &socket);
                service_text(a, &s, c, &service);
                r = strv_extendf(&names, "rkt-log@%s.socket", a->name);
                if (r >= 0)
                        r = strv_extendf(&names, "rkt-log@%s.service", a->name);
                if (r >= 0)
                        r = strbuf_steal(&socket, &text);
                if (r >= 0)
                        r = strv_consume(&texts, text);
                if (r >= 0)
                        r = strbuf_steal(&service, &text);
                if (r >= 0)
                        r = strv_consume(&texts, text);
        }
        strbuf_done(&socket);
        strbuf_done(&service);
        if (r < 0)
                return error_oom(e);
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}
