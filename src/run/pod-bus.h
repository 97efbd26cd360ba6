/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The systemd of a running pod, asked from the host, without D-Bus inside: like run/manager-bus.h, in a pod. Calls are made with
 * the service NULL; run/manager-job.h waits for a job. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "run/manager-bus.h"

int pod_bus_open(pid_t leader, sd_bus **ret, Error *e);
