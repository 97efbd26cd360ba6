/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod that is starting has nobody yet who would hear that it is to stop: its PID 1 is not there, or does not listen to signals.
 * So who asks leaves marks first, and sends signals then; and each step of the start that ends a stretch in which signals are
 * lost looks for a mark:
 *
 *   POD/stop                         the process that was started (run/foreground.c), and systemd-nspawn's predecessor
 *   POD/stage1/rootfs/rkt/stop       the pod's first process, before it becomes systemd (helper/rkt-bare.c)
 *
 * They stay until the pod is started again (pod/pod-reset.h). */
#pragma once

#include <stdbool.h>

int pod_stop_ask(const char *dir);
bool pod_stop_is_asked(const char *dir);
int pod_stop_watch(const char *dir);
