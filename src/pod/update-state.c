/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of automatic updates: "update BEFORE AFTER REFERENCE" and "held ID DIGEST REFERENCE". */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/update-state.h"

#define STATE_MAX (4U * 1024 * 1024)

static void step_done(UpdateStep *s) {
        free(s->reference);
        free(s->before);
        free(s->after);
}

static void held_done(UpdateHeld *h) {
        free(h->reference);
        free(h->id);
        free(h->digest);
}

/**
 * update_state_clear_steps() - nothing is under way any more
 * @s: state
 */
void update_state_clear_steps(UpdateState *s) {
        FOREACH_ARRAY (i, s->steps, s->n_steps)
                step_done(i);
        free(s->steps);
        s->steps = NULL;
        s->n_steps = 0;
}

/**
 * update_state_done() - free the members
 * @s: empty afterwards
 */
void update_state_done(UpdateState *s) {
        update_state_clear_steps(s);
        FOREACH_ARRAY (i, s->held, s->n_held)
                held_done(i);
        free(s->held);
        *s = (UpdateState){};
}

/**
 * update_state_add_step() - another image for a reference is under way
 * @s:         state
 * @reference: as in the pod file
 * @before:    ID
 * @after:     ID
 *
 * Return: 0, -ENOMEM.
 */
int update_state_add_step(UpdateState *s, const char *reference, const char *before, const char *after) {
        UpdateStep step = {};

        if (str_replace(&step.reference, reference) < 0 || str_replace(&step.before, before) < 0 ||
            str_replace(&step.after, after) < 0 || !GREEDY_GROW(s->steps, s->n_steps)) {
                step_done(&step);
                return -ENOMEM;
        }
        s->steps[s->n_steps++] = step;
        return 0;
}

/**
 * update_state_step() - what is under way for a reference
 * @s:         state
 * @reference: as in the pod file
 *
 * Return: of @s, or NULL.
 */
const UpdateStep *update_state_step(const UpdateState *s, const char *reference) {
        FOREACH_ARRAY (i, s->steps, s->n_steps)
                if (streq(i->reference, reference))
                        return i;
        return NULL;
}

/**
 * update_state_release() - a reference may give any image again
 * @s:         state
 * @reference: as in the pod file
 */
void update_state_release(UpdateState *s, const char *reference) {
        size_t n = 0;

        FOREACH_ARRAY (i, s->held, s->n_held) {
                if (streq(i->reference, reference))
                        held_done(i);
                else
                        s->held[n++] = *i;
        }
        s->n_held = n;
}

/**
 * update_state_hold() - do not try this image again
 * @s:         state
 * @reference: as in the pod file; what was held for it before is not any more
 * @id:        of the image
 * @digest:    that the reference had in its registry; NULL: none
 *
 * Return: 0, -ENOMEM.
 */
int update_state_hold(UpdateState *s, const char *reference, const char *id, const char *digest) {
        UpdateHeld held = {};

        if (str_replace(&held.reference, reference) < 0 || str_replace(&held.id, id) < 0 ||
            (digest && str_replace(&held.digest, digest) < 0)) {
                held_done(&held);
                return -ENOMEM;
        }
        update_state_release(s, held.reference);
        if (!GREEDY_GROW(s->held, s->n_held)) {
                held_done(&held);
                return -ENOMEM;
        }
        s->held[s->n_held++] = held;
        return 0;
}

/**
 * update_state_held() - the image that is not to be tried for a reference
 * @s:         state
 * @reference: as in the pod file
 *
 * Return: of @s, or NULL.
 */
const UpdateHeld *update_state_held(const UpdateState *s, const char *reference) {
        FOREACH_ARRAY (i, s->held, s->n_held)
                if (streq(i->reference, reference))
                        return i;
        return NULL;
}

/* The words of a line; the last one is what is left of it. The line is cut. */
static bool split(char *line, char *words[4]) {
        for (size_t i = 0; i < 3; i++) {
                words[i] = line;
                line = strchr(line, ' ');
                if (!line || line == words[i])
                        return false;
                *line++ = '\0';
        }
        words[3] = line;
        return *line != '\0';
}

static int take_line(UpdateState *s, char *line) {
        char *words[4];

        if (!split(line, words))
                return 0;
        if (streq(words[0], "update"))
                return update_state_add_step(s, words[3], words[1], words[2]);
        if (streq(words[0], "held"))
                return update_state_hold(s, words[3], words[1], streq(words[2], "-") ? NULL : words[2]);
        return 0;
}

static char *state_path(const char *data_dir, const char *name) {
        return strf("%s/auto-update/%s", data_dir, name);
}

/**
 * update_state_load() - read what is remembered of a pod
 * @data_dir: data directory
 * @name:     of the pod, valid
 * @ret:      for update_state_done(); empty if there is nothing
 * @e:        sentence on failure
 *
 * Return: 0, errno of reading, -E2BIG, -ENOMEM.
 */
int update_state_load(const char *data_dir, const char *name, UpdateState *ret, Error *e) {
        _cleanup_free_ char *path = state_path(data_dir, name), *text = NULL;
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_update_state_ UpdateState s = {};
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, STATE_MAX, &text, &size) : -ENOMEM;

        if (r >= 0)
                r = strv_split(text, "\n", &lines);
        STRV_FOREACH (line, lines)
                if (r >= 0)
                        r = take_line(&s, *line);
        if (r < 0 && r != -ENOENT)
                return error_setf(e, r, "cannot read '%s': %s", str_or(path, name), strerror(-r));
        *ret = s;
        s = (UpdateState){};
        return 0;
}

static int write_text(const UpdateState *s, const char *path) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (i, s->steps, s->n_steps)
                strbuf_addf(&b, "update %s %s %s\n", i->before, i->after, i->reference);
        FOREACH_ARRAY (i, s->held, s->n_held)
                strbuf_addf(&b, "held %s %s %s\n", i->id, str_or(i->digest, "-"), i->reference);
        return b.failed ? -ENOMEM : file_write_at(AT_FDCWD, path, b.data, b.size, 0644, 0);
}

/**
 * update_state_write() - remember what there is to remember of a pod
 * @data_dir: data directory
 * @name:     of the pod, valid
 * @s:        state; an empty one takes the file away
 * @e:        sentence on failure
 *
 * Whole and on the disk when this returns.
 *
 * Return: 0, errno of writing, -ENOMEM.
 */
int update_state_write(const char *data_dir, const char *name, const UpdateState *s, Error *e) {
        _cleanup_free_ char *dir = strf("%s/auto-update", data_dir), *path = state_path(data_dir, name);
        int r = dir && path ? mkdir_parents_at(AT_FDCWD, dir, 0755) : -ENOMEM;

        if (r >= 0 && s->n_steps + s->n_held > 0)
                r = write_text(s, path);
        else if (r >= 0 && unlink(path) < 0 && errno != ENOENT)
                r = -errno;
        return r < 0 ? error_setf(e, r, "cannot write '%s': %s", str_or(path, name), strerror(-r)) : 0;
}
