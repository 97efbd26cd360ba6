/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents and their directory. Who may take what is decided by those who call (net-lease.c, net-up.c). */
#include "run/net-state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/lock.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/uuid.h"

/**
 * net_attachment_done() - free the members
 * @a: empty afterwards
 */
void net_attachment_done(NetAttachment *a) {
        free(a->name);
        free(a->if_name);
        free(a->method);
        free(a->args);
        free(a->conf_path);
        free(a->plugin_path);
        free(a->conf);
        free(a->result);
        free(a->version);
        free(a->runtime);
        (void) strv_free(a->addresses);
        (void) strv_free(a->gateways);
        (void) strv_free(a->host_ifs);
        (void) strv_free(a->nameservers);
        (void) strv_free(a->search);
        (void) strv_free(a->options);
        free(a->domain);
        *a = (NetAttachment){};
}

static void attachment_done(void *p) {
        net_attachment_done(p);
}

static const JsonField attachment_fields[] = {
        JSON_ROW("name", json_kind_string, NetAttachment, name, JSON_MANDATORY),
        JSON_ROW("ifName", json_kind_string, NetAttachment, if_name, JSON_MANDATORY),
        JSON_ROW("method", json_kind_string, NetAttachment, method, 0),
        JSON_ROW("begun", json_kind_boolean, NetAttachment, begun, 0),
        JSON_ROW("added", json_kind_boolean, NetAttachment, added, 0),
        JSON_ROW("args", json_kind_string, NetAttachment, args, 0),
        JSON_ROW("confPath", json_kind_string, NetAttachment, conf_path, 0),
        JSON_ROW("pluginPath", json_kind_string, NetAttachment, plugin_path, 0),
        JSON_ROW("conf", json_kind_string, NetAttachment, conf, 0),
        JSON_ROW("result", json_kind_string, NetAttachment, result, 0),
        JSON_ROW("version", json_kind_string, NetAttachment, version, 0),
        JSON_ROW("runtime", json_kind_string, NetAttachment, runtime, 0),
        JSON_ROW("addresses", json_kind_strv, NetAttachment, addresses, 0),
        JSON_ROW("gateways", json_kind_strv, NetAttachment, gateways, 0),
        JSON_ROW("hostInterfaces", json_kind_strv, NetAttachment, host_ifs, 0),
        JSON_ROW("nameservers", json_kind_strv, NetAttachment, nameservers, 0),
        JSON_ROW("search", json_kind_strv, NetAttachment, search, 0),
        JSON_ROW("options", json_kind_strv, NetAttachment, options, 0),
        JSON_ROW("domain", json_kind_string, NetAttachment, domain, 0),
        JSON_ROW("masquerade", json_kind_boolean, NetAttachment, masquerade, 0),
        JSON_ROW("restricted", json_kind_boolean, NetAttachment, restricted, 0),
        JSON_ROW("ownPorts", json_kind_boolean, NetAttachment, own_ports, 0),
        {},
};

static const JsonStruct attachment_type = {
        .size = sizeof(NetAttachment),
        .fields = attachment_fields,
        .flags = JSON_OPEN,
        .done = attachment_done,
};

static void port_done(void *p) {
        NetPort *port = p;

        free(port->name);
        free(port->protocol);
        free(port->host_ip);
}

static int port_check(void *p, Error *e) {
        const NetPort *port = p;

        if (port->host_port == 0 || port->pod_port == 0 || port->count == 0 || port->host_port > 65535 ||
            port->pod_port > 65535 || port->count > 65536 - MAX(port->host_port, port->pod_port))
                return error_setf(e, -ERANGE, "port out of range");
        return 0;
}

static const JsonField port_fields[] = {
        JSON_ROW("name", json_kind_string, NetPort, name, 0),
        JSON_ROW("protocol", json_kind_string, NetPort, protocol, JSON_MANDATORY),
        JSON_ROW("hostIP", json_kind_string, NetPort, host_ip, 0),
        JSON_ROW("hostPort", json_kind_uint64, NetPort, host_port, JSON_MANDATORY),
        JSON_ROW("podPort", json_kind_uint64, NetPort, pod_port, JSON_MANDATORY),
        JSON_ROW("count", json_kind_uint64, NetPort, count, JSON_MANDATORY),
        {},
};

static const JsonStruct port_type = {
        .size = sizeof(NetPort),
        .fields = port_fields,
        .flags = JSON_OPEN,
        .done = port_done,
        .check = port_check,
};

static const JsonField state_fields[] = {
        JSON_ROW("uuid", json_kind_string, NetState, uuid, JSON_MANDATORY),
        JSON_ROW("machine", json_kind_string, NetState, machine, 0),
        JSON_ROW("hostname", json_kind_string, NetState, hostname, 0),
        JSON_ROW("namespace", json_kind_string, NetState, namespace, JSON_MANDATORY),
        JSON_ROW("dataDirectory", json_kind_string, NetState, data_dir, 0),
        JSON_LIST_ROW("networks", NetState, networks, attachment_type, JSON_ALWAYS),
        JSON_LIST_ROW("ports", NetState, ports, port_type, JSON_ALWAYS),
        JSON_ROW("failed", json_kind_boolean, NetState, failed, 0),
        JSON_ROW("portNetwork", json_kind_int64, NetState, port_network, 0),
        {},
};

static void state_init(void *p) {
        ((NetState *) p)->port_network = -1;
}

static void state_done(void *p) {
        NetState *s = p;

        free(s->uuid);
        free(s->machine);
        free(s->hostname);
        free(s->namespace);
        free(s->data_dir);
        json_list_free(&attachment_type, s->networks, s->n_networks);
        json_list_free(&port_type, s->ports, s->n_ports);
}

static int state_check(void *p, Error *e) {
        const NetState *s = p;

        if (!uuid_is_valid(s->uuid))
                return error_setf(e, -EINVAL, "'%.40s' is no UUID", s->uuid);
        if (s->port_network >= (int64_t) s->n_networks)
                return error_setf(e, -ERANGE, "there is no network %lld", (long long) s->port_network);
        return 0;
}

static const JsonStruct net_state_type = {
        .size = sizeof(NetState),
        .fields = state_fields,
        .flags = JSON_OPEN,
        .init = state_init,
        .done = state_done,
        .check = state_check,
};

/**
 * net_state_free() - free a state
 * @s: may be NULL
 *
 * Return: NULL.
 */
NetState *net_state_free(NetState *s) {
        if (s)
                state_done(s);
        free(s);
        return NULL;
}

/**
 * net_state_parse() - a state from its text
 * @data: JSON
 * @size: bytes
 * @ret:  for net_state_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG and what json_map_struct() returns, -ENOMEM.
 */
int net_state_parse(const char *data, size_t size, NetState **ret, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_net_state_ NetState *s = NULL;
        int r = json_parse(data, size, &v, e);

        if (r < 0)
                return r;
        s = new0(NetState, 1);
        if (!s)
                return error_oom(e);
        r = json_map_struct(v, &net_state_type, s, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * net_state_read_at() - a state from its file
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it
 * @ret:    for net_state_free()
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: there is none; errors of reading; what net_state_parse() returns.
 */
int net_state_read_at(int dir_fd, const char *path, NetState **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(dir_fd, path, NET_STATE_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "cannot read %s: %s", path, strerror(-r));
        r = net_state_parse(text, size, ret, e);
        return r < 0 ? error_prefixf(e, r, "%s", path) : 0;
}

/**
 * net_state_to_string() - the text of a state
 * @s:   state
 * @ret: JSON, to free()
 *
 * Return: 0, -ENOMEM.
 */
int net_state_to_string(const NetState *s, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_struct(&w, &net_state_type, s);
        return json_writer_steal(&w, ret);
}

/**
 * net_state_write_at() - write a state whole
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it; its folder exists
 * @s:      state
 * @sync:   it must survive a power cut
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errors of writing.
 */
int net_state_write_at(int dir_fd, const char *path, const NetState *s, bool sync, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = net_state_to_string(s, &text);

        if (r >= 0)
                r = file_write_at(dir_fd, path, text, strlen(text), 0644, sync ? 0 : FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/**
 * net_states_lock() - be the only one who changes addresses, ports and rules
 * @ret_fd: closing it ends the lock
 * @e:      sentence on failure; may be NULL
 *
 * Makes NET_RUN_DIR. Nothing slow is done under the lock: neither a plugin nor a disk is waited for.
 *
 * Return: 0, errno of mkdir() and flock().
 */
int net_states_lock(int *ret_fd, Error *e) {
        int r;

        if ((mkdir("/run/rkt", 0755) < 0 && errno != EEXIST) ||
            (mkdir(NET_RUN_DIR, 0755) < 0 && errno != EEXIST))
                return error_setf(e, -errno, "cannot make %s: %m", NET_RUN_DIR);
        r = lock_file_at(AT_FDCWD, NET_RUN_DIR "/lock", LOCK_MODE_EXCLUSIVE, 1, ret_fd);
        return r < 0 ? error_setf(e, r, "cannot lock %s: %s", NET_RUN_DIR, strerror(-r)) : 0;
}

/* NULL: there is none (any more), or it is damaged. */
static int load_one(const char *name, NetState **ret, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s", NET_RUN_DIR, name), *text = NULL;
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        if (!endswith(name, ".json"))
                return 0;
        r = file_read_at(AT_FDCWD, path, NET_STATE_MAX, &text, &size);
        if (r == -ENOENT || r == -E2BIG)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read %s: %s", path, strerror(-r));
        return net_state_parse(text, size, ret, NULL) == -ENOMEM ? error_oom(e) : 0;
}

/**
 * net_states_load() - all pods of this boot that have networks
 * @states: empty; free with net_states_done()
 * @e:      sentence on failure; may be NULL
 *
 * What is no state is passed over: it would be in everybody's way. One that cannot be read now is not: its pod would lose its
 * rules, and another would get its address.
 *
 * Return: 0, -ENOMEM, errors of reading.
 */
int net_states_load(NetStates *states, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, NET_RUN_DIR, &names);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read %s: %s", NET_RUN_DIR, strerror(-r));
        STRV_FOREACH (n, names) {
                NetState *s = NULL;

                r = load_one(*n, &s, e);
                if (r < 0)
                        return r;
                if (!s)
                        continue;
                /* NOLINTNEXTLINE(bugprone-sizeof-expression) a list of pointers */
                if (!GREEDY_GROW(states->items, states->n)) {
                        (void) net_state_free(s);
                        return error_oom(e);
                }
                states->items[states->n++] = s;
        }
        return 0;
}

/**
 * net_states_done() - free all of them
 * @states: empty afterwards
 */
void net_states_done(NetStates *states) {
        for (size_t i = 0; i < states->n; i++)
                (void) net_state_free(states->items[i]);
        free(states->items);
        *states = NET_STATES_INIT;
}

/**
 * net_states_put() - add or replace one pod
 * @s: state
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, errors of writing.
 */
int net_states_put(const NetState *s, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s.json", NET_RUN_DIR, s->uuid);

        return path ? net_state_write_at(AT_FDCWD, path, s, false, e) : error_oom(e);
}

/**
 * net_states_remove() - forget one pod
 * @uuid: of it
 *
 * Return: 0, also when there was nothing; -ENOMEM, errno of unlink().
 */
int net_states_remove(const char *uuid) {
        _cleanup_free_ char *path = strf("%s/%s.json", NET_RUN_DIR, uuid),
                            *hosts = strf("%s/%s.hosts", NET_RUN_DIR, uuid);

        if (!path || !hosts)
                return -ENOMEM;
        if (unlink(hosts) < 0 && errno != ENOENT)
                return -errno;
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/**
 * net_state_add_network() - one more network at the end
 * @s:   state
 * @ret: owned by @s, empty; valid until the next is added
 *
 * Return: 0, -ENOMEM.
 */
int net_state_add_network(NetState *s, NetAttachment **ret) {
        if (!GREEDY_GROW(s->networks, s->n_networks))
                return -ENOMEM;
        *ret = &s->networks[s->n_networks++];
        memset(*ret, 0, sizeof(**ret));
        return 0;
}

/**
 * net_state_forget_ports() - give back the ports of the host
 * @s: state
 */
void net_state_forget_ports(NetState *s) {
        json_list_free(&port_type, s->ports, s->n_ports);
        s->ports = NULL;
        s->n_ports = 0;
}

/**
 * net_state_has_address() - does a pod have this address?
 * @s:       state
 * @address: without prefix
 *
 * Return: true if one of its networks gave it.
 */
bool net_state_has_address(const NetState *s, const char *address) {
        size_t n = strlen(address);

        FOREACH_ARRAY (a, s->networks, s->n_networks)
                STRV_FOREACH (x, a->addresses)
                        if (strncmp(*x, address, n) == 0 && ((*x)[n] == '/' || (*x)[n] == '\0'))
                                return true;
        return false;
}
