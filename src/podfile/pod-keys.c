/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables: rows sorted by name. A key whose behaviour comes later has the setter set_later: its value is checked here,
 * and the pod is refused at start. */
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "podfile/pod-keys.h"
#include "podfile/pod-loader.h"
#include "podfile/unit-keys.h"

#define LIST     POD_KEY_LIST
#define NOTEMPTY POD_KEY_NOT_EMPTY
#define POD(f)   offsetof(PodSpec, f)
#define APP(f)   offsetof(AppSpec, f)
#define VOL(f)   offsetof(VolumeSpec, f)

/* clang-format off */
static const PodKey pod_table[] = {
        { "AddHost",           LIST, set_later,            0, CHECK_ADD_HOST },
        { "Annotation",        LIST, set_assignments,      POD(annotations), CHECK_ANY },
        { "AutoUpdate",        0,    set_later,            0, CHECK_AUTO_UPDATE },
        { "DNS",               LIST, set_later,            0, CHECK_DNS },
        { "DNSDomain",         0,    set_later,            0, CHECK_HOST_NAME },
        { "DNSOption",         LIST, set_later,            0, CHECK_ANY },
        { "DNSSearch",         LIST, set_later,            0, CHECK_HOST_NAME },
        { "Environment",       LIST, set_assignments,      POD(environment), CHECK_ENVIRONMENT },
        { "EnvironmentFile",   LIST, set_environment_file, POD(environment_files), CHECK_ANY },
        { "ExitPolicy",        0,    set_exit_policy,      0, CHECK_ANY },
        { "HostName",          0,    set_string,           POD(hostname), CHECK_HOST_NAME },
        { "InsecureOptions",   0,    set_insecure,         0, CHECK_ANY },
        { "Instances",         LIST, set_instances,        0, CHECK_ANY },
        { "Label",             LIST, set_assignments,      POD(labels), CHECK_ANY },
        { "Log",               0,    set_log,              0, CHECK_ANY },
        { "MetadataService",   0,    set_later,            0, CHECK_BOOLEAN },
        { "Network",           LIST, set_network,          0, CHECK_ANY },
        { "Overlay",           0,    set_overlay,          0, CHECK_ANY },
        { "PrivateUsers",      0,    set_private_users,    0, CHECK_ANY },
        { "Profile",           LIST, set_later,            0, CHECK_AC_NAME },
        { "PublishPort",       LIST, set_later,            0, CHECK_PORT_MAPPING },
        { "Pull",              0,    set_pull,             0, CHECK_ANY },
        { "Stage1",            0,    set_stage1,           0, CHECK_ANY },
};

static const PodKey app_table[] = {
        { "After",                   LIST,     set_app_names,        APP(after), CHECK_ANY },
        { "Annotation",              LIST,     set_assignments,      APP(annotations), CHECK_ANY },
        { "Args",                    0,        set_command,          APP(args), CHECK_ANY },
        { "Before",                  LIST,     set_app_names,        APP(before), CHECK_ANY },
        { "BindsTo",                 LIST,     set_app_names,        APP(binds_to), CHECK_ANY },
        { "Device",                  LIST,     set_later,            0, CHECK_APP_DEVICE },
        { "Entrypoint",              0,        set_command,          APP(entrypoint), CHECK_ANY },
        { "Environment",             LIST,     set_assignments,      APP(environment), CHECK_ENVIRONMENT },
        { "EnvironmentFile",         LIST,     set_environment_file, APP(environment_files), CHECK_ANY },
        { "Exec",                    0,        set_command,          APP(exec), CHECK_ANY },
        { "ExecStartPre",            LIST,     set_setting,          0, CHECK_COMMAND },
        { "ExecStopPost",            LIST,     set_setting,          0, CHECK_COMMAND },
        { "Group",                   NOTEMPTY, set_string,           APP(group), CHECK_USER },
        { "HealthCmd",               0,        set_later,            0, CHECK_ANY },
        { "HealthInterval",          0,        set_later,            0, CHECK_SECONDS },
        { "HealthOnFailure",         0,        set_later,            0, CHECK_HEALTH_ACTION },
        { "HealthRetries",           0,        set_later,            0, CHECK_UINT },
        { "HealthStartPeriod",       0,        set_later,            0, CHECK_SECONDS },
        { "HealthTimeout",           0,        set_later,            0, CHECK_SECONDS },
        { "Image",                   0,        set_image,            0, CHECK_ANY },
        { "ImportCredential",        LIST,     set_later,            0, CHECK_ANY },
        { "LoadCredential",          LIST,     set_later,            0, CHECK_ANY },
        { "LoadCredentialEncrypted", LIST,     set_later,            0, CHECK_ANY },
        { "Notify",                  0,        set_notify,           0, CHECK_ANY },
        { "ReadOnly",                0,        set_tristate,         APP(read_only), CHECK_BOOLEAN },
        { "Requires",                LIST,     set_app_names,        APP(requires), CHECK_ANY },
        { "SetCredential",           LIST,     set_later,            0, CHECK_ANY },
        { "ShmSize",                 0,        set_later,            0, CHECK_SIZE },
        { "StandardError",           0,        set_standard_io,      APP(standard_error), CHECK_STANDARD_OUTPUT },
        { "StandardInput",           0,        set_standard_io,      APP(standard_input), CHECK_STANDARD_INPUT },
        { "StandardOutput",          0,        set_standard_io,      APP(standard_output), CHECK_STANDARD_OUTPUT },
        { "StopSignal",              0,        set_stop_signal,      0, CHECK_SIGNAL },
        { "SupplementaryGroups",     LIST,     set_words,            APP(supplementary_groups), CHECK_USER },
        { "Sysctl",                  LIST,     set_later,            0, CHECK_SYSCTL },
        { "TemporaryFileSystem",     LIST,     set_later,            0, CHECK_PATHS },
        { "User",                    NOTEMPTY, set_string,           APP(user), CHECK_USER },
        { "UserAnnotation",          LIST,     set_assignments,      APP(user_annotations), CHECK_ANY },
        { "UserLabel",               LIST,     set_assignments,      APP(user_labels), CHECK_ANY },
        { "Volume",                  LIST,     set_mount,            0, CHECK_ANY },
        { "Wants",                   LIST,     set_app_names,        APP(wants), CHECK_ANY },
        { "WorkingDirectory",        0,        set_directory,        APP(working_directory), CHECK_ANY },
};

static const PodKey volume_table[] = {
        { "CopyUp",     0, set_tristate,    VOL(copy_up), CHECK_BOOLEAN },
        { "GID",        0, set_owner,       VOL(gid), CHECK_ANY },
        { "Mode",       0, set_volume_mode, 0, CHECK_MODE },
        { "Persistent", 0, set_tristate,    VOL(persistent), CHECK_BOOLEAN },
        { "ReadOnly",   0, set_tristate,    VOL(read_only), CHECK_BOOLEAN },
        { "Recursive",  0, set_tristate,    VOL(recursive), CHECK_BOOLEAN },
        { "Source",     0, set_source,      0, CHECK_ANY },
        { "UID",        0, set_owner,       VOL(uid), CHECK_ANY },
};

static const PodKey socket_table[] = {
        { "App",      0, set_socket_app, 0, CHECK_ANY },
        { "IdleExit", 0, set_later,      0, CHECK_SECONDS },
        { "Proxy",    0, set_later,      0, CHECK_PORT },
};

static const struct {
        const char *name;
        const PodKey *keys;
        size_t n_keys;
        unsigned unit_keys; /* UNIT_KEY_* that are taken too */
} sections[_POD_SECTION_MAX] = {
        [POD_SECTION_UNIT] =    { "Unit", NULL, 0, UNIT_KEY_UNIT },
        [POD_SECTION_POD] =     { "Pod", pod_table, ELEMENTSOF(pod_table), 0 },
        [POD_SECTION_APP] =     { "App", app_table, ELEMENTSOF(app_table), UNIT_KEY_APP },
        [POD_SECTION_VOLUME] =  { "Volume", volume_table, ELEMENTSOF(volume_table), 0 },
        [POD_SECTION_SOCKET] =  { "Socket", socket_table, ELEMENTSOF(socket_table), UNIT_KEY_SOCKET },
        [POD_SECTION_SERVICE] = { "Service", NULL, 0, UNIT_KEY_SERVICE },
        [POD_SECTION_TIMER] =   { "Timer", NULL, 0, UNIT_KEY_TIMER },
        [POD_SECTION_INSTALL] = { "Install", NULL, 0, UNIT_KEY_INSTALL },
};
/* clang-format on */

/**
 * pod_section_to_string() - the word between the brackets
 * @section: valid
 *
 * Return: a constant.
 */
const char *pod_section_to_string(PodSection section) {
        return sections[section].name;
}

/**
 * pod_section_from_string() - a section by its word
 * @s: without the name that may follow; case matters
 *
 * Return: the section, or _POD_SECTION_INVALID.
 */
PodSection pod_section_from_string(const char *s) {
        for (PodSection i = 0; i < _POD_SECTION_MAX; i++)
                if (strcmp(sections[i].name, s) == 0)
                        return i;
        return _POD_SECTION_INVALID;
}

/**
 * pod_keys() - the keys that are ours in a section
 * @section: valid
 * @ret_n:   how many
 *
 * Return: a constant table sorted by name; NULL when there is none.
 */
const PodKey *pod_keys(PodSection section, size_t *ret_n) {
        *ret_n = sections[section].n_keys;
        return sections[section].keys;
}

static int compare(const void *name, const void *row) {
        return strcmp(name, ((const PodKey *) row)->name);
}

/**
 * pod_key_find() - look up one of our keys
 * @section: valid
 * @name:    case matters
 *
 * Return: a constant row, or NULL.
 */
const PodKey *pod_key_find(PodSection section, const char *name) {
        if (sections[section].n_keys == 0)
                return NULL;
        return bsearch(name, sections[section].keys, sections[section].n_keys, sizeof(PodKey), compare);
}

/**
 * pod_section_unit_keys() - which of systemd's keys a section takes
 * @section: valid
 *
 * Return: UNIT_KEY_* bits.
 */
unsigned pod_section_unit_keys(PodSection section) {
        return sections[section].unit_keys;
}
