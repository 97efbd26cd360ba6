/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod list: all pod files, and what systemd makes of their units. Without a bus, the columns about units have dashes. */
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "podfile/pod-file.h"
#include "run/manager-bus.h"
#include "verbs/verbs.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"

typedef struct ListArgs {
        const char *format;
        bool no_legend;
} ListArgs;

enum { COLUMN_NAME, COLUMN_STATE, COLUMN_ENABLED, COLUMN_IMAGES, COLUMN_FILE, COLUMN_ERROR, _COLUMN_MAX };

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_NAME] = { "name", "NAME", "name", false },
        [COLUMN_STATE] = { "state", "STATE", "state", false },
        [COLUMN_ENABLED] = { "enabled", "ENABLED", "enabled", false },
        [COLUMN_IMAGES] = { "images", "IMAGES", "images", false },
        [COLUMN_FILE] = { "file", "FILE", "file", .is_path = true },
        [COLUMN_ERROR] = { "error", "ERROR", "error", false },
};

/* ActiveState of a unit; NULL when it cannot be told. A unit that is not loaded is inactive. */
static char *unit_state(sd_bus *bus, const char *unit) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
        __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *path;
        char *state = NULL;

        if (!bus)
                return NULL;
        if (sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "GetUnit", &error,
                               &reply, "s", unit) < 0)
                return sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit")
                               ? strdup("inactive")
                               : NULL;
        if (sd_bus_message_read(reply, "o", &path) < 0 ||
            sd_bus_get_property_string(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                       "ActiveState", NULL, &state) < 0)
                return NULL;
        return state;
}

/* As systemctl is-enabled says; NULL when it cannot be told. */
static char *unit_enabled(sd_bus *bus, const char *unit) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
        const char *state;

        if (!bus ||
            sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "GetUnitFileState",
                               NULL, &reply, "s", unit) < 0 ||
            sd_bus_message_read(reply, "s", &state) < 0)
                return NULL;
        return strdup(state);
}

/* Which of its units starts with the machine: a timer does, whatever [Install] says of the others. */
static const char *installed_kind(const PodSpec *spec) {
        if (spec->timer.n > 0 && spec->install.n == 0)
                return "timer";
        return spec->n_sockets > 0 ? "socket" : "service";
}

static int set_unit_cells(Table *t, const PodEntry *entry, const PodSpec *spec, sd_bus *bus, Error *e) {
        _cleanup_free_ char *service = strf("pod@%s.service", entry->name), *state = NULL, *enabled = NULL,
                            *installed = NULL;
        int r;

        installed = strf("pod@%s.%s", entry->name, installed_kind(spec));
        if (!service || !installed)
                return error_oom(e);
        state = unit_state(bus, service);
        enabled = unit_enabled(bus, installed);
        r = table_set(t, COLUMN_STATE, str_or(state, "-"), NULL, e);
        return r < 0 ? r : table_set(t, COLUMN_ENABLED, str_or(enabled, "-"), NULL, e);
}

static int images_of(const PodSpec *spec, char **ret) {
        _cleanup_strv_free_ char **images = NULL;
        int r = 0;

        FOREACH_ARRAY (a, spec->apps, spec->n_apps)
                if (r >= 0 && a->image && !strv_contains(images, a->image))
                        r = strv_extend(&images, a->image);
        return r < 0 ? r : strv_join(images, ",", ret);
}

/* The first mistake, and how many there are besides. */
static int error_of(const PodErrors *errors, char **ret) {
        _cleanup_free_ char *first = NULL;
        size_t more = errors->n + errors->n_more - 1;

        if (errors->n == 0) {
                *ret = strdup("-");
                return *ret ? 0 : -ENOMEM;
        }
        if (pod_error_to_string(&errors->items[0], &first) < 0)
                return -ENOMEM;
        *ret = more > 0 ? strf("%s (and %zu more)", first, more) : TAKE_PTR(first);
        return *ret ? 0 : -ENOMEM;
}

static int add_entry(Table *t, const PodEntry *entry, sd_bus *bus, Error *e) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        _cleanup_free_ char *images = NULL, *error = NULL;
        int r;

        if (pod_entry_load(entry, &spec, &errors) < 0 || images_of(spec, &images) < 0 ||
            error_of(&errors, &error) < 0)
                return error_oom(e);
        r = table_add_row(t, e);
        if (r >= 0)
                r = table_set(t, COLUMN_NAME, entry->name, NULL, e);
        if (r >= 0)
                r = set_unit_cells(t, entry, spec, bus, e);
        if (r >= 0)
                r = table_set(t, COLUMN_IMAGES, *images ? images : "-", NULL, e);
        if (r >= 0)
                r = table_set(t, COLUMN_FILE, entry->path, NULL, e);
        return r < 0 ? r : table_set(t, COLUMN_ERROR, error, NULL, e);
}

static int list_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        __attribute__((cleanup(sd_bus_flush_close_unrefp))) sd_bus *bus = NULL;
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *text = NULL;
        const ListArgs *a = options;
        TableFormat format;
        int r;

        format = table_format_from_string(a->format, e);
        if (format < 0)
                return (int) format;
        if (pod_index_load(NULL, &index) < 0 || pod_errors_to_string(&index->errors, &text) < 0)
                return error_oom(e);
        if (sd_bus_open_system(&bus) < 0)
                bus = NULL;
        r = table_new(columns, _COLUMN_MAX, &t, e);
        for (size_t i = 0; r >= 0 && i < index->n; i++)
                r = add_entry(t, &index->entries[i], bus, e);
        if (r >= 0)
                verb_open_pager(c);
        if (r >= 0)
                r = table_print(t, format, !a->no_legend, stdout, e);
        if (r < 0)
                return r;
        (void) fflush(stdout);
        (void) fputs(text, stderr);
        return 0;
}

static const Option list_options[] = {
        { .name = "format",
          .type = OPTION_STRING,
          .offset = offsetof(ListArgs, format),
          .fallback = "",
          .value = "FORMAT",
          .help = "Print as json or json-pretty" },
        { .name = "no-legend",
          .type = OPTION_BOOL,
          .offset = offsetof(ListArgs, no_legend),
          .help = "Print no head line" },
        {},
};

const Verb verb_pod_list = {
        .group = "pod",
        .name = "list",
        .flags = VERB_NO_DATA,
        .usage = NULL,
        .help = "List pod files and their units",
        .options = list_options,
        .options_size = sizeof(ListArgs),
        .run = list_run,
};
