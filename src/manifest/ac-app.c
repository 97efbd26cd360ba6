/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The "app" object. What only the image's files can tell (does the user exist?) is for those who run it. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-app.h"
#include "manifest/ac-option.h"

#define PORT_MAX 65535

/* Supplementary groups: uint32_t *x; size_t n_x; */
static int set_gids(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        size_t n = json_length(v), i = 0;
        uint32_t *gids;

        if (n == 0)
                return 0;
        gids = new0(uint32_t, n);
        if (!gids)
                return error_oom(e);
        JSON_FOREACH (item, v) {
                uint64_t gid;

                if (json_unsigned(item, &gid) < 0 || gid >= UINT32_MAX) {
                        free(gids);
                        return error_setf(e, -ERANGE,
                                          "a group ID is a number between 0 and 4294967294 (byte %zu)",
                                          json_offset(item));
                }
                gids[i++] = (uint32_t) gid;
        }
        memcpy(p, &gids, sizeof(gids));
        memcpy((char *) p + sizeof(gids), &n, sizeof(n));
        return 0;
}

static void write_gids(const JsonField *f, JsonWriter *w, const void *p) {
        const uint32_t *gids;
        size_t n;

        memcpy(&gids, p, sizeof(gids));
        memcpy(&n, (const char *) p + sizeof(gids), sizeof(n));
        json_write_begin_array(w);
        FOREACH_ARRAY (g, gids, n)
                json_write_uint(w, *g);
        json_write_end_array(w);
}

static bool gids_are_unset(const void *p) {
        const uint32_t *gids;

        memcpy(&gids, p, sizeof(gids));
        return !gids;
}

static const JsonKind kind_gids = { JSON_ARRAY, set_gids, write_gids, gids_are_unset };

static const JsonField event_handler_fields[] = {
        JSON_ROW("name", json_kind_string, AcEventHandler, name, JSON_MANDATORY),
        JSON_ROW("exec", json_kind_strv, AcEventHandler, exec, JSON_ALWAYS),
        {},
};

static void event_handler_done(void *p) {
        AcEventHandler *h = p;

        free(h->name);
        (void) strv_free(h->exec);
}

static int event_handler_check(void *p, Error *e) {
        AcEventHandler *h = p;

        if (!streq(h->name, "pre-start") && !streq(h->name, "post-stop"))
                return error_setf(e, -EINVAL, "event handler '%.50s' is neither 'pre-start' nor 'post-stop'",
                                  h->name);
        if (h->exec && *h->exec && !ac_program_is_valid(*h->exec))
                return error_setf(e, -EINVAL, "event handler '%s': '%.100s' is no program", h->name,
                                  *h->exec);
        return 0;
}

static const JsonStruct event_handler_type = {
        .size = sizeof(AcEventHandler),
        .fields = event_handler_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = event_handler_done,
        .check = event_handler_check,
};

static const JsonField mount_point_fields[] = {
        JSON_ROW("name", ac_kind_name, AcMountPoint, name, JSON_MANDATORY),
        JSON_ROW("path", ac_kind_path, AcMountPoint, path, JSON_MANDATORY),
        JSON_ROW("readOnly", json_kind_boolean, AcMountPoint, read_only, 0),
        {},
};

static void mount_point_done(void *p) {
        ac_mount_point_done(p);
}

/* A mount over the kernel's own files would take the sandbox away. */
static int mount_point_check(void *p, Error *e) {
        const AcMountPoint *m = p;
        const char *path = m->path + strspn(m->path, "/") - 1, *rest = startswith(path, "/proc");

        if (rest && (*rest == '/' || !*rest))
                return error_setf(e, -EINVAL, "mount point '%s' cannot be at '%s'", m->name, m->path);
        return 0;
}

static const JsonStruct mount_point_type = {
        .size = sizeof(AcMountPoint),
        .fields = mount_point_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = mount_point_done,
        .check = mount_point_check,
};

static const JsonField port_fields[] = {
        JSON_ROW("name", ac_kind_name, AcPort, name, JSON_MANDATORY),
        JSON_ROW("protocol", json_kind_string, AcPort, protocol, JSON_MANDATORY | JSON_ALWAYS),
        JSON_ROW("port", json_kind_uint64, AcPort, port, JSON_MANDATORY),
        JSON_ROW("count", json_kind_uint64, AcPort, count, 0),
        JSON_ROW("socketActivated", json_kind_boolean, AcPort, socket_activated, JSON_ALWAYS),
        {},
};

static void port_init(void *p) {
        ((AcPort *) p)->count = 1;
}

static void port_done(void *p) {
        ac_port_done(p);
}

static int port_check(void *p, Error *e) {
        return ac_port_check(p, e);
}

const JsonStruct ac_port_type = {
        .size = sizeof(AcPort),
        .fields = port_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .init = port_init,
        .done = port_done,
        .check = port_check,
};

static const JsonField app_fields[] = {
        JSON_ROW("exec", json_kind_strv, AcApp, exec, JSON_ALWAYS),
        JSON_ROW("user", json_kind_string, AcApp, user, JSON_MANDATORY),
        JSON_ROW("group", json_kind_string, AcApp, group, JSON_MANDATORY),
        JSON_ROW("supplementaryGIDs", kind_gids, AcApp, supplementary_gids, 0),
        JSON_LIST_ROW("eventHandlers", AcApp, event_handlers, event_handler_type, 0),
        JSON_ROW("workingDirectory", json_kind_string, AcApp, working_directory, 0),
        JSON_LIST_ROW("environment", AcApp, environment, ac_pair_type, 0),
        JSON_LIST_ROW("mountPoints", AcApp, mount_points, mount_point_type, 0),
        JSON_LIST_ROW("ports", AcApp, ports, ac_port_type, 0),
        JSON_LIST_ROW("isolators", AcApp, isolators, ac_isolator_struct, 0),
        AC_MAP_ROW("userAnnotations", AcApp, user_annotations),
        AC_MAP_ROW("userLabels", AcApp, user_labels),
        {},
};

static void app_done(void *p) {
        AcApp *a = p;

        (void) strv_free(a->exec);
        free(a->user);
        free(a->group);
        free(a->supplementary_gids);
        json_list_free(&event_handler_type, a->event_handlers, a->n_event_handlers);
        free(a->working_directory);
        ac_pairs_free(a->environment, a->n_environment);
        json_list_free(&mount_point_type, a->mount_points, a->n_mount_points);
        json_list_free(&ac_port_type, a->ports, a->n_ports);
        json_list_free(&ac_isolator_struct, a->isolators, a->n_isolators);
        ac_pairs_free(a->user_annotations, a->n_user_annotations);
        ac_pairs_free(a->user_labels, a->n_user_labels);
}

static int app_check(void *p, Error *e) {
        return ac_app_check(p, e);
}

const JsonStruct ac_app_type = {
        .size = sizeof(AcApp),
        .fields = app_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = app_done,
        .check = app_check,
};

/**
 * ac_app_new() - an app that runs nothing as root
 * @ret: user and group are "0"
 *
 * Return: 0, -ENOMEM.
 */
int ac_app_new(AcApp **ret) {
        _cleanup_(ac_app_freep) AcApp *a = NULL;

        a = new0(AcApp, 1);
        if (!a)
                return -ENOMEM;
        a->user = strdup("0");
        a->group = strdup("0");
        if (!a->user || !a->group)
                return -ENOMEM;
        *ret = TAKE_PTR(a);
        return 0;
}

/**
 * ac_app_free() - free an app
 * @a: may be NULL or half-filled
 *
 * Return: NULL.
 */
AcApp *ac_app_free(AcApp *a) {
        json_list_free(&ac_app_type, a, a ? 1 : 0);
        return NULL;
}

/**
 * ac_app_copy() - copy an app with all that belongs to it
 * @a:   valid
 * @ret: ac_app_free() it
 * @e:   for what makes @a invalid
 *
 * Goes through its JSON, so a copy is what a reader of the manifest would see.
 *
 * Return: 0, -ENOMEM, those of ac_app_check().
 */
int ac_app_copy(const AcApp *a, AcApp **ret, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_(ac_app_freep) AcApp *copy = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        json_write_struct(&w, &ac_app_type, a);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        r = json_parse(text, strlen(text), &v, e);
        if (r < 0)
                return r;
        copy = new0(AcApp, 1);
        if (!copy)
                return error_oom(e);
        r = json_map_struct(v, &ac_app_type, copy, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(copy);
        return 0;
}

static int check_user(const char *what, const char *s, Error *e) {
        if (!s || !ac_user_is_valid(s))
                return error_setf(e, -EINVAL, "'%.100s' cannot be the %s", str_or(s, ""), what);
        return 0;
}

/* Lists are short; a long one is sorted by name through ac_pairs_find_duplicate(). */
static int check_unique(const void *items, size_t n, size_t size, const char *what, Error *e) {
        _cleanup_free_ AcPair *names = NULL;
        const char *name;
        int r;

        names = new0(AcPair, n);
        if (!names)
                return error_oom(e);
        for (size_t i = 0; i < n; i++) /* the name is the first member */
                memcpy(&names[i].name, (const char *) items + i * size, sizeof(char *));
        r = ac_pairs_find_duplicate(names, n, &name);
        if (r > 0)
                return error_setf(e, -ENOTUNIQ, "second %s '%.200s'", what, name);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * ac_app_check() - check what the members' own rows do not
 * @a: filled
 * @e: says what is wrong
 *
 * Return: 0, -EINVAL, -ENOTUNIQ (handlers, variables, mount points, ports, isolators), -ENOMEM.
 */
int ac_app_check(AcApp *a, Error *e) {
        int r;

        r = check_user("user", a->user, e);
        if (r < 0)
                return r;
        r = check_user("group", a->group, e);
        if (r < 0)
                return r;
        if (a->working_directory && *a->working_directory && *a->working_directory != '/')
                return error_setf(e, -EINVAL, "working directory '%.100s' is not absolute",
                                  a->working_directory);
        if (a->working_directory && *a->working_directory && !ac_path_is_valid(a->working_directory))
                return error_setf(e, -EINVAL, "the working directory has '..' or control characters");
        r = ac_environment_check(a->environment, a->n_environment, e);
        if (r < 0)
                return r;
        r = check_unique(a->event_handlers, a->n_event_handlers, sizeof(AcEventHandler), "event handler", e);
        if (r < 0)
                return r;
        r = check_unique(a->mount_points, a->n_mount_points, sizeof(AcMountPoint), "mount point", e);
        if (r < 0)
                return r;
        r = check_unique(a->ports, a->n_ports, sizeof(AcPort), "port", e);
        if (r < 0)
                return r;
        return ac_isolators_check(a->isolators, a->n_isolators, e);
}

/**
 * ac_app_event_handler() - command of an event handler
 * @a:    app
 * @name: "pre-start", "post-stop"
 *
 * Return: NULL if there is none or it runs nothing.
 */
char *const *ac_app_event_handler(const AcApp *a, const char *name) {
        FOREACH_ARRAY (h, a->event_handlers, a->n_event_handlers)
                if (streq(h->name, name))
                        return h->exec && *h->exec ? h->exec : NULL;
        return NULL;
}

/**
 * ac_app_find_mount_point() - a mount point by name
 * @a:    app
 * @name: AC Name
 *
 * Return: NULL if there is none.
 */
const AcMountPoint *ac_app_find_mount_point(const AcApp *a, const char *name) {
        FOREACH_ARRAY (m, a->mount_points, a->n_mount_points)
                if (streq(m->name, name))
                        return m;
        return NULL;
}

/**
 * ac_app_add_mount_point() - add a mount point at the end
 * @a:         app
 * @name:      AC Name, copied
 * @path:      absolute, copied
 * @read_only: whether apps may not write
 *
 * Return: 0, -ENOMEM.
 */
int ac_app_add_mount_point(AcApp *a, const char *name, const char *path, bool read_only) {
        AcMountPoint m = { .name = strdup(name), .path = strdup(path), .read_only = read_only };

        if (!m.name || !m.path || !GREEDY_GROW(a->mount_points, a->n_mount_points)) {
                ac_mount_point_done(&m);
                return -ENOMEM;
        }
        a->mount_points[a->n_mount_points++] = m;
        return 0;
}

/**
 * ac_app_find_port() - a port by name
 * @a:    app
 * @name: AC Name
 *
 * Return: NULL if there is none.
 */
const AcPort *ac_app_find_port(const AcApp *a, const char *name) {
        FOREACH_ARRAY (p, a->ports, a->n_ports)
                if (streq(p->name, name))
                        return p;
        return NULL;
}

/**
 * ac_mount_point_done() - free the members
 * @m: may be half-filled
 */
void ac_mount_point_done(AcMountPoint *m) {
        free(m->name);
        free(m->path);
        *m = (AcMountPoint){};
}

static int set_mount_point_option(void *userdata, const char *key, const char *value, Error *e) {
        AcMountPoint *m = userdata;
        int flag = 0, r;

        if (streq(key, "path"))
                return str_replace(&m->path, value);
        if (!streq(key, "readOnly"))
                return -ENXIO;
        r = ac_option_boolean(key, value, &flag, e);
        m->read_only = flag;
        return r;
}

/**
 * ac_mount_point_from_string() - a mount point as on the command line
 * @s:   NAME,path=PATH[,readOnly=BOOL]
 * @ret: ac_mount_point_done() it
 * @e:   says what is wrong
 *
 * Return: 0, -EINVAL, -ENXIO (key), -ENOTUNIQ (key twice), -ENOMEM.
 */
int ac_mount_point_from_string(const char *s, AcMountPoint *ret, Error *e) {
        AcMountPoint m = {};
        int r;

        r = ac_options_parse(s, &m.name, set_mount_point_option, &m, e);
        if (r >= 0 && (!m.path || !ac_path_is_valid(m.path)))
                r = error_setf(e, -EINVAL, "path must be absolute, without '..'");
        if (r >= 0)
                r = mount_point_check(&m, e);
        if (r < 0) {
                ac_mount_point_done(&m);
                return error_prefixf(e, r, "mount point '%.300s'", s);
        }
        *ret = m;
        return 0;
}

/**
 * ac_port_done() - free the members
 * @p: may be half-filled
 */
void ac_port_done(AcPort *p) {
        free(p->name);
        free(p->protocol);
        *p = (AcPort){};
}

/**
 * ac_port_check() - check the range of a port; a count of 0 becomes 1
 * @p: its name is valid
 * @e: says what is wrong
 *
 * Return: 0, -ERANGE.
 */
int ac_port_check(AcPort *p, Error *e) {
        if (p->port < 1 || p->port > PORT_MAX)
                return error_setf(e, -ERANGE, "port '%s': %llu is not between 1 and 65535", p->name,
                                  (unsigned long long) p->port);
        if (p->count == 0)
                p->count = 1;
        if (p->count > PORT_MAX + 1 - p->port)
                return error_setf(e, -ERANGE, "port '%s': %llu ports from %llu on end beyond 65535", p->name,
                                  (unsigned long long) p->count, (unsigned long long) p->port);
        return 0;
}

static int set_port_option(void *userdata, const char *key, const char *value, Error *e) {
        AcPort *p = userdata;
        int64_t number = 0;
        int flag = 0, r;

        if (streq(key, "protocol"))
                return str_replace(&p->protocol, value);
        if (streq(key, "socketActivated")) {
                r = ac_option_boolean(key, value, &flag, e);
                p->socket_activated = flag;
                return r;
        }
        if (!streq(key, "port") && !streq(key, "count"))
                return -ENXIO;
        r = ac_option_number(key, value, &number, e);
        *(streq(key, "port") ? &p->port : &p->count) = (uint64_t) number;
        return r;
}

/**
 * ac_port_from_string() - a port as on the command line
 * @s:   NAME,protocol=PROTOCOL,port=PORT[,count=N][,socketActivated=BOOL]
 * @ret: ac_port_done() it
 * @e:   says what is wrong
 *
 * Return: 0, -EINVAL, -ENXIO (key), -ENOTUNIQ (key twice), -ERANGE, -ENOMEM.
 */
int ac_port_from_string(const char *s, AcPort *ret, Error *e) {
        AcPort p = {};
        int r;

        r = ac_options_parse(s, &p.name, set_port_option, &p, e);
        if (r >= 0 && (!p.protocol || !*p.protocol))
                r = error_setf(e, -EINVAL, "protocol is missing");
        if (r >= 0)
                r = ac_port_check(&p, e);
        if (r < 0) {
                ac_port_done(&p);
                return error_prefixf(e, r, "port '%.300s'", s);
        }
        *ret = p;
        return 0;
}
