/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the modules that translate Quadlet's files; not for others. A draft is a pod file in the making, each line with the
 * line of Quadlet's that it is from. */
#pragma once

#include <stdarg.h>

#include "podfile/quadlet.h"

/* "KEY=VALUE", or a comment with its "#". */
typedef struct DraftLine {
        char *text;
        const QuadletLine *from; /* NULL: of ours */
        bool confines; /* without it the pod would be less confined: a mistake in it refuses the pod */
} DraftLine;

typedef struct DraftPart {
        char *title; /* between the brackets */
        DraftLine *lines;
        size_t n_lines;
        char *source; /* of a volume: as Quadlet has it */
} DraftPart;

/* Indices of the parts that every draft begins with, in the order of the file. */
enum { DRAFT_UNIT, DRAFT_POD, _DRAFT_FIXED };

typedef struct Draft {
        QuadletImport *import;
        const Quadlet *unit; /* the one whose lines are being translated */
        char *pod;           /* name, of a template without "@" */
        bool is_template;
        bool is_member; /* the pod has a file of its own, and this is one of its containers */
        DraftPart *parts;
        size_t n_parts;
        size_t app; /* index of the [App] being made */
        char *app_name;
        unsigned mode; /* of all files that it is made of */
        bool is_refused, has_trust_note;
        /* Keys that mean something only together, of the container being made. */
        const QuadletLine *capability; /* last line of both kinds */
        char **capabilities, **no_capabilities;
        bool drops_all, has_user, is_root, read_only, no_read_only_tmpfs, has_network, has_restart;
        const QuadletLine *kill;     /* HealthOnFailure=kill */
        const QuadletLine *ip;       /* IP= */
        const QuadletLine *users[2]; /* UIDMap=, GIDMap= */
        unsigned n_users[2];
} Draft;

typedef struct QuadletKey QuadletKey;
struct QuadletKey {
        const char *name;
        /* Translates one line; @value has our specifiers only. Returns 0 or -ENOMEM. */
        int (*set)(Draft *d, const QuadletKey *key, const QuadletLine *line, const char *value);
        const char *argument; /* key in [App] or [Pod], or the sentence */
        unsigned flags;
};

#define QUADLET_KEY_LIST     (1U << 0) /* lines add up; an empty one forgets those before */
#define QUADLET_KEY_CONFINES (1U << 1) /* what cannot be taken over refuses the pod */
#define QUADLET_KEY_EMPTY    (1U << 2) /* an empty value means something */

const QuadletKey *quadlet_key_find(QuadletKind kind, const char *name);
const char *quadlet_key_suggest(QuadletKind kind, const char *name);
const char *quadlet_value(const Quadlet *q, const char *key);

/* quadlet-draft.c */
void draft_done(Draft *d);
void draft_use(Draft *d, Quadlet *q);
int draft_part(Draft *d, const char *title, size_t *ret);
int draft_add(Draft *d, size_t part, const QuadletLine *from, bool confines, const char *format, ...)
        _printf_(5, 6);
int draft_note(Draft *d, const QuadletLine *line, const char *format, ...) _printf_(3, 4);
int draft_refuse(Draft *d, const QuadletLine *line, const char *format, ...) _printf_(3, 4);
int draft_finish(Draft *d);
int quadlet_note(QuadletImport *x, const QuadletLine *line, char **ret, const char *format, ...)
        _printf_(4, 5);
int quadlet_vnote(QuadletImport *x, const QuadletLine *l, char **ret, const char *format, va_list ap)
        _printf_(4, 0);
int quadlet_add_result(QuadletImport *x, char *name, char *text, unsigned mode);
int quadlet_valid_name(const char *name, char **ret);
int quadlet_add_word(const char *word, char **text);
Quadlet *quadlet_find_file(QuadletImport *x, const char *file);

/* quadlet-set.c */
char *quadlet_path(const Draft *d, const char *path);

/* quadlet-container.c */
int draft_container_done(Draft *d);

/* quadlet-network.c */
int quadlet_network(QuadletImport *x, Quadlet *q);
