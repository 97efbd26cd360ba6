/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the modules that turn a PodText into a PodSpec; not for others. */
#pragma once

#include "podfile/pod-error.h"
#include "podfile/pod-keys.h"
#include "podfile/pod-spec.h"
#include "podfile/pod-text.h"
#include "podfile/specifier.h"

#define POD_WORDS_MAX 20000U /* list elements in one pod */

typedef struct PodLoader {
        PodSpec *spec;
        PodErrors *errors;
        Specifiers specifiers;
        size_t n_words;
} PodLoader;

/* Both record a mistake and return 0 or -ENOMEM. */
int loader_bad(PodLoader *l, const PodPart *part, const PodLine *line, const char *format, ...)
        _printf_(4, 5);
int loader_bad_value(PodLoader *l, const PodPart *part, const PodLine *line, const char *value,
                     const char *wrong);
int loader_needs_systemd(PodLoader *l, const PodPart *part, const PodLine *line, unsigned since);
int loader_later(PodLoader *l, const PodPart *part, const PodLine *line, const char *what);

/* Return 1 with a result, 0 when a mistake was recorded, -ENOMEM. */
int loader_text(PodLoader *l, const PodPart *part, const PodLine *line, char **ret);
int loader_words(PodLoader *l, const PodPart *part, const PodLine *line, char ***ret);

int set_string(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_words(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_tristate(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_command(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_assignments(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_environment_file(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_setting(PodLoader *l, const PodPart *part, const PodLine *line, void *target);

int set_dns(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_ports(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_network(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_private_users(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_stage1(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_exit_policy(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_auto_update(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_pull(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_insecure(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_overlay(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_log(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_instances(PodLoader *l, const PodPart *part, const PodLine *line, void *target);

int set_image(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_directory(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_app_names(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_shm_size(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_mount(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_stop_signal(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_notify(PodLoader *l, const PodPart *part, const PodLine *line, void *target);

int set_credential(PodLoader *l, const PodPart *part, const PodLine *line, void *target);

int set_source(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_volume_options(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_volume_mode(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_owner(PodLoader *l, const PodPart *part, const PodLine *line, void *target);
int set_socket_app(PodLoader *l, const PodPart *part, const PodLine *line, void *target);

int loader_app_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings);
int loader_add_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings);
int loader_host_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings);
int loader_check(PodLoader *l, const PodText *text);
