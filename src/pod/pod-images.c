/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which trees pods refer to. A pod that is garbage refers to none; one that has exited still does, so that it can be looked
 * into until gc takes it. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-images.h"
#include "pod/pod-internal.h"
#include "pod/pod-list.h"
#include "store/store.h"

/**
 * pod_trees_done() - free what it holds
 * @t: is POD_TREES_INIT afterwards
 */
void pod_trees_done(PodTrees *t) {
        FOREACH_ARRAY (i, t->trees, t->n_trees)
                free(i->tree);
        free(t->trees);
        strv_free(t->keys);
        *t = POD_TREES_INIT;
}

static int add_tree(PodTrees *t, const Pod *p, const char *tree, bool is_top) {
        PodTree *i;

        if (!GREEDY_GROW(t->trees, t->n_trees))
                return -ENOMEM;
        i = t->trees + t->n_trees;
        *i = (PodTree){ .tree = strdup(tree), .running = p->state == POD_RUNNING, .is_top = is_top };
        if (!i->tree)
                return -ENOMEM;
        memcpy(i->pod, p->uuid, UUID_STRING_MAX);
        t->n_trees++;
        return strv_contains(t->keys, tree) ? 0 : strv_extend(&t->keys, tree);
}

static int add_app(PodTrees *t, const Pod *p, int fd, const char *app) {
        _cleanup_strv_free_ char **trees = NULL;
        int r = pod_read_app_trees(fd, app, &trees);

        for (char **i = trees; r >= 0 && i && *i; i++)
                r = add_tree(t, p, *i, !i[1]);
        return r;
}

static int add_pod(PodTrees *t, Pod *p) {
        _cleanup_strv_free_ char **apps = NULL;
        _cleanup_close_ int tmp = -EBADF;
        int fd = pod_use_fd(p, &tmp), r;

        if (fd < 0)
                return fd;
        r = dir_list_at(fd, "appsinfo", &apps);
        STRV_FOREACH (a, apps) {
                if (r >= 0)
                        r = add_app(t, p, fd, *a);
        }
        pod_drop_fd(p);
        return r;
}

/**
 * pod_trees_load() - the trees that pods refer to
 * @ps:  all pods
 * @ret: pod_trees_done(); each app's trees in their order, one app after the other
 * @e:   sentence on failure; may be NULL
 *
 * They are all there if store_lock() is held exclusively: a pod that is being prepared shares it until its directory says
 * what it needs. What a pod that does not run left out or damaged is nobody's tree.
 *
 * Return: 0; -EBADMSG: a running pod does not say what it uses; -ENOMEM; what pod_list_load() returns.
 */
int pod_trees_load(Pods *ps, PodTrees *ret, Error *e) {
        _cleanup_pod_trees_ PodTrees t = POD_TREES_INIT;
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        int r = pod_list_load(ps, &l, e);

        if (r < 0)
                return r;
        FOREACH_ARRAY (p, l.pods, l.n_pods) {
                if (pod_directory(*p) == POD_DIRECTORY_GARBAGE)
                        continue;
                r = add_pod(&t, *p);
                if (r == -ENOMEM)
                        return error_oom(e);
                if (r < 0 && pod_state(*p) == POD_RUNNING)
                        return error_setf(e, -EBADMSG,
                                          "cannot tell which images the running pod \"%s\" uses: %s",
                                          pod_uuid(*p), strerror(-r));
        }
        *ret = t;
        t = POD_TREES_INIT;
        return 0;
}

/**
 * pod_trees_are_stacked() - is the root of an app made of these layers?
 * @t:      trees of pods, as pod_trees_load() gave them
 * @top:    one of them
 * @layers: keys, the weakest first; NULL: none
 *
 * Layers may be missing in the pod: one below others can be hidden as a whole.
 *
 * Return: true if @top is the strongest tree of an app, and of these layers the strongest.
 */
bool pod_trees_are_stacked(const PodTrees *t, const PodTree *top, char *const *layers) {
        size_t n = strv_length(layers);
        const PodTree *last = top;

        /* over the layers there may be a tree of directories (store-stack.c) */
        if (!store_layer_key_is_valid(last->tree) && last > t->trees && !last[-1].is_top)
                last--;
        if (n == 0 || !top->is_top || !streq(last->tree, layers[n - 1]))
                return false;
        /* an app's trees stand together, the strongest last */
        for (const PodTree *i = last; i > t->trees && !i[-1].is_top; i--)
                if (!strv_contains(layers, i[-1].tree))
                        return false;
        return true;
}
