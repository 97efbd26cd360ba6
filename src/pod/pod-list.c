/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All pods. The directories are read in the order of a pod's life, so one that moves meanwhile is met twice, never missed;
 * then each is looked at by its UUID, and those that are gone are left out. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-internal.h"
#include "pod/pod-list.h"

/**
 * pod_list_done() - free a list and close its pods
 * @l: not NULL
 */
void pod_list_done(PodList *l) {
        FOREACH_ARRAY (p, l->pods, l->n_pods)
                (void) pod_close(*p);
        free(l->pods);
        (void) strv_free(l->errors);
        *l = POD_LIST_INIT;
}

/* Where a UUID was seen. */
typedef struct Seen {
        char uuid[UUID_STRING_MAX];
        PodDirectory directory;
} Seen;

typedef struct SeenList {
        Seen *seen;
        size_t n_seen;
} SeenList;

static void seen_done(SeenList *s) {
        free(s->seen);
}

/* Of one pod, the furthest place comes first. */
static int compare_seen(const void *a, const void *b) {
        const Seen *x = a, *y = b;
        int c = strcmp(x->uuid, y->uuid);

        return c != 0 ? c : (int) y->directory - (int) x->directory;
}

static int compare_pods(const void *a, const void *b) {
        const Pod *x = *(Pod *const *) a, *y = *(Pod *const *) b;

        if (x->created_usec != y->created_usec)
                return x->created_usec < y->created_usec ? -1 : 1;
        return strcmp(x->uuid, y->uuid);
}

/* UUIDs of all directories; what is no UUID goes to l->errors. */
static int collect(Pods *ps, PodList *l, SeenList *s) {
        for (PodDirectory d = 0; d < _POD_DIRECTORY_MAX; d++) {
                _cleanup_strv_free_ char **names = NULL;
                int r;

                r = dir_list_at(ps->fd, pod_directory_to_string(d), &names);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                STRV_FOREACH (name, names) {
                        if (!uuid_is_valid(*name)) {
                                r = strv_extendf(&l->errors, "%s/%s/%.255s: not a pod", ps->path,
                                                 pod_directory_to_string(d), *name);
                                if (r < 0)
                                        return r;
                                continue;
                        }
                        if (!GREEDY_GROW(s->seen, s->n_seen))
                                return -ENOMEM;
                        s->seen[s->n_seen].directory = d;
                        memcpy(s->seen[s->n_seen++].uuid, *name, UUID_STRING_MAX);
                }
        }
        return 0;
}

/* A pod only moves forward: one that is now behind the place where it was seen lies in both. */
static int check_place(PodList *l, const Pod *p, const Seen *seen) {
        if (p->directory >= seen->directory)
                return 0;
        return strv_extendf(&l->errors, "pod \"%s\" lies in '%s' and in '%s'", p->uuid,
                            pod_directory_to_string(p->directory), pod_directory_to_string(seen->directory));
}

/* 0 also when it is gone. */
static int add_pod(Pods *ps, PodList *l, const Seen *seen) {
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_error_ Error why = ERROR_INIT;
        int r;

        r = pod_open_uuid(ps, seen->uuid, &p, &why);
        if (r == -ENOENT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return strv_extend(&l->errors, error_text(&why, r));
        if (pod_created_usec(p, &p->created_usec) < 0)
                p->created_usec = 0;
        /* Thousands of pods have thousands of descriptors otherwise. */
        pod_drop_fd(p);
        r = check_place(l, p, seen);
        if (r < 0)
                return r;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression) a list of pointers */
        if (!GREEDY_GROW(l->pods, l->n_pods))
                return -ENOMEM;
        l->pods[l->n_pods++] = TAKE_PTR(p);
        return 0;
}

/**
 * pod_list_load() - list all pods
 * @ps:  must outlive the list
 * @ret: pod_list_done() it
 * @e:   says what failed
 *
 * Return: 0, -EACCES, -ENOMEM, other errno of open().
 */
int pod_list_load(Pods *ps, PodList *ret, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        _cleanup_(seen_done) SeenList s = {};
        const char *last = "";
        int r;

        r = collect(ps, &l, &s);
        if (r < 0)
                return error_setf(e, r, "cannot list the pods in '%s': %s", ps->path, strerror(-r));
        if (s.n_seen > 0)
                qsort(s.seen, s.n_seen, sizeof(Seen), compare_seen);
        FOREACH_ARRAY (seen, s.seen, s.n_seen) {
                if (streq(last, seen->uuid))
                        continue;
                last = seen->uuid;
                r = add_pod(ps, &l, seen);
                if (r < 0)
                        return error_oom(e);
        }
        if (l.n_pods > 0)
                qsort(l.pods, l.n_pods, sizeof(void *), compare_pods);
        *ret = l;
        l = POD_LIST_INIT;
        return 0;
}

/* The pod of this name that a person means: a running one, else the newest. NULL: there is none. */
static Pod *find_name(const PodList *l, const char *name) {
        Pod *best = NULL;

        FOREACH_ARRAY (p, l->pods, l->n_pods) {
                _cleanup_free_ char *have = NULL;

                if (pod_get_name(*p, &have) < 0 || !streq(have, name))
                        continue;
                if (!best || pod_state(*p) == POD_RUNNING || pod_state(best) != POD_RUNNING)
                        best = *p;
        }
        return best;
}

/**
 * pod_list_find_running() - the running pod of a machine's name
 * @l:    list
 * @name: of the machine
 *
 * Return: NULL if there is none; owned by @l.
 */
Pod *pod_list_find_running(const PodList *l, const char *name) {
        Pod *p = find_name(l, name);

        return p && pod_state(p) == POD_RUNNING ? p : NULL;
}

static int find_prefix(const PodList *l, const char *prefix, Pod **ret, Error *e) {
        Pod **found = NULL;
        size_t n = 0;

        FOREACH_ARRAY (p, l->pods, l->n_pods)
                if (startswith((*p)->uuid, prefix)) {
                        found = p;
                        n++;
                }
        if (n == 0)
                return error_setf(e, -ENOENT, "no matches found for \"%s\"", prefix);
        if (n > 1)
                return error_setf(e, -ENOTUNIQ, "ambiguous uuid, %zu matches", n);
        *ret = *found;
        return 0;
}

/**
 * pod_open() - open the pod that a person means
 * @ps:  must outlive the pod
 * @id:  UUID, machine's name, or the start of a UUID, in this order
 * @ret: pod_close() it
 * @e:   rkt's sentence
 *
 * Of several pods of a name the running one is meant, else the newest.
 *
 * Return: 0, -EINVAL (empty), -ENOENT, -ENOTUNIQ (several start so), -ENOMEM, -EACCES.
 */
int pod_open(Pods *ps, const char *id, Pod **ret, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        Pod *found = NULL;
        int r;

        if (!*id)
                return error_setf(e, -EINVAL, "UUID cannot be empty");
        if (uuid_is_valid(id))
                return pod_open_uuid(ps, id, ret, e);
        r = pod_list_load(ps, &l, e);
        if (r < 0)
                return r;
        found = find_name(&l, id);
        if (!found) {
                r = find_prefix(&l, id, &found, e);
                if (r < 0)
                        return r;
        }
        return pod_open_uuid(ps, found->uuid, ret, e);
}
