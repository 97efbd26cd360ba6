/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The "app" object: how an image is run. Facts: appc, sections 5.1 and 9. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/json.h"
#include "manifest/ac-isolator.h"
#include "manifest/ac-types.h"

typedef struct AcEventHandler {
        char *name; /* "pre-start", "post-stop" */
        char **exec;
} AcEventHandler;

typedef struct AcMountPoint {
        char *name;
        char *path; /* absolute, without ".." */
        bool read_only;
} AcMountPoint;

typedef struct AcPort {
        char *name;
        char *protocol;
        uint64_t port;  /* 1..65535 */
        uint64_t count; /* at least 1; port + count <= 65536 */
        bool socket_activated;
} AcPort;

typedef struct AcApp {
        char **exec; /* NULL or empty: nothing to run */
        char *user;  /* name, number, or path in the image whose owner it is */
        char *group;
        uint32_t *supplementary_gids;
        size_t n_supplementary_gids;
        AcEventHandler *event_handlers;
        size_t n_event_handlers;
        char *working_directory; /* absolute; NULL: "/" */
        AcPair *environment;     /* names are unique */
        size_t n_environment;
        AcMountPoint *mount_points;
        size_t n_mount_points;
        AcPort *ports;
        size_t n_ports;
        AcIsolator *isolators;
        size_t n_isolators;
        AcPair *user_annotations;
        size_t n_user_annotations;
        AcPair *user_labels;
        size_t n_user_labels;
} AcApp;

int ac_app_new(AcApp **ret);
AcApp *ac_app_free(AcApp *a);
DEFINE_CLEANUP(AcApp *, ac_app_free);
int ac_app_copy(const AcApp *a, AcApp **ret, Error *e);
int ac_app_check(AcApp *a, Error *e);
char *const *ac_app_event_handler(const AcApp *a, const char *name);
const AcMountPoint *ac_app_find_mount_point(const AcApp *a, const char *name);
int ac_app_add_mount_point(AcApp *a, const char *name, const char *path, bool read_only);
const AcPort *ac_app_find_port(const AcApp *a, const char *name);

void ac_mount_point_done(AcMountPoint *m);
int ac_mount_point_from_string(const char *s, AcMountPoint *ret, Error *e);
void ac_port_done(AcPort *p);
int ac_port_check(AcPort *p, Error *e);
int ac_port_from_string(const char *s, AcPort *ret, Error *e);

extern const JsonStruct ac_app_type;
extern const JsonStruct ac_port_type;
