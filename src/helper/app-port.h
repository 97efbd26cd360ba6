/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits, inside the pod, until an app listens. */
#pragma once

int app_port_wait(const char *port);
