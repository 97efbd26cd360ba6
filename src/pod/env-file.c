/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Environment files: lines NAME=VALUE, read as systemd reads them: comments begin with "#" or ";", a backslash takes the next
 * character as it is (before a line break: the value goes on), 'text' is literal, "text" knows \" \\ \` \$. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/env-file.h"
#include "podfile/pod-spec.h"

static bool name_is_valid(const char *name) {
        if (!*name || (*name >= '0' && *name <= '9'))
                return false;
        for (; *name; name++)
                if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                      (*name >= '0' && *name <= '9') || *name == '_'))
                        return false;
        return true;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

/* A quoted part; *p stands behind the opening quote, and afterwards behind the closing one. */
static int read_quoted(const char **p, const char *end, char quote, StrBuf *b) {
        for (; *p < end; (*p)++) {
                if (**p == quote) {
                        (*p)++;
                        return 0;
                }
                if (quote == '"' && **p == '\\' && *p + 1 < end) {
                        (*p)++;
                        if (**p == '\n')
                                continue;
                        if (!strchr("\"\\`$", **p))
                                strbuf_add_n(b, "\\", 1);
                }
                strbuf_add_n(b, *p, 1);
        }
        return -EBADMSG;
}

/* A value up to the end of its line; blanks at its end count only when quoted or escaped. */
static int read_value(const char **p, const char *end, StrBuf *b) {
        size_t keep = 0;
        int r = 0;

        while (*p < end && is_blank(**p))
                (*p)++;
        while (*p < end && **p != '\n' && r >= 0) {
                char c = *(*p)++;

                if (c == '\'' || c == '"') {
                        r = read_quoted(p, end, c, b);
                        keep = b->size;
                } else if (c == '\\' && *p < end) {
                        if (**p != '\n')
                                strbuf_add_n(b, *p, 1);
                        (*p)++;
                        keep = b->size;
                } else {
                        strbuf_add_n(b, &c, 1);
                        if (!is_blank(c))
                                keep = b->size;
                }
        }
        if (r >= 0 && b->data && !b->failed) {
                b->size = keep;
                b->data[keep] = '\0';
        }
        return r;
}

static int read_assignment(const char **p, const char *end, char ***environment) {
        _cleanup_(strbuf_done) StrBuf value = STRBUF_INIT;
        _cleanup_free_ char *name = NULL, *assignment = NULL;
        const char *start = *p, *line_end = memchr(start, '\n', (size_t) (end - start));
        const char *eq = memchr(start, '=', (size_t) ((line_end ? line_end : end) - start));
        int r;

        if (!eq)
                return -EBADMSG;
        name = strndup(start, (size_t) (eq - start));
        if (!name)
                return -ENOMEM;
        if (!name_is_valid(str_strip(name)))
                return -EBADMSG;
        *p = eq + 1;
        r = read_value(p, end, &value);
        if (r < 0)
                return r;
        assignment = value.failed ? NULL : strf("%s=%s", str_strip(name), str_or(value.data, ""));
        if (!assignment)
                return -ENOMEM;
        if (!str_is_utf8(assignment, strlen(assignment)))
                return -EBADMSG;
        return environment_set(environment, assignment);
}

/**
 * env_file_parse() - read the text of an environment file
 * @data:        @size bytes
 * @size:        bytes
 * @environment: "NAME=VALUE"; a name that is there already gets the new value
 * @e:           sentence with the line on failure; may be NULL
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int env_file_parse(const char *data, size_t size, char ***environment, Error *e) {
        const char *p = data, *end = data + size;
        unsigned line = 1;

        if (size > 0 && memchr(data, '\0', size))
                return error_setf(e, -EBADMSG, "it has a NUL byte");
        while (p < end) {
                const char *start = p;
                int r = 0;

                while (p < end && is_blank(*p))
                        p++;
                if (p < end && (*p == '#' || *p == ';'))
                        while (p < end && *p != '\n')
                                p++;
                else if (p < end && *p != '\n')
                        r = read_assignment(&p, end, environment);
                if (r == -EBADMSG)
                        return error_setf(e, r, "line %u is not NAME=VALUE, with quotes closed and in UTF-8",
                                          line);
                if (r < 0)
                        return error_oom(e);
                if (p < end)
                        p++;
                for (const char *q = start; q < p; q++)
                        line += *q == '\n';
        }
        return 0;
}

/**
 * env_file_load_all() - read environment files
 * @paths: absolute paths; with a leading "-" the file may be missing
 * @ret:   "NAME=VALUE"; later files win; free with strv_free(); NULL when there is nothing
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG: not an environment file; errors of reading.
 */
int env_file_load_all(char *const *paths, char ***ret, Error *e) {
        _cleanup_strv_free_ char **environment = NULL;

        for (; paths && *paths; paths++) {
                bool optional = **paths == '-';
                const char *path = *paths + (optional ? 1 : 0);
                _cleanup_free_ char *data = NULL;
                size_t size;
                int r = file_read_at(AT_FDCWD, path, ENV_FILE_MAX, &data, &size);

                if (r == -ENOENT && optional)
                        continue;
                if (r < 0)
                        return error_setf(e, r, "cannot read environment file '%s': %s", path, strerror(-r));
                r = env_file_parse(str_or(data, ""), size, &environment, e);
                if (r < 0)
                        return error_prefixf(e, r, "environment file '%s'", path);
        }
        *ret = TAKE_PTR(environment);
        return 0;
}
