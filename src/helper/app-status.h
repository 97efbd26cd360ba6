/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How an app ended, for who asks after it, on the host too: one number in /rkt/status/APP, as rkt has it, and the whole of it in
 * /rkt/status/APP.end (pod_get_app_end()). */
#pragma once

#include <sys/types.h>

typedef struct AppEnd {
        char *result; /* Result of the service: "success", "oom-kill", ...; NULL: not known */
        int code;     /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: its main process did not run */
        int status;   /* exit status or number of a signal */
} AppEnd;

#define APP_END_INIT ((AppEnd){})

void app_end_done(AppEnd *end);
unsigned app_end_number(const AppEnd *end);
int app_end_to_string(const AppEnd *end, char **ret);
int app_status_record(const char *app, const char *program);
int app_status_read(const char *app, unsigned *ret);
