/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an app may do: capabilities, system calls, the kernel's files, devices, resources; as lines of a unit. Pure. */
#pragma once

#include <stdbool.h>

#include "basic/insecure.h"
#include "basic/str.h"
#include "manifest/pod-manifest.h"

/* What people said of an app, one line KEY=VALUE per item. */
typedef struct AppSettings {
        char **profile; /* of Profile=: instead of the defaults */
        char **file;    /* of the pod file and the command line: instead of everything else */
} AppSettings;

/* What the pod does for all its apps. */
typedef struct AppBounds {
        InsecureFlags insecure; /* what the administrator switched off */
        bool kernel_files;      /* there are trees of them, and the app could have them (kernel-files.h) */
        bool devices_hidden;    /* those that nspawn adds to /dev */
} AppBounds;

#define APP_SETTINGS_INIT      ((AppSettings){})
#define _cleanup_app_settings_ _cleanup_(app_settings_done)

int app_settings_load(const PodApp *a, AppSettings *ret);
void app_settings_done(AppSettings *s);
bool app_settings_has(const AppSettings *s, const char *key);
int app_confine(const PodApp *a, const AppSettings *s, const AppBounds *c, StrBuf *b);
int app_devices_are_hidden(const PodManifest *m, InsecureFlags insecure, bool *ret);
void app_confine_all(const PodManifest *m, StrBuf *b);
int app_capabilities(const PodApp *a, char ***ret);
int app_needs_bpf(const PodApp *a, bool *ret);
