/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A prepared pod becomes a running machine: the recipe. This process gets a mount namespace of its own, in which the roots of
 * the apps and their volumes are mounted; they vanish with the last process of the pod, whatever happens. Then it becomes
 * systemd-nspawn, so that for whoever supervises it nspawn is the main process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-login.h>
#include <time.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config.h"
#include "pod/pod-apps.h"
#include "pod/pod-compose.h"
#include "pod/pod-credentials.h"
#include "podfile/users-check.h"
#include "run/activation.h"
#include "run/app-confine.h"
#include "run/app-credential.h"
#include "run/app-device.h"
#include "run/app-mount.h"
#include "run/app-root.h"
#include "run/app-tmpfs.h"
#include "run/console.h"
#include "run/foreground.h"
#include "run/hosts.h"
#include "run/kernel-files.h"
#include "run/kubernetes-log.h"
#include "run/machine.h"
#include "run/metadata.h"
#include "run/net-hosts.h"
#include "run/net-sysctl.h"
#include "run/network.h"
#include "run/overlay-check.h"
#include "run/own-cgroup.h"
#include "run/resolv-conf.h"
#include "run/run-nspawn.h"
#include "run/run.h"
#include "run/stage1-filter.h"
#include "run/stage1-root.h"
#include "run/start-watch.h"
#include "run/userns.h"
#include "run/users-choice.h"
#include "run/volume-fill.h"
#include "run/volume.h"

#define STAGE1        "stage1/rootfs"
#define HOST_JOURNAL  "/run/systemd/journal"
#define ENTER_PROGRAM "rkt-enter"
#define BARE_PROGRAM  "rkt-bare"
#define LOG_PROGRAM   "rkt-log"
#define TEXT_MAX      (1024U * 1024)

#define LEADER_MSEC      500 /* for the end of a pod that was killed */
#define FORGET_TRIES     500 /* for machined */
#define FORGET_STEP_NSEC 10000000

typedef struct Run {
        Pod *pod;
        Store *store;
        PodManifest *manifest;
        const char *machine;
        const char *hostname;
        Network network;
        PodLogMode log;
        char *root;         /* path of the stage1 root */
        char *metadata_url; /* NULL: the apps have none */
        char *credentials;  /* directory; NULL: there are none */
        pid_t parent;       /* "rkt run" that waits for the pod; 0: nobody does */
        int pod_fd;
        int stage1_fd;
        bool is_up; /* an app is added */
        Userns users;
        AppFacts *facts;
} Run;

static void run_done(Run *x) {
        for (size_t i = 0; x->manifest && x->facts && i < x->manifest->n_apps; i++)
                app_facts_done(&x->facts[i]);
        free(x->facts);
        free(x->root);
        free(x->metadata_url);
        free(x->credentials);
        pod_manifest_free(x->manifest);
        network_done(&x->network);
        userns_done(&x->users);
        (void) fd_close(x->stage1_fd);
        (void) fd_close(x->pod_fd);
}

/* Without a journal on the host there is only the pod's. */
static int read_log(const PodManifest *m, PodLogMode *ret, Error *e) {
        const char *word = pod_manifest_annotation(m, POD_ANNOTATION_LOG);
        PodLogMode log = word ? pod_log_mode_from_string(word) : POD_LOG_BOTH;

        if (log < 0)
                return error_setf(e, -EINVAL, "the pod manifest has a bad '%s'", POD_ANNOTATION_LOG);
        *ret = access(HOST_JOURNAL "/dev-log", F_OK) < 0 ? POD_LOG_JOURNAL : log;
        return 0;
}

/* Those of the command line that made the pod, or else those that systemd has loaded for us. */
static int find_credentials(Run *x) {
        const char *loaded = secure_getenv("CREDENTIALS_DIRECTORY");
        struct stat st;

        if (fstatat(pod_fd(x->pod), POD_CREDENTIALS_DIR, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                return pod_path(x->pod, POD_CREDENTIALS_DIR, &x->credentials);
        return loaded ? str_replace(&x->credentials, loaded) : 0;
}

static int load(Run *x, Error *e) {
        int r = x->manifest ? 0 : pod_read_manifest(x->pod, &x->manifest, e);

        if (r < 0)
                return r;
        if (x->manifest->n_apps == 0 && !pod_manifest_is_mutable(x->manifest))
                return error_setf(e, -EINVAL, "pod must contain at least one application");
        for (size_t i = 0; i < x->manifest->n_apps; i++) {
                const PodApp *a = &x->manifest->apps[i];

                if (!a->app || !a->app->exec || !a->app->exec[0])
                        return error_setf(e, -EINVAL, "app '%s' has nothing to run", a->name);
        }
        x->machine = pod_manifest_annotation(x->manifest, POD_ANNOTATION_NAME);
        if (!x->machine)
                return error_setf(e, -ENODATA, "the pod manifest has no annotation '%s'",
                                  POD_ANNOTATION_NAME);
        x->hostname = str_or(pod_manifest_annotation(x->manifest, POD_ANNOTATION_HOSTNAME), x->machine);
        x->facts = new0(AppFacts, x->manifest->n_apps);
        if (!x->facts || find_credentials(x) < 0)
                return error_oom(e);
        return read_log(x->manifest, &x->log, e);
}

/**
 * run_check_terminal() - can an app be given our terminal?
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -ENOTTY: standard input or output is none.
 */
int run_check_terminal(Error *e) {
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return error_setf(e, -ENOTTY, "--interactive needs a terminal for standard input and output");
        return 0;
}

static int check_interactive(const Run *x, Error *e) {
        if (x->manifest->n_apps != 1)
                return error_setf(e, -EINVAL, "interactive option only supports one app");
        return run_check_terminal(e);
}

/* Has its PID 1 ended, or does it now? */
static bool is_over(const Machine *m) {
        _cleanup_close_ int leader = (int) syscall(SYS_pidfd_open, m->leader, 0);

        return leader < 0 ? errno == ESRCH
                          : poll(&(struct pollfd){ .fd = leader, .events = POLLIN }, 1, LEADER_MSEC) > 0;
}

/* @path: machined's file; without it there is no such machine. machined forgets one that is over a moment later. */
static int wait_forgotten(const char *path, const char *name, Error *e) {
        static const struct timespec step = { .tv_nsec = FORGET_STEP_NSEC };

        for (unsigned i = 0;; i++) {
                _cleanup_machine_ Machine machine = MACHINE_INIT;

                if (access(path, F_OK) < 0 || machine_lookup(name, &machine, NULL) < 0)
                        return 0;
                if (i == FORGET_TRIES || !is_over(&machine))
                        return error_setf(e, -EEXIST,
                                          "a machine named '%s' is running already (%s): stop it, or give "
                                          "this pod another name",
                                          name, str_or(machine.unit, "not of systemd"));
                machine_forget(name);
                (void) nanosleep(&step, NULL);
        }
}

/**
 * run_check_name() - is the name of a machine free?
 * @name: machine name
 * @e:    sentence on failure; may be NULL
 *
 * nspawn finds out late, and in its own words.
 *
 * Return: 0; -EEXIST; -ENOMEM.
 */
int run_check_name(const char *name, Error *e) {
        _cleanup_free_ char *path = strf("/run/systemd/machines/%s", name);

        return path ? wait_forgotten(path, name, e) : error_oom(e);
}

/* A unit can have one machine. Restart= starts the next pod before machined has forgotten one that was killed. */
static int check_unit(Error *e) {
        _cleanup_free_ char *unit = NULL, *path = NULL;
        char name[HOST_NAME_MAX + 1];
        ssize_t n;

        if (sd_pid_get_unit(0, &unit) < 0)
                return 0;
        path = strf("/run/systemd/machines/unit:%s", unit);
        if (!path)
                return error_oom(e);
        n = readlink(path, name, sizeof(name) - 1);
        if (n <= 0)
                return 0;
        name[n] = '\0';
        return wait_forgotten(path, name, e);
}

/* From here on this is a child of the process that was started. Neither that one nor the console is to be in the pod's way. */
static int split(Run *x, const RunOptions *o, Error *e) {
        _cleanup_free_ char *notify = NULL, *dir = NULL;
        int r = pod_path(x->pod, "notify", &notify);

        if (r >= 0)
                r = pod_path(x->pod, NULL, &dir);
        if (r < 0)
                return error_oom(e);
        r = foreground_split(&(Foreground){ .machine = x->machine,
                                            .dir = dir,
                                            .manifest = x->manifest,
                                            .notify_path = notify,
                                            .ended = o->ended,
                                            .userdata = o->userdata },
                             e);
        if (r < 0)
                return r;
        x->parent = getppid();
        return own_cgroup_set_aside(&x->parent, 1, e);
}

/* With the standard's service, if the pod wants it. */
static int make_metadata(Run *x, Error *e) {
        if (!streq_ptr(pod_manifest_annotation(x->manifest, POD_ANNOTATION_METADATA), "yes"))
                return 0;
        return metadata_register(x->pod, x->manifest, x->store, &x->metadata_url, e);
}

static int enter_namespace(Error *e) {
        if (unshare(CLONE_NEWNS) < 0)
                return error_setf(e, -errno, "cannot make a mount namespace: %s", strerror(errno));
        if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
                return error_setf(e, -errno, "cannot make mounts private: %s", strerror(errno));
        return 0;
}

/* Descriptors from before belong to mounts of the namespace that was left: nothing can be mounted on them, nothing cloned
 * from them. So the pod's directory is opened again. */
static int open_stage1(Run *x, Error *e) {
        _cleanup_free_ char *path = NULL;
        int r = pod_path(x->pod, NULL, &path);

        if (r >= 0)
                r = pod_path(x->pod, STAGE1, &x->root);
        if (r < 0)
                return error_oom(e);
        x->pod_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (x->pod_fd < 0)
                return error_setf(e, -errno, "cannot open %s: %s", path, strerror(errno));
        r = mkdir_parents_at(x->pod_fd, STAGE1, 0755);
        if (r < 0)
                return error_setf(e, r, "cannot make %s: %s", x->root, strerror(-r));
        x->stage1_fd = openat(x->pod_fd, STAGE1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return x->stage1_fd < 0 ? error_setf(e, -errno, "cannot open %s: %s", x->root, strerror(errno)) : 0;
}

static VolumeContext volume_context(const Run *x) {
        return (VolumeContext){ .manifest = x->manifest, .users = &x->users, .pod_fd = x->pod_fd };
}

/* Journald before 254 takes users of containers for people, and keeps for each of them a file of 8 MiB. As many pods as fill what
 * the journal may have would cost the host its log. That is no news of this pod, and so not said at every start. */
static int without_shared_journal(const Run *x, Error *e) {
        return userns_save_reason(
                "journald before systemd 254 would keep a file for each of its users: see Log=journal",
                x->pod_fd, e);
}

/* Who asks nobody is told, once, what became of it. */
static int open_users(Run *x, const RunOptions *o, Error *e) {
        const char *word = pod_manifest_annotation(x->manifest, POD_ANNOTATION_PRIVATE_USERS);
        const VolumeContext volumes = volume_context(x);
        _cleanup_free_ char *why = NULL, *message = NULL;
        int r;

        if (!streq_ptr(word, USERS_AUTO))
                return userns_open(word, x->machine, &x->users, e);
        if (!HAVE_SHARED_JOURNAL && x->log != POD_LOG_JOURNAL)
                return without_shared_journal(x, e);
        r = users_choose(&volumes, x->machine, x->network.kind, &x->users, &why, e);
        if (r < 0 || !why)
                return r;
        message = strf("the pod has the host's users, none of its own: %s (see PrivateUsers= in rkt.pod(5))",
                       why);
        if (!message)
                return error_oom(e);
        if (o->message)
                o->message(o->userdata, message);
        return userns_save_reason(why, x->pod_fd, e);
}

/* Once in the pod's life: what is there already was made one way or the other. */
static int choose_overlay(Run *x, const RunOptions *o, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *message = NULL;
        _cleanup_error_ Error why = ERROR_INIT;
        int r;

        if (streq_ptr(pod_manifest_annotation(x->manifest, POD_ANNOTATION_OVERLAY), "no") ||
            faccessat(x->pod_fd, "overlay", F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return 0;
        r = overlay_check(x->pod_fd, &why);
        if (r >= 0)
                return 0;
        message = strf("disabling overlay support: \"%s\"; the apps' roots are copies, as with Overlay=no",
                       error_text(&why, r));
        r = pod_read_manifest(x->pod, &m, e); /* ours has more by now */
        if (r < 0)
                return r;
        if (!message || pod_manifest_set_annotation(m, POD_ANNOTATION_OVERLAY, "no") < 0 ||
            pod_manifest_set_annotation(x->manifest, POD_ANNOTATION_OVERLAY, "no") < 0)
                return error_oom(e);
        if (o->message)
                o->message(o->userdata, message);
        return pod_write_manifest(x->pod, m, e);
}

/* Furnishing comes before the volumes, so that nothing is written into one. */
static int make_root(Run *x, size_t n, const AppRootContext *c, int *ret_fd, Error *e) {
        const PodApp *a = &x->manifest->apps[n];
        const AppMountContext mount = {
                .store = x->store,
                .pod = x->pod,
                .pod_fd = x->pod_fd,
                .stage1_fd = x->stage1_fd,
                .users = &x->users,
                .copy = streq_ptr(pod_manifest_annotation(x->manifest, POD_ANNOTATION_OVERLAY), "no"),
        };
        const VolumeContext volumes = volume_context(x);
        _cleanup_close_ int root = -EBADF;
        int r = app_mount_root(&mount, a->name, &root, e);

        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        r = app_root_find_user(a, root, &x->users, &x->facts[n], e);
        if (r >= 0)
                r = app_credentials_find(x->credentials, x->manifest, a, &x->facts[n], e);
        if (r >= 0)
                r = app_root_furnish(a, root, c, e);
        if (r >= 0)
                r = volume_fill_all(&volumes, a, root, e);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(root);
        return 0;
}

/* Programs may lie in a volume. */
static int mount_volumes(Run *x, size_t n, int root, Error *e) {
        const PodApp *a = &x->manifest->apps[n];
        const VolumeContext volumes = volume_context(x);
        AppFacts *f = &x->facts[n];
        const AppPlace place = {
                .app = a,
                .users = &x->users,
                .stage1_fd = x->stage1_fd,
                .root_fd = root,
                .facts = f,
        };
        int r = app_tmpfs_mount_all(&place, e);

        if (r >= 0)
                r = volume_mount_all(&volumes, &place, e);
        if (r >= 0)
                r = app_device_mount_all(&place, e);
        if (r >= 0)
                r = app_root_find_program(a, root, f, e);
        if (r >= 0)
                r = app_root_find_directory(a, root, &x->users, f, e);
        if (r >= 0)
                r = app_place_move_slaves(&place, x->is_up ? -EBADF : x->pod_fd, e);
        return r < 0 ? r : app_place_run(&place, e);
}

/* All roots first: what fills a volume replaces it, under those who had it mounted. */
static int make_all(Run *x, const AppRootContext *c, Error *e) {
        const size_t n = x->manifest->n_apps;
        _cleanup_free_ int *roots = new0(int, n);
        size_t made = 0;
        int r = 0;

        if (!roots)
                return error_oom(e);
        while (made < n && r >= 0) {
                r = make_root(x, made, c, &roots[made], e);
                if (r >= 0)
                        made++;
        }
        for (size_t i = 0; i < n && r >= 0; i++)
                r = mount_volumes(x, i, roots[i], e);
        for (size_t i = 0; i < made; i++)
                (void) fd_close(roots[i]);
        return r;
}

static int make_apps(Run *x, Error *e) {
        AppRootContext c = { .hostname = x->hostname, .users = &x->users, .pod_fd = x->pod_fd };
        const VolumeContext volumes = volume_context(x);
        const char *words = pod_manifest_annotation(x->manifest, POD_ANNOTATION_HOSTS);
        _cleanup_free_ char *resolv_conf = NULL, *host_file = NULL, *hosts = NULL, *shared = NULL;
        size_t size;
        int r = x->users.is_private ? users_check(x->manifest, e) : 0;

        if (r >= 0)
                r = resolv_conf_make(x->manifest, &x->network, &resolv_conf, &c.weak_resolv_conf, e);
        if (r < 0)
                return r;
        c.resolv_conf = resolv_conf;
        if (file_read_at(AT_FDCWD, "/etc/hosts", TEXT_MAX, &host_file, &size) < 0)
                host_file = NULL;
        r = hosts_text(x->hostname, words, host_file, &hosts);
        if (r < 0)
                return error_setf(e, r, "the pod manifest has a bad '%s'", POD_ANNOTATION_HOSTS);
        c.hosts = hosts;
        c.replace_hosts = words && *words;
        if (x->network.kind == NETWORK_OWN && !streq_ptr(words, "host")) {
                r = net_hosts_start(x->network.state->uuid, hosts, &shared, e);
                if (r < 0)
                        return r;
                c.hosts_file = shared;
        }
        r = volume_make_empty(&volumes, e);
        return r < 0 ? r : make_all(x, &c, e);
}

static int read_os_release(char **ret, Error *e) {
        size_t size;
        int r = file_read_at(AT_FDCWD, "/etc/os-release", TEXT_MAX, ret, &size);

        if (r < 0)
                r = file_read_at(AT_FDCWD, "/usr/lib/os-release", TEXT_MAX, ret, &size);
        return r < 0 ? error_setf(e, r, "cannot read the host's os-release: %s", strerror(-r)) : 0;
}

static int copy_one(Run *x, const char *name, Error *e) {
        const char *dir = secure_getenv("RKT_LIBEXEC");
        _cleanup_free_ char *path = path_join(dir && *dir == '/' ? dir : RKT_LIBEXEC_DIR, name),
                            *place = strf("rkt/bin/%s", name);
        _cleanup_close_ int from = -EBADF, to = -EBADF;
        struct stat st;
        int r;

        if (!path || !place)
                return error_oom(e);
        from = open(path, O_RDONLY | O_CLOEXEC);
        if (from < 0 || fstat(from, &st) < 0)
                return error_setf(e, -errno, "cannot open %s: %s", path, strerror(errno));
        to = openat(x->stage1_fd, place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        r = to < 0 ? -errno : fd_copy_range(from, to, (uint64_t) st.st_size);
        if (r >= 0)
                r = RET_NERRNO(fchmod(to, 0755));
        return r < 0 ? error_setf(e, r, "cannot copy %s into the pod: %s", path, strerror(-r)) : 0;
}

/* The pod keeps the programs that it was started with. */
static int copy_program(Run *x, Error *e) {
        int r = copy_one(x, ENTER_PROGRAM, e);

        if (r >= 0)
                r = copy_one(x, BARE_PROGRAM, e);
        return r < 0 ? r : copy_one(x, LOG_PROGRAM, e);
}

static int insecure_of(const PodManifest *m, InsecureFlags *ret, Error *e) {
        const char *words = pod_manifest_annotation(m, POD_ANNOTATION_INSECURE);

        *ret = INSECURE_NONE;
        return words && *words ? insecure_flags_parse(words, ret, e) : 0;
}

/* The network of a pod with private users belongs to the host's. */
static bool writes_sysctls(const Run *x) {
        return x->network.kind == NETWORK_OWN && x->users.is_private;
}

/* What the pod says of all its apps. */
static int app_context(const Run *x, const RunOptions *o, AppUnitContext *ret, Error *e) {
        const char *policy = pod_manifest_annotation(x->manifest, POD_ANNOTATION_EXIT_POLICY);

        *ret = (AppUnitContext){
                .pod = x->machine,
                .exit_policy = policy ? pod_exit_policy_from_string(policy) : POD_EXIT_ON_FAILURE,
                .log = x->log,
                .bind_log_sockets = HAVE_BIND_LOG_SOCKETS,
                .kubernetes_log = kubernetes_log_dir(x->manifest),
                .kernel_files = true,
                .console = o->console,
                .interactive = o->interactive,
                .metadata_url = x->metadata_url,
                .host_network = x->network.kind == NETWORK_HOST,
                .sysctls_are_set = writes_sysctls(x),
        };
        if (ret->exit_policy < 0)
                return error_setf(e, -EINVAL, "the pod manifest has a bad '%s'", POD_ANNOTATION_EXIT_POLICY);
        return insecure_of(x->manifest, &ret->insecure, e);
}

static int write_stage1(Run *x, const RunOptions *o, Error *e) {
        const bool is_mutable = pod_manifest_is_mutable(x->manifest);
        _cleanup_root_files_ RootFiles files = ROOT_FILES_INIT;
        _cleanup_free_ char *os_release = NULL;
        _cleanup_strv_free_ char **again = NULL;
        Stage1Context c = {
                .uuid = pod_uuid(x->pod),
                .hostname = x->hostname,
                .log = x->log,
        };
        int r = app_context(x, o, &c.app, e);

        if (r >= 0)
                r = read_os_release(&os_release, e);
        if (r >= 0 && is_mutable)
                r = pod_apps_again(x->pod, x->manifest, &again, e);
        if (r < 0)
                return r;
        c.os_release = os_release;
        c.again = again;
        r = stage1_root_files(x->manifest, x->facts, &c, &files, e);
        if (r >= 0)
                r = root_files_write(&files, x->stage1_fd, e);
        if (r >= 0 && is_mutable)
                r = pod_apps_mark(x->pod, x->manifest, again, e);
        return r < 0 ? r : copy_program(x, e);
}

/* The pod's journal lies where the host's journals lie, so that journalctl --merge finds it, also after the end; where the
 * host keeps none, in the pod's directory. It goes with the pod (run_release()). */
static int mount_journal(Run *x, Error *e) {
        _cleanup_free_ char *host = NULL, *place = NULL;
        _cleanup_close_ int dir = -EBADF, tree = -EBADF, target = -EBADF;
        struct stat st;
        int r;

        if (x->log == POD_LOG_HOST || stat("/var/log/journal", &st) < 0)
                return 0;
        host = run_journal_path(pod_uuid(x->pod));
        place = host ? strf("%s/%s", x->root, host) : NULL;
        if (!place)
                return error_oom(e);
        if (mkdir(host, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %s", host, strerror(errno));
        dir = open(host, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fchown(dir, 0, st.st_gid) < 0 || fchmod(dir, 02755) < 0)
                return error_setf(e, -errno, "cannot set up %s: %s", host, strerror(errno));
        target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = target < 0 ? -errno
                       : mount_clone(dir, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &tree);
        /* not translated: nothing that the pod makes here is the host's root's */
        if (r >= 0 && x->users.map_fd >= 0)
                r = RET_NERRNO(fchown(dir, x->users.start, st.st_gid));
        if (r >= 0)
                r = mount_move(tree, target);
        return r < 0 ? error_setf(e, r, "cannot mount %s into the pod: %s", host, strerror(-r)) : 0;
}

/* Everything of stage1 that was written so far, and the roots of the apps in it, become what the pod sees: the files' owners
 * as they are on disk are the pod's own. */
static int map_stage1(Run *x, Error *e) {
        static const struct mount_attr unchanged = {};
        _cleanup_close_ int tree = -EBADF;
        int r;

        if (x->users.map_fd < 0)
                return 0;
        r = mount_clone_tree(x->stage1_fd, &unchanged, true, &tree);
        if (r < 0)
                return error_setf(e, r, "cannot clone the mounts of %s: %s", x->root, strerror(-r));
        r = userns_map_mount(&x->users, tree, false, e);
        if (r < 0)
                return error_prefixf(e, r, "%s", x->root);
        r = mount_move(tree, x->stage1_fd);
        return r < 0 ? error_setf(e, r, "cannot mount %s: %s", x->root, strerror(-r)) : 0;
}

/* The last thing before nspawn: it binds this process, too. */
static int load_filter(Run *x, Error *e) {
        _cleanup_strv_free_ char **capabilities = NULL;
        Stage1Filter f = {};
        int r = nspawn_capabilities(x->manifest, &capabilities, &f.all_capabilities);

        f.bpf = f.all_capabilities || pod_manifest_is_mutable(x->manifest) || volume_has_devices(x->manifest);
        for (size_t i = 0; i < x->manifest->n_apps && r >= 0 && !f.bpf; i++) {
                r = app_needs_bpf(&x->manifest->apps[i], &f.bpf);
                f.bpf = f.bpf || strv_length(x->facts[i].devices) > 0;
        }
        if (r < 0)
                return error_oom(e);
        f.capabilities = capabilities;
        return stage1_filter_load(&f, e);
}

/* Does not return on success. The lock goes along, so that the pod counts as running as long as nspawn lives. */
static int become_nspawn(Run *x, const RunOptions *o, Error *e) {
        _cleanup_strv_free_ char **argv = NULL, **envp = NULL, **loaded = NULL, **slaves = NULL;
        _cleanup_free_ char *dir = NULL;
        NspawnContext c = {
                .uuid = pod_uuid(x->pod),
                .machine = x->machine,
                .root = x->root,
                .host_journal = x->log != POD_LOG_JOURNAL ? HOST_JOURNAL : NULL,
                .host_journal_only = x->log == POD_LOG_HOST,
                .private_network = x->network.kind == NETWORK_NONE,
                .metadata = x->metadata_url && x->network.kind != NETWORK_HOST,
                .console = o->console,
                .private_users = x->users.is_private,
                .first_user = x->users.start,
                .n_users = x->users.length,
        };
        bool keeps_ipc = streq_ptr(pod_manifest_annotation(x->manifest, POD_ANNOTATION_IPC), "parent");
        int r = app_credentials_sources(x->credentials, x->facts, x->manifest->n_apps, &loaded);

        if (r >= 0)
                r = pod_path(x->pod, NULL, &dir);
        for (size_t i = 0; i < x->manifest->n_apps && r >= 0; i++)
                r = app_place_find_slaves(&x->facts[i], dir, &slaves);
        if (r < 0)
                return error_oom(e);
        c.credentials = loaded;
        c.slaves = slaves;
        r = nspawn_argv(x->manifest, &c, &argv, e);
        if (r >= 0)
                r = pod_set_ppid(x->pod, getpid(), e);
        if (r >= 0)
                r = o->console ? console_start(x->stage1_fd, e) : start_watch(dir, x->stage1_fd, e);
        if (r >= 0 && o->interactive)
                r = console_start_terminal(x->stage1_fd, x->manifest->apps[0].name, e);
        if (r < 0)
                return r;
        r = pod_pass_lock(x->pod);
        if (r >= 0)
                r = userns_pass_locks(&x->users);
        if (r < 0)
                return error_setf(e, r, "cannot pass the pod's lock on: %s", strerror(-r));
        r = keeps_ipc ? 0 : ipc_sysctls_write(x->manifest, &keeps_ipc, e);
        if (r < 0)
                return r;
        r = nspawn_environment(environ, x->network.kind == NETWORK_OWN && !x->users.is_private, keeps_ipc,
                               &envp);
        if (r < 0)
                return error_oom(e);
        r = network_enter(&x->network, e);
        if (r >= 0 && writes_sysctls(x))
                r = net_sysctls_write(x->manifest, e);
        if (r >= 0)
                r = load_filter(x, e);
        if (r < 0)
                return r;
        if (x->parent > 0 && !foreground_tie(x->parent))
                return error_setf(e, -ECANCELED, "rkt has ended");
        if (x->parent > 0)
                foreground_check_stop(dir);
        execve(NSPAWN_PATH, argv, envp);
        return error_setf(e, -errno, "cannot execute %s: %s", NSPAWN_PATH, strerror(errno));
}

static int set_up_network(Run *x, Error *e) {
        int r = network_up(x->pod, x->manifest, x->machine, x->hostname, &x->network, e);

        return r < 0 ? error_prefixf(e, r, "stage1: failed to setup network") : 0;
}

/**
 * run_pod() - start a pod in place of this process
 * @p:       pod in run/, locked by us, its manifest written; its stage1 root does not exist yet
 * @s:       store with the images of the pod
 * @options: how
 * @e:       sentence on failure; may be NULL
 *
 * This process has one thread, is root, and is the main process of a unit or the only one of a scope.
 * On failure it is in another mount namespace than before and has to exit.
 *
 * Return: never on success; -EEXIST: the machine's name is taken; -ENOENT: an image, a volume's source, a user, a group or
 * a program does not exist; what network_up() returns; other errors of the file system and of mounting.
 */
int run_pod(Pod *p, Store *s, const RunOptions *options, Error *e) {
        _cleanup_(run_done) Run x = { .pod = p,
                                      .store = s,
                                      .network = NETWORK_INIT,
                                      .pod_fd = -EBADF,
                                      .stage1_fd = -EBADF,
                                      .users = USERNS_INIT };
        int r = load(&x, e);

        if (r >= 0)
                r = activation_add(x.manifest, e);
        if (r >= 0 && options->interactive)
                r = check_interactive(&x, e);
        if (r >= 0)
                r = run_check_name(x.machine, e);
        if (r >= 0)
                r = check_unit(e);
        if (r >= 0 && (options->console || options->stay))
                r = split(&x, options, e);
        if (r >= 0)
                r = set_up_network(&x, e);
        if (r >= 0)
                r = enter_namespace(e);
        if (r >= 0)
                r = open_stage1(&x, e);
        if (r >= 0)
                r = open_users(&x, options, e);
        if (r >= 0)
                r = choose_overlay(&x, options, e);
        if (r >= 0)
                r = make_apps(&x, e);
        if (r >= 0)
                r = make_metadata(&x, e);
        if (r >= 0)
                r = write_stage1(&x, options, e);
        if (r >= 0)
                r = mount_journal(&x, e);
        if (r >= 0)
                r = userns_save(&x.users, x.pod_fd, e);
        if (r >= 0)
                r = kubernetes_log_mount(x.manifest, x.stage1_fd, x.users.map_fd, e);
        if (r >= 0)
                r = map_stage1(&x, e);
        return r < 0 ? r : become_nspawn(&x, options, e);
}

/**
 * run_build_app() - do for one app what run_pod() does for all
 * @p:       pod; it may be running
 * @s:       store with the image of the app
 * @m:       manifest of the pod, with no other app, and no volumes but that app's; taken over, also on failure
 * @ret:     its units, what is known of it, and where its root is mounted: in a mount namespace that is this process's alone
 * @e:       sentence on failure; may be NULL
 *
 * This process has one thread and is root. It is in another mount namespace than before.
 *
 * Return: 0; what run_pod() returns.
 */
int run_build_app(Pod *p, Store *s, PodManifest *m, RunApp *ret, Error *e) {
        _cleanup_(run_done) Run x = { .pod = p,
                                      .store = s,
                                      .manifest = m,
                                      .network = NETWORK_INIT,
                                      .pod_fd = -EBADF,
                                      .stage1_fd = -EBADF,
                                      .is_up = true,
                                      .users = USERNS_INIT };
        RunOptions o = {};
        AppUnitContext c;
        struct stat st;
        int r = load(&x, e);

        if (r >= 0)
                r = network_load(p, m, &x.network, e);
        if (r >= 0)
                r = enter_namespace(e);
        if (r >= 0)
                r = open_stage1(&x, e);
        if (r >= 0)
                r = userns_adopt(x.pod_fd, &x.users, e);
        if (r >= 0)
                r = make_apps(&x, e);
        if (r >= 0 && metadata_url(p, &x.metadata_url) == -ENOMEM)
                r = error_oom(e);
        if (r >= 0)
                o.console = fstatat(x.stage1_fd, &CONSOLE_STDOUT[1], &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (r >= 0)
                r = app_context(&x, &o, &c, e);
        if (r >= 0)
                c.kernel_files = fstatat(x.stage1_fd, &KERNEL_FILES[1], &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (r >= 0)
                r = stage1_app_files(&m->apps[0], &x.facts[0], &c, &ret->files, e);
        if (r < 0)
                return r;
        ret->facts = x.facts[0];
        x.facts[0] = APP_FACTS_INIT;
        ret->stage1_fd = TAKE_FD(x.stage1_fd);
        return 0;
}

/**
 * run_app_done() - free what run_build_app() gave
 * @a: empty afterwards
 */
void run_app_done(RunApp *a) {
        root_files_done(&a->files);
        app_facts_done(&a->facts);
        (void) fd_close(a->stage1_fd);
        *a = RUN_APP_INIT;
}
