/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a pod file, and then the units made of it. The first byte says whether the pod is a template's instance. */
#include <stdint.h>
#include <stdlib.h>

#include "basic/str.h"
#include "podfile/pod-file.h"
#include "podfile/pod-unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_pod_text_ PodText *text = NULL;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        _cleanup_free_ char *messages = NULL;
        char name[] = "fuzz-x", prefix[] = "fuzz", instance[] = "x", path[] = "/etc/rkt/pods/fuzz.pod";
        bool is_instance = size > 0 && data[0] == '@';
        PodEntry entry = { .name = is_instance ? name : prefix,
                           .prefix = prefix,
                           .instance = is_instance ? instance : NULL,
                           .path = path };

        if (size == 0 || pod_text_new(prefix, &text) < 0)
                return 0;
        if (pod_text_parse(text, path, (const char *) data + 1, size - 1, &errors) < 0 ||
            pod_text_load(&entry, text, &spec, &errors) < 0)
                return 0;
        if (pod_errors_to_string(&errors, &messages) < 0 || !str_is_utf8(messages, strlen(messages)))
                abort(); /* messages go to terminals and journals */
        if (pod_unit_files(&entry, spec, errors.n > 0, &files) < 0)
                abort();
        return 0;
}
