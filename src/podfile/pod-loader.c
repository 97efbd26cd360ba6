/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every setter needs: recording mistakes, expanding and splitting values; and the setters of plain types. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"
#include "config.h"
#include "podfile/pod-loader.h"

/**
 * loader_bad() - record a mistake in a line
 * @l:      collects it
 * @part:   the section of the line
 * @line:   NULL for the section as a whole
 * @format: printf: what is wrong (what would be right)
 *
 * Return: 0 or -ENOMEM.
 */
int loader_bad(PodLoader *l, const PodPart *part, const PodLine *line, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        const PodPlace *place = line ? &line->place : &part->place;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return -ENOMEM;
        }
        return pod_errors_addf(l->errors, place->file, place->line, part->title,
                               line ? pod_line_key(line) : NULL, "%s", text);
}

/**
 * loader_bad_value() - record a wrong value
 * @l:     collects it
 * @part:  the section of the line
 * @line:  the line
 * @value: what is wrong in it
 * @wrong: what is wrong (what would be right)
 *
 * Return: 0 or -ENOMEM.
 */
int loader_bad_value(PodLoader *l, const PodPart *part, const PodLine *line, const char *value,
                     const char *wrong) {
        return loader_bad(l, part, line, "'%.200s': %s", value, wrong);
}

/**
 * loader_later() - record that the pod cannot start yet
 * @l:    collects it
 * @part: the section of the line
 * @line: a line that is right, but whose behaviour is not there
 * @what: what of it, or NULL for all of it
 *
 * Return: 0 or -ENOMEM.
 */
int loader_later(PodLoader *l, const PodPart *part, const PodLine *line, const char *what) {
        return strv_extendf(&l->spec->unsupported, "%s:%u: [%s] %s: %s%snot supported yet", line->place.file,
                            line->place.line, part->title, pod_line_key(line), str_or(what, ""),
                            what ? " is " : "");
}

/**
 * loader_needs_systemd() - record that the pod cannot start with an old systemd
 * @l:     collects it
 * @part:  the section of the line
 * @line:  a line that is right
 * @since: the version that knows it; 0 for all
 *
 * Return: 0 or -ENOMEM.
 */
int loader_needs_systemd(PodLoader *l, const PodPart *part, const PodLine *line, unsigned since) {
        if (since <= SYSTEMD_VERSION)
                return 0;
        return strv_extendf(&l->spec->unsupported, "%s:%u: [%s] %s: '%.200s' needs systemd %u (this is %d)",
                            line->place.file, line->place.line, part->title, pod_line_key(line), line->value,
                            since, SYSTEMD_VERSION);
}

static int expand(PodLoader *l, const PodPart *part, const PodLine *line, const char *text,
                  SpecifierMode mode, char **ret) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        r = specifier_expand(&l->specifiers, text, mode, ret, &e);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return loader_bad(l, part, line, "%s", error_text(&e, r));
        return 1;
}

/**
 * loader_text() - the value of a line as final text
 * @l:    the loader
 * @part: the section of the line
 * @line: the line
 * @ret:  specifiers expanded; not unquoted; to free()
 *
 * Return: 1, 0 (a mistake was recorded), -ENOMEM.
 */
int loader_text(PodLoader *l, const PodPart *part, const PodLine *line, char **ret) {
        return expand(l, part, line, line->value, SPECIFIER_PLAIN, ret);
}

/**
 * loader_words() - the value of a line as a list
 * @l:    the loader
 * @part: the section of the line
 * @line: the line
 * @ret:  words, unquoted, unescaped, specifiers expanded; at least one; for strv_free()
 *
 * Return: 1, 0 (a mistake was recorded), -ENOMEM.
 */
int loader_words(PodLoader *l, const PodPart *part, const PodLine *line, char ***ret) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = word_split(line->value, POD_WORDS_MAX - l->n_words, &words);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return loader_bad(l, part, line, "%s",
                                  r == -EINVAL   ? "a quote is not closed"
                                  : r == -EILSEQ ? "an escape stands for NUL or for no character"
                                                 : "the pod has too many list elements");
        l->n_words += strv_length(words);
        STRV_FOREACH (w, words) {
                char *text = NULL;

                r = expand(l, part, line, *w, SPECIFIER_PLAIN, &text);
                if (r <= 0)
                        return r;
                free(*w);
                *w = text;
        }
        *ret = TAKE_PTR(words);
        return 1;
}

static void *field(const PodLine *line, void *target) {
        return (char *) target + line->key->offset;
}

/* Control bytes have no place in names, paths and references. */
static bool has_control(const char *s) {
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return true;
        return false;
}

/* 1 when the value may pass. */
static int check_value(PodLoader *l, const PodPart *part, const PodLine *line, ValueCheck check,
                       const char *value) {
        const char *wrong = value_check(check, value);

        if (!wrong && check != CHECK_ANY && has_control(value))
                wrong = "contains a control character";
        return wrong ? loader_bad_value(l, part, line, value, wrong) : 1;
}

/**
 * set_string() - a char * that the row's check accepts
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: struct with the field at the row's offset
 *
 * Return: 0 or -ENOMEM.
 */
int set_string(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_free_ char *text = NULL;
        char **p = field(line, target);
        int r;

        r = loader_text(l, part, line, &text);
        if (r > 0)
                r = check_value(l, part, line, line->key->check, text);
        if (r <= 0)
                return r;
        free(*p);
        *p = TAKE_PTR(text);
        return 0;
}

/**
 * set_words() - a char ** to which every word is added that the row's check accepts
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: struct with the field at the row's offset
 *
 * Return: 0 or -ENOMEM.
 */
int set_words(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = loader_words(l, part, line, &words);
        if (r <= 0)
                return r;
        STRV_FOREACH (w, words) {
                r = check_value(l, part, line, line->key->check, *w);
                if (r > 0)
                        r = strv_extend(field(line, target), *w);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * set_tristate() - an int: 1 for yes, 0 for no
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: struct with the field at the row's offset
 *
 * Return: 0 or -ENOMEM.
 */
int set_tristate(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        int b = parse_boolean(line->value), *p = field(line, target);

        if (b < 0)
                return loader_bad_value(l, part, line, line->value, value_check(CHECK_BOOLEAN, line->value));
        *p = b;
        return 0;
}

/**
 * set_command() - a char ** that becomes this command line
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: struct with the field at the row's offset
 *
 * Words as in ExecStart=, but "$" is an ordinary character: nothing is put in for variables. Only Args= can be empty.
 *
 * Return: 0 or -ENOMEM.
 */
int set_command(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        char ***p = field(line, target);
        bool is_args = streq(line->key->name, "Args");
        int r;

        r = loader_words(l, part, line, &words);
        if (r <= 0)
                return r;
        if (!is_args && (!words || *words[0] == '\0' || has_control(words[0])))
                return loader_bad(l, part, line, "the first word is no program (a path, or a name in PATH)");
        (void) strv_free(*p);
        *p = TAKE_PTR(words);
        if (is_args)
                ((AppSpec *) target)->has_args = true;
        return 0;
}

/**
 * set_assignments() - a char ** to which NAME=VALUE words are added; a later one of the same name wins
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: struct with the field at the row's offset
 *
 * With CHECK_ENVIRONMENT, names are those of environment variables.
 *
 * Return: 0 or -ENOMEM.
 */
int set_assignments(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = loader_words(l, part, line, &words);
        if (r <= 0)
                return r;
        STRV_FOREACH (w, words) {
                if (line->key->check == CHECK_ENVIRONMENT)
                        r = value_is_environment(*w);
                else
                        r = strchr(*w, '=') && **w != '=';
                r = r ? environment_set(field(line, target), *w)
                      : loader_bad_value(
                                l, part, line, *w,
                                line->key->check == CHECK_ENVIRONMENT
                                        ? "not an assignment (NAME=VALUE; NAME of letters, digits, '_')"
                                        : "not an assignment (NAME=VALUE)");
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * set_environment_file() - a char ** to which one path is added
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line; a leading "-" means that the file may be missing
 * @target: struct with the field at the row's offset
 *
 * Return: 0 or -ENOMEM.
 */
int set_environment_file(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_free_ char *text = NULL;
        const char *path;
        int r;

        r = loader_text(l, part, line, &text);
        if (r <= 0)
                return r;
        path = text + (*text == '-');
        if (!path_is_absolute(path) || !path_is_normalized(path) || has_control(path))
                return loader_bad_value(l, part, line, text,
                                        "not an absolute path on the host (/etc/x.env, or -/etc/x.env)");
        return strv_extend(field(line, target), text);
}

/* systemd expands no specifiers in these, and "%" stands for percent. */
static bool has_percent(ValueCheck c) {
        return c == CHECK_MEMORY || c == CHECK_TASKS || c == CHECK_CPU_QUOTA;
}

static int add_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings,
                       ValueCheck check, SpecifierMode mode) {
        bool is_in_app = part->section == POD_SECTION_APP && line->unit_key;
        const char *key = is_in_app ? unit_key_in_app(line->unit_key) : pod_line_key(line);
        _cleanup_free_ char *text = NULL;
        int r;

        if (has_percent(check))
                text = strdup(line->value);
        else {
                r = expand(l, part, line, line->value, mode, &text);
                if (r <= 0)
                        return r;
        }
        if (!text)
                return -ENOMEM;
        if (*text != '\0') {
                r = check_value(l, part, line, check, text);
                if (r <= 0)
                        return r;
        }
        r = is_in_app ? loader_needs_systemd(l, part, line, unit_key_since(line->unit_key, text)) : 0;
        return r < 0 ? r : unit_settings_add(settings, key, text, line->place);
}

/**
 * set_setting() - a key of ours that goes into the app's unit as it is
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_setting(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        AppSpec *a = target;

        return add_setting(l, part, line, &a->settings, line->key->check, SPECIFIER_ESCAPED);
}

/**
 * loader_app_setting() - a key of ours whose text is for some unit, without specifiers
 * @l:        the loader
 * @part:     the section of the line
 * @line:     the line
 * @settings: grows
 *
 * Return: 0 or -ENOMEM.
 */
int loader_app_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings) {
        return add_setting(l, part, line, settings, line->key->check, SPECIFIER_ESCAPED);
}

/**
 * loader_add_setting() - a key of systemd's for some unit
 * @l:        the loader
 * @part:     the section of the line
 * @line:     the line
 * @settings: grows
 *
 * In [App] the text is for the unit inside, where systemd's own specifiers would mean other things: all are expanded.
 *
 * Return: 0 or -ENOMEM.
 */
int loader_add_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings) {
        return add_setting(l, part, line, settings, line->unit_key->check,
                           part->section == POD_SECTION_APP ? SPECIFIER_ESCAPED : SPECIFIER_HOST);
}
