/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For people who wonder why an app did not start: said inside the pod when it is in the foreground, and on the host after
 * a pod of a unit has ended. */
#include "run/start-failure.h"

#include <stddef.h>

/**
 * start_failure() - why systemd could not start a program
 * @status: exit status of a process that may be systemd's own, before it became the program
 *
 * Those that an image or a pod file can be the cause of.
 *
 * Return: the second half of a sentence, a constant; NULL: @status says nothing of the kind.
 */
const char *start_failure(int status) {
        switch (status) {
        case 200: return "its working directory cannot be entered (200/CHDIR)";
        case 203: return "its program cannot be executed (203/EXEC)";
        case 216: return "its groups cannot be set (216/GROUP)";
        case 217: return "its user cannot be set (217/USER)";
        case 218: return "its capabilities cannot be set (218/CAPABILITIES)";
        case 226: return "its mounts cannot be made (226/NAMESPACE)";
        case 228: return "its system call filter cannot be set (228/SECCOMP)";
        default: return NULL;
        }
}
