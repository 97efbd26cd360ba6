/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/error.h"
#include "basic/str.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"

void app_health_add_wants(const PodApp *a, StrBuf *b);
void app_health_add_gate(const PodApp *a, StrBuf *b);
int app_unit_health(const PodApp *a, const AppFacts *f, const AppUnitContext *c, char ***ret_names,
                    char ***ret_texts, Error *e);
