/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Longest path through the order of apps: finds circles, and how long a pod takes to stop when every app uses its time. */
#include "podfile/pod-order.h"
#include "basic/strv.h"

typedef struct Edge {
        size_t first, then;
} Edge;

static int add_edges(const PodSpec *s, char **names, size_t app, bool app_is_first, Edge **edges, size_t *n) {
        STRV_FOREACH (name, names) {
                const AppSpec *other = pod_spec_find_app(s, *name);
                size_t o;

                if (!other)
                        continue;
                if (!GREEDY_GROW(*edges, *n))
                        return -ENOMEM;
                o = (size_t) (other - s->apps);
                (*edges)[(*n)++] = (Edge){ .first = app_is_first ? app : o, .then = app_is_first ? o : app };
        }
        return 0;
}

/**
 * pod_spec_longest_chain() - the heaviest chain of apps that wait for each other
 * @s:          the pod
 * @weights:    one per app; sums stop at UINT64_MAX
 * @ret:        weight of the heaviest chain; 0 for a pod without apps
 * @reterr_app: on -ELOOP an app that is in or behind a circle; owned by @s
 *
 * Return: 0, -ELOOP (apps wait for each other in a circle), -ENOMEM.
 */
int pod_spec_longest_chain(const PodSpec *s, const uint64_t *weights, uint64_t *ret,
                           const char **reterr_app) {
        _cleanup_free_ uint64_t *total = new0(uint64_t, s->n_apps);
        _cleanup_free_ Edge *edges = NULL;
        size_t n = 0, moved = 0;
        uint64_t max = 0;
        bool again = true;
        int r;

        if (!total)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_apps; i++) {
                r = add_edges(s, s->apps[i].after, i, false, &edges, &n);
                if (r >= 0)
                        r = add_edges(s, s->apps[i].before, i, true, &edges, &n);
                if (r < 0)
                        return r;
                total[i] = weights[i];
        }
        for (size_t round = 0; again; round++) {
                if (round > s->n_apps) {
                        *reterr_app = s->apps[moved].name;
                        return -ELOOP;
                }
                again = false;
                for (size_t i = 0; i < n; i++) {
                        uint64_t sum;

                        if (__builtin_add_overflow(total[edges[i].first], weights[edges[i].then], &sum))
                                sum = UINT64_MAX;
                        if (sum <= total[edges[i].then])
                                continue;
                        total[edges[i].then] = sum;
                        moved = edges[i].then;
                        again = true;
                }
        }
        for (size_t i = 0; i < s->n_apps; i++)
                max = MAX(max, total[i]);
        *ret = max;
        return 0;
}
