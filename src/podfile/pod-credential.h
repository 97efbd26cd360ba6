/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's half of an app's credentials: what pod@NAME.service loads, and under which names. */
#pragma once

#include "basic/str.h"
#include "podfile/pod-spec.h"

#define CREDENTIAL_LOAD "LoadCredential"
#define CREDENTIAL_SET  "SetCredential"

void pod_credential_add_lines(const PodSpec *s, StrBuf *b);
char *pod_credential_id(const UnitSetting *setting);
