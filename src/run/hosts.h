/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of an app's /etc/hosts. Pure. */
#pragma once

int hosts_text(const char *hostname, const char *words, const char *host_file, char **ret);
