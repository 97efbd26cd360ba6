/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this folder share. */
#pragma once

#include "config/config.h"

void config_auth_done(ConfigAuth *a);
int config_add_auth(Config *c, const char *domain, const ConfigAuth *credentials, Error *e);
int config_add_registry(Config *c, const char *registry, const ConfigAuth *credentials, Error *e);
void registry_rule_done(RegistryRule *r);
int registry_rules_merge(Config *into, Config *from, Error *e);
int config_check_word(const char *field, const char *s, Error *e);
int config_check_plain(const char *field, const char *s, Error *e);
