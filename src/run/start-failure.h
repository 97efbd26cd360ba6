/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd says by an exit status when it could not start a program (systemd.exec(5)). */
#pragma once

const char *start_failure(int status);
