/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt app sandbox: a pod without apps that runs in the foreground until it is stopped. "rkt app add" puts apps in. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "basic/log.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "pod/pod-prepare.h"
#include "run/machine.h"
#include "verbs/pod-info.h"
#include "verbs/run-foreground.h"
#include "verbs/run-images.h"
#include "verbs/run-stage1.h"

#define EXIT_SANDBOX_FAILED 1 /* as rkt's */

static int set_pair(const Option *o, const char *value, char ***pairs, Error *e) {
        if (!strchr(value, '=') || *value == '=')
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --%s: must be specified as key=value", value,
                                  o->name);
        return environment_set(pairs, value) < 0 ? error_oom(e) : 0;
}

static int set_annotation(const Option *o, const char *value, void *data, Error *e) {
        return set_pair(o, value, &((RunArgs *) data)->spec->annotations, e);
}

static int set_user_annotation(const Option *o, const char *value, void *data, Error *e) {
        return set_pair(o, value, &((RunArgs *) data)->spec->user_annotations, e);
}

static int set_user_label(const Option *o, const char *value, void *data, Error *e) {
        return set_pair(o, value, &((RunArgs *) data)->spec->labels, e);
}

/* NAME:PROTOCOL:PORT:IP:HOSTPORT, the port of the pod being somebody's who is not there yet. */
static int set_port(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        unsigned char address[sizeof(struct in_addr)];
        RunArgs *a = data;
        unsigned port;

        if (strv_split(value, ":", &words) < 0)
                return error_oom(e);
        if (strv_length(words) != 5)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --port: invalid format, it must be "
                                  "name:proto:podPort:hostIP:hostPort",
                                  value);
        if (!streq(words[1], "tcp") && !streq(words[1], "udp"))
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --port: invalid protocol \"%s\"",
                                  value, words[1]);
        if (inet_pton(AF_INET, words[3], address) != 1)
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --port: could not parse IP \"%s\"",
                                  value, words[3]);
        for (int i = 2; i <= 4; i += 2)
                if (parse_uint(words[i], UINT16_MAX, &port) < 0 || port == 0)
                        return error_setf(
                                e, -EINVAL,
                                "invalid argument \"%s\" for --port: \"%s\" is not a valid port number",
                                value, words[i]);
        return strv_extendf(&a->spec->ports, "%s%s%s:%s/%s", streq(words[3], "0.0.0.0") ? "" : words[3],
                            streq(words[3], "0.0.0.0") ? "" : ":", words[4], words[2], words[1]) < 0
                       ? error_oom(e)
                       : 0;
}

/* With the host's network every port is the host's: a kubelet names them nevertheless. */
static void drop_ports(PodSpec *s) {
        if (!s->ports || !s->networks || !streq(s->networks[0], "host"))
                return;
        log_warning("--port has no meaning with the host's network, ignoring");
        s->ports = strv_free(s->ports);
}

static int sandbox(const VerbContext *c, RunArgs *a, Error *e) {
        const PodPrepareOptions prepare = {
                .to = POD_DIRECTORY_RUN,
                .uuid_file = a->uuid_file_save,
                .name_from_uuid = true,
                .warning = run_print_message,
        };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        drop_ports(a->spec);
        a->spec->is_mutable = true;
        a->spec->exit_policy = POD_EXIT_NEVER;
        r = store_open(c->dir, 0, &s, e);
        if (r >= 0)
                r = run_make_pod(c->dir, s, a->spec, &prepare, &ps, &p, &name, e);
        if (r >= 0)
                r = machine_enter_scope(name, "rkt pod", e);
        return r < 0 ? r : run_foreground(c, a, s, p, e);
}

static int sandbox_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        RunArgs *a = options;
        int r;

        a->kind = RUN_SANDBOX;
        r = run_verb(c, &verb_app_sandbox, words, a, sandbox, e);
        if (r >= 0)
                return r;
        log_error("%s", error_text(e, r));
        return EXIT_SANDBOX_FAILED;
}

static const Option sandbox_options[] = {
        { "annotation", 0, OPTION_SET, .set = set_annotation, .value = "NAME=VALUE",
          .help = "an annotation of the pod" },
        { "no-overlay", 0, OPTION_SET, .set = run_set_no_overlay, .bare = "true",
          .help = "copy the images' trees instead of mounting overlays" },
        { "port", 0, OPTION_SET, .set = set_port, .value = "NAME:PROTO:PORT:IP:HOSTPORT",
          .help = "forward a port of the host to one of the pod" },
        { "private-users", 0, OPTION_SET, .set = run_set_private_users, .bare = "true", .value = "USERS",
          .help = "users of the pod's own: pick (a free range), identity or START:LENGTH" },
        { "stage1-from-dir", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-hash", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-name", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-path", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-url", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "user-annotation", 0, OPTION_SET, .set = set_user_annotation, .value = "NAME=VALUE",
          .help = "a free annotation, shown by list and status" },
        { "user-label", 0, OPTION_SET, .set = set_user_label, .value = "NAME=VALUE", .help = "a free label" },
        { "uuid-file-save", 0, OPTION_STRING, offsetof(RunArgs, uuid_file_save), .value = "FILE",
          .help = "write the pod's UUID there" },
        {},
};

const Verb verb_app_sandbox = {
        .group = "app",
        .name = "sandbox",
        .flags = VERB_ROOT | VERB_RAW,
        .help = "Run a pod without apps, for apps that come and go",
        .description = "      The pod runs in the foreground until it is stopped. \"rkt app add\" puts apps "
                       "into it.",
        .options = sandbox_options,
        .more_options = { run_how_options },
        .options_size = sizeof(RunArgs),
        .run = sandbox_run,
};
