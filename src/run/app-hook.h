/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that run in an app beside its main one: before, after, to stop it. Pure: text in, text out. */
#pragma once

#include "run/app-confine.h"
#include "run/app-unit.h"

int app_hook_add_lines(const PodApp *a, const AppSettings *s, StrBuf *b);
int app_unit_hook(const PodApp *a, const AppFacts *f, const AppUnitContext *c, const AppSettings *s,
                  StrBuf *b);
int app_unit_hooks(const PodApp *a, const AppFacts *f, const AppUnitContext *c, char ***ret_names,
                   char ***ret_texts, Error *e);
