/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a pod of ours is made of is what rkt's stage1 images for systemd-nspawn are: a script that names one of them gets what it asks for.
 * Others isolate more or less than that, so that a pod must not run without them. */
#include "verbs/run-stage1.h"

#include <errno.h>
#include <string.h>

#include "basic/str.h"

/* "coreos.com/rkt/stage1-coreos:1.30.0", "/usr/lib/rkt/stage1-images/stage1-host.aci", ... */
static bool is_nspawn(const char *image) {
        static const char *const kinds[] = { "stage1-coreos", "stage1-src", "stage1-host" };
        const char *slash = strrchr(image, '/');

        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds)) {
                const char *rest = startswith(slash ? slash + 1 : image, *k);

                if (rest && (!*rest || strchr(":,.-", *rest)))
                        return true;
        }
        return false;
}

/**
 * run_set_stage1() - --stage1-name= and the others
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0: that is what we have; -EINVAL: another one was given before; -EOPNOTSUPP: it is something else.
 */
int run_set_stage1(const Option *o, const char *value, void *data, Error *e) {
        RunArgs *a = data;

        if (a->stage1)
                return streq(a->stage1, o->name)
                               ? error_setf(e, -EINVAL, "--%s already used", o->name)
                               : error_setf(e, -EINVAL, "flags --%s and --%s are mutually exclusive",
                                            a->stage1, o->name);
        a->stage1 = o->name;
        return is_nspawn(value)
                       ? 0
                       : error_setf(
                                 e, -EOPNOTSUPP,
                                 "invalid argument \"%s\" for --%s: there are no stage1 images; pods run as "
                                 "with stage1-coreos, stage1-src and stage1-host, the only ones that can be "
                                 "named",
                                 value, o->name);
}
