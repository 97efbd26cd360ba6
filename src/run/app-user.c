/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user and the groups of an app, by the databases of its root, which are the image's: hostile. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-root.h"

#define DATABASE_MAX (4U * 1024 * 1024) /* bytes of /etc/passwd and /etc/group */
#define GROUPS_MAX   1024U              /* that an image gives one user */
#define OF_USER      "of-user"

/* A regular file of the image, whole. */
static int read_database(int root_fd, const char *path, char **ret) {
        _cleanup_close_ int fd = root_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        size_t size;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return fd_read_to_end(fd, DATABASE_MAX, ret, &size);
}

/* One line of passwd or group, cut at its colons. */
typedef struct Entry {
        char *fields[7];
        size_t n;
} Entry;

static Entry split_entry(char *line) {
        Entry x = {};

        while (x.n < ELEMENTSOF(x.fields)) {
                x.fields[x.n++] = line;
                line += strcspn(line, ":");
                if (!*line)
                        break;
                *line++ = '\0';
        }
        return x;
}

/* Cuts off the next entry that has a number; false at the end. */
static bool next_entry(char **rest, Entry *ret, uint64_t *ret_number) {
        while (*rest && **rest) {
                char *line = *rest, *end = strchr(line, '\n');

                if (end)
                        *end++ = '\0';
                *rest = end;
                *ret = split_entry(line);
                if (ret->n >= 3 && parse_uint64(ret->fields[2], ret_number) >= 0 && *ret_number < UINT32_MAX)
                        return true;
        }
        return false;
}

/* Finds the entry with this name, or (name NULL) this number; fields point into *buffer. */
static int find_entry(int root_fd, const char *path, const char *name, uint64_t number, char **buffer,
                      Entry *ret) {
        int r = read_database(root_fd, path, buffer);
        char *rest = *buffer;
        uint64_t n;

        if (r < 0)
                return r;
        while (next_entry(&rest, ret, &n))
                if (name ? streq(ret->fields[0], name) : n == number)
                        return 0;
        return -ENOENT;
}

/* What is looked for, and where people may say something else. */
typedef struct Kind {
        const char *what, *database, *key;
        bool is_group;
} Kind;

static const Kind of_user = { "user", "/etc/passwd", "User", false },
                  of_group = { "group", "/etc/group", "Group", true },
                  of_more_groups = { "group", "/etc/group", "SupplementaryGroups", true },
                  of_groups_of_image = { "group", "/etc/group", NULL, true };

typedef struct Root {
        int fd;
        const Userns *users;
} Root;

static int not_ours(const Root *x, const Kind *k, const char *who, Error *e) {
        _cleanup_free_ char *other =
                k->key ? strf("give the app another one with %s=, or ", k->key) : strdup("");

        if (!other)
                return error_oom(e);
        return error_setf(e, -ERANGE,
                          "%s is none of the pod's own %ss, which are 0 to %" PRIu32
                          ": %sgive the pod the host's with PrivateUsers=no",
                          who, k->what, x->users->length - 1, other);
}

static int owner_of(const Root *x, const char *path, const Kind *k, uint32_t *ret, Error *e) {
        _cleanup_close_ int fd = root_open(x->fd, path, O_PATH);
        _cleanup_free_ char *who = NULL;
        struct stat st;
        uint32_t id;

        if (fd < 0)
                return error_setf(e, fd, "%s: %s", path,
                                  fd == -ENOENT ? "no such file or directory" : strerror(-fd));
        if (fstat(fd, &st) < 0)
                return error_setf(e, -errno, "%s: %s", path, strerror(errno));
        id = k->is_group ? st.st_gid : st.st_uid;
        *ret = userns_inside(x->users, id);
        if (userns_maps(x->users, id))
                return 0;
        who = strf("the %s of %s", k->is_group ? "group" : "owner", path);
        return who ? not_ours(x, k, who, e) : error_oom(e);
}

static int find_id(const Root *x, const char *id, const Kind *k, uint32_t *ret, Error *e) {
        _cleanup_free_ char *buffer = NULL;
        uint64_t n;
        Entry entry;
        int r;

        if (!id || !*id || streq(id, "root")) {
                *ret = 0;
                return 0;
        }
        if (*id == '/')
                return owner_of(x, id, k, ret, e);
        if (parse_uint64(id, &n) >= 0 && n < UINT32_MAX) {
                *ret = (uint32_t) n;
                return 0;
        }
        r = find_entry(x->fd, k->database, id, 0, &buffer, &entry);
        if (r == -ENOENT)
                return error_setf(e, r, "\"%s\" %s not found", id, k->what);
        if (r < 0)
                return error_setf(e, r, "cannot read the image's %s to find %s \"%s\": %s", k->database,
                                  k->what, id, strerror(-r));
        return parse_uint64(entry.fields[2], &n) < 0 ? -EINVAL : (*ret = (uint32_t) n, 0);
}

static int check_id(const Root *x, uint32_t id, const Kind *k, Error *e) {
        _cleanup_free_ char *who = NULL;

        if (userns_has(x->users, id))
                return 0;
        who = strf("%s %" PRIu32, k->what, id);
        return who ? not_ours(x, k, who, e) : error_oom(e);
}

/* A user or group: a number, the path of a file whose owner it is, or a name of the app's own database. */
static int resolve_id(const Root *x, const char *id, const Kind *k, uint32_t *ret, Error *e) {
        int r = find_id(x, id, k, ret, e);

        return r < 0 ? r : check_id(x, *ret, k, e);
}

static int add_group(AppFacts *f, uint32_t gid) {
        if (!GREEDY_GROW(f->groups, f->n_groups))
                return -ENOMEM;
        f->groups[f->n_groups++] = gid;
        return 0;
}

/* "one,two,three" */
static bool has_word(const char *list, const char *word) {
        size_t n;

        for (; *list; list += n + (list[n] == ',')) {
                n = strcspn(list, ",");
                if (n == strlen(word) && memcmp(list, word, n) == 0)
                        return true;
        }
        return false;
}

static bool has_group(const AppFacts *f, uint32_t gid) {
        for (size_t i = 0; i < f->n_groups; i++)
                if (f->groups[i] == gid)
                        return true;
        return f->gid == gid;
}

static bool is_of_user(const PodApp *a) {
        return streq_ptr(pod_app_annotation(a, APP_ANNOTATION_GROUP), OF_USER);
}

/* As find_id() found him, by name or by number. */
static const char *name_of_user(const PodApp *a, const Root *x, uint64_t uid, char **buffer) {
        const char *user = str_or(a->app->user, "");
        uint64_t n;
        Entry entry;

        if (*user && *user != '/' && parse_uint64(user, &n) < 0)
                return user;
        return find_entry(x->fd, "/etc/passwd", NULL, uid, buffer, &entry) < 0 ? NULL : entry.fields[0];
}

/* Docker's way, too: a user whose group nobody names is in all that the image's /etc/group has him in. */
static int add_groups_of_user(const PodApp *a, const Root *x, AppFacts *f, Error *e) {
        _cleanup_free_ char *users = NULL, *groups = NULL;
        const char *user = is_of_user(a) ? name_of_user(a, x, f->uid, &users) : NULL;
        char *rest;
        uint64_t gid;
        Entry group;
        int r = 0;

        if (!user || read_database(x->fd, "/etc/group", &groups) < 0)
                return 0;
        rest = groups;
        while (r >= 0 && next_entry(&rest, &group, &gid)) {
                if (group.n < 4 || !has_word(group.fields[3], user) || has_group(f, (uint32_t) gid))
                        continue;
                if (f->n_groups >= GROUPS_MAX)
                        return error_setf(e, -E2BIG,
                                          "the image's /etc/group has user \"%.60s\" in more than %u groups",
                                          user, GROUPS_MAX);
                r = check_id(x, (uint32_t) gid, &of_groups_of_image, e);
                if (r >= 0 && add_group(f, (uint32_t) gid) < 0)
                        r = error_oom(e);
        }
        return r;
}

static int find_groups(const PodApp *a, const Root *x, AppFacts *f, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_GROUPS), ""), " ", &names);

        for (size_t i = 0; r >= 0 && i < a->app->n_supplementary_gids; i++) {
                r = check_id(x, a->app->supplementary_gids[i], &of_groups_of_image, e);
                if (r < 0)
                        return r;
                r = add_group(f, a->app->supplementary_gids[i]);
        }
        for (char **n = names; r >= 0 && n && *n; n++) {
                uint32_t gid = 0;

                r = resolve_id(x, *n, &of_more_groups, &gid, e);
                if (r < 0)
                        return r;
                r = add_group(f, gid);
        }
        return r < 0 ? error_oom(e) : add_groups_of_user(a, x, f, e);
}

/* Docker's way: who is in no passwd has the group of root. */
static int resolve_group(const PodApp *a, const Root *x, uint32_t uid, uint32_t *ret, Error *e) {
        _cleanup_free_ char *buffer = NULL;
        uint64_t gid;
        Entry entry;

        if (!is_of_user(a))
                return resolve_id(x, a->app->group, &of_group, ret, e);
        if (find_entry(x->fd, "/etc/passwd", NULL, uid, &buffer, &entry) >= 0 && entry.n > 3 &&
            parse_uint64(entry.fields[3], &gid) >= 0 && gid < UINT32_MAX)
                *ret = (uint32_t) gid;
        return check_id(x, *ret, &of_group, e);
}

/**
 * app_root_find_user() - the numbers of an app's user and groups
 * @a:       app, with its "app" object
 * @root_fd: the app's root directory
 * @users:   of the pod
 * @f:       uid, gid, groups, home and user_name are set; home and name only when the image knows them
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: no such user, group or file in the image; -EINVAL: its database is no regular file;
 * -ERANGE: not one of the pod's; -ENOMEM.
 */
int app_root_find_user(const PodApp *a, int root_fd, const Userns *users, AppFacts *f, Error *e) {
        const Root root = { root_fd, users };
        _cleanup_free_ char *buffer = NULL;
        uint32_t uid = 0, gid = 0;
        Entry x;
        int r;

        r = resolve_id(&root, a->app->user, &of_user, &uid, e);
        if (r >= 0)
                r = resolve_group(a, &root, uid, &gid, e);
        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        f->uid = uid;
        f->gid = gid;
        r = find_groups(a, &root, f, e);
        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        if (uid == 0 || find_entry(root_fd, "/etc/passwd", NULL, uid, &buffer, &x) < 0)
                return 0;
        r = str_is_utf8(x.fields[0], strlen(x.fields[0])) ? str_replace(&f->user_name, x.fields[0]) : 0;
        if (r >= 0 && x.n > 5 && x.fields[5][0] == '/' && str_is_utf8(x.fields[5], strlen(x.fields[5])))
                r = str_replace(&f->home, x.fields[5]);
        return r < 0 ? error_oom(e) : 0;
}
