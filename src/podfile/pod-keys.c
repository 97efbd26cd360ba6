/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables: rows sorted by name. */
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "podfile/pod-keys.h"
#include "podfile/pod-loader.h"
#include "podfile/unit-keys.h"

#define LIST      POD_KEY_LIST
#define NOTEMPTY  POD_KEY_NOT_EMPTY
#define POD(f)    offsetof(PodSpec, f)
#define APP(f)    offsetof(AppSpec, f)
#define VOL(f)    offsetof(VolumeSpec, f)
#define SOCKET(f) offsetof(SocketSpec, f)

/* clang-format off */
static const PodKey pod_table[] = {
        { "AddHost",           set_words,            POD(hosts), CHECK_ADD_HOST, LIST },
        { "Annotation",        set_assignments,      POD(annotations), CHECK_ANY, LIST },
        { "AutoUpdate",        set_auto_update,      0, CHECK_ANY, 0 },
        { "DNS",               set_dns,              0, CHECK_DNS, LIST },
        { "DNSDomain",         set_string,           POD(dns_domain), CHECK_HOST_NAME, 0 },
        { "DNSOption",         set_words,            POD(dns_options), CHECK_DNS_OPTION, LIST },
        { "DNSSearch",         set_words,            POD(dns_search), CHECK_HOST_NAME, LIST },
        { "Environment",       set_assignments,      POD(environment), CHECK_ENVIRONMENT, LIST },
        { "EnvironmentFile",   set_environment_file, POD(environment_files), CHECK_ANY, LIST },
        { "ExitPolicy",        set_exit_policy,      0, CHECK_ANY, 0 },
        { "HostName",          set_string,           POD(hostname), CHECK_HOST_NAME, 0 },
        { "InsecureOptions",   set_insecure,         0, CHECK_ANY, 0 },
        { "Instances",         set_instances,        0, CHECK_ANY, LIST },
        { "Label",             set_assignments,      POD(labels), CHECK_ANY, LIST },
        { "Log",               set_log,              0, CHECK_ANY, 0 },
        { "MetadataService",   set_tristate,         POD(metadata), CHECK_BOOLEAN, 0 },
        { "Network",           set_network,          0, CHECK_ANY, LIST },
        { "Overlay",           set_overlay,          0, CHECK_ANY, 0 },
        { "PrivateUsers",      set_private_users,    0, CHECK_ANY, 0 },
        { "Profile",           set_words,            POD(profiles), CHECK_AC_NAME, LIST },
        { "PublishPort",       set_ports,            POD(ports), CHECK_PORT_MAPPING, LIST },
        { "Pull",              set_pull,             0, CHECK_ANY, 0 },
        { "Stage1",            set_stage1,           0, CHECK_ANY, 0 },
};

static const PodKey app_table[] = {
        { "After",                   set_app_names,        APP(after), CHECK_ANY, LIST },
        { "Annotation",              set_assignments,      APP(annotations), CHECK_ANY, LIST },
        { "Args",                    set_command,          APP(args), CHECK_ANY, POD_KEY_EMPTY },
        { "Before",                  set_app_names,        APP(before), CHECK_ANY, LIST },
        { "BindsTo",                 set_app_names,        APP(binds_to), CHECK_ANY, LIST },
        { "Device",                  set_words,            APP(devices), CHECK_APP_DEVICE, LIST },
        { "Entrypoint",              set_command,          APP(entrypoint), CHECK_ANY, 0 },
        { "Environment",             set_assignments,      APP(environment), CHECK_ENVIRONMENT, LIST },
        { "EnvironmentFile",         set_environment_file, APP(environment_files), CHECK_ANY, LIST },
        { "Exec",                    set_command,          APP(exec), CHECK_ANY, 0 },
        { "ExecStartPre",            set_setting,          0, CHECK_COMMAND, LIST },
        { "ExecStopPost",            set_setting,          0, CHECK_COMMAND, LIST },
        { "Group",                   set_string,           APP(group), CHECK_USER, NOTEMPTY },
        { "HealthCmd",               set_string,           APP(health_cmd), CHECK_ANY, 0 },
        { "HealthInterval",          set_string,           APP(health_interval), CHECK_SECONDS, 0 },
        { "HealthOnFailure",         set_string,           APP(health_on_failure), CHECK_HEALTH_ACTION, 0 },
        { "HealthRetries",           set_string,           APP(health_retries), CHECK_UINT, 0 },
        { "HealthStartPeriod",       set_string,           APP(health_start_period), CHECK_SECONDS, 0 },
        { "HealthTimeout",           set_string,           APP(health_timeout), CHECK_SECONDS, 0 },
        { "Image",                   set_image,            0, CHECK_ANY, 0 },
        { "ImportCredential",        set_credential,       0, CHECK_ANY, LIST },
        { "LoadCredential",          set_credential,       0, CHECK_ANY, LIST },
        { "LoadCredentialEncrypted", set_credential,       0, CHECK_ANY, LIST },
        { "Notify",                  set_notify,           0, CHECK_ANY, 0 },
        { "ReadOnly",                set_tristate,         APP(read_only), CHECK_BOOLEAN, 0 },
        { "Requires",                set_app_names,        APP(requires), CHECK_ANY, LIST },
        { "SetCredential",           set_credential,       0, CHECK_ANY, LIST },
        { "ShmSize",                 set_shm_size,         0, CHECK_SIZE, 0 },
        { "StandardError",           set_string,           APP(standard_error), CHECK_STANDARD_OUTPUT, 0 },
        { "StandardInput",           set_string,           APP(standard_input), CHECK_STANDARD_INPUT, 0 },
        { "StandardOutput",          set_string,           APP(standard_output), CHECK_STANDARD_OUTPUT, 0 },
        { "StopSignal",              set_stop_signal,      0, CHECK_SIGNAL, 0 },
        { "SupplementaryGroups",     set_words,            APP(supplementary_groups), CHECK_USER, LIST },
        { "Sysctl",                  set_words,            APP(sysctls), CHECK_SYSCTL, LIST },
        { "TemporaryFileSystem",     set_words,            APP(tmpfs), CHECK_APP_TMPFS, LIST },
        { "User",                    set_string,           APP(user), CHECK_USER, NOTEMPTY },
        { "UserAnnotation",          set_assignments,      APP(user_annotations), CHECK_ANY, LIST },
        { "UserLabel",               set_assignments,      APP(user_labels), CHECK_ANY, LIST },
        { "Volume",                  set_mount,            0, CHECK_ANY, LIST },
        { "Wants",                   set_app_names,        APP(wants), CHECK_ANY, LIST },
        { "WorkingDirectory",        set_directory,        APP(working_directory), CHECK_ANY, 0 },
};

static const PodKey volume_table[] = {
        { "CopyUp",     set_tristate,    VOL(copy_up), CHECK_BOOLEAN, 0 },
        { "GID",        set_owner,       VOL(gid), CHECK_ANY, 0 },
        { "Mode",       set_volume_mode, 0, CHECK_MODE, 0 },
        { "Options",    set_volume_options, 0, CHECK_ANY, LIST },
        { "Persistent", set_tristate,    VOL(persistent), CHECK_BOOLEAN, 0 },
        { "ReadOnly",   set_tristate,    VOL(read_only), CHECK_BOOLEAN, 0 },
        { "Recursive",  set_tristate,    VOL(recursive), CHECK_BOOLEAN, 0 },
        { "Source",     set_source,      0, CHECK_ANY, 0 },
        { "UID",        set_owner,       VOL(uid), CHECK_ANY, 0 },
};

static const PodKey socket_table[] = {
        { "App",      set_socket_app, 0, CHECK_ANY, 0 },
        { "IdleExit", set_string,     SOCKET(idle_exit), CHECK_SECONDS, 0 },
        { "Proxy",    set_string,     SOCKET(proxy), CHECK_PORT, 0 },
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
