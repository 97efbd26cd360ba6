/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's recipe: what its file and drop-ins amount to, without comments and origins. Two with the same bytes make the same pod. */
#pragma once

#include "podfile/pod-file.h"

#define POD_RECIPE_MAX  (64U * 1024U * 1024U)
#define POD_STARTED_DIR "/run/rkt/started" /* NAME: the recipe with which pod@NAME.service was last started */

int pod_recipe(const PodText *text, char **ret);
int pod_entry_recipe(const PodEntry *entry, char **ret);
bool pod_recipe_is_public(const char *path);
int pod_recipe_keep(const char *name, Error *e);
void pod_recipe_forget(const PodIndex *index, char *const *running);
