/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Automatic updates of a pod, with a registry and a unit that are played here: what is put in place, what is taken back, what
 * is remembered, and what a run finds that was killed before. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-note.h"
#include "pod/update-state.h"
#include "run/auto-update.h"
#include "store/store-ref.h"

#define TAG  "docker://example.com/app"
#define APPC "example.com/other"

/* A world of one pod. Images are letters; an ID is 128 of them, as far as they are hex digits. */
typedef struct World {
        char dir[32];
        Store *store;
        PodSpec *spec;
        UpdateUnit unit;
        char runs[4];     /* what app, other run with; 0: not known */
        char registry[4]; /* what TAG, APPC give now; 0: the registry does not answer */
        char bad;         /* the image with which the pod does not get ready */
        bool never_ready; /* not with any */
        bool stopped;     /* by somebody, while images are got */
        unsigned n_restarts, n_gets;
        char digest_asked; /* what changed() was asked about last */
} World;

static char *id_of(char image) {
        char digits[129];

        memset(digits, image, 128);
        digits[128] = '\0';
        return strf("sha512-%s", digits);
}

static char at(const World *w, const char *reference) {
        return w->registry[streq(reference, TAG) ? 0 : 1];
}

static int op_unit(void *userdata, const char *pod, UpdateUnit *ret, Error *e) {
        const World *w = userdata;

        assert_string_equal(pod, "web");
        *ret = w->unit;
        return 0;
}

/* The letter that the note has for the reference. */
static char noted(const World *w, const char *reference) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *id = NULL;

        if (pod_note_load(w->dir, "web", &lines) < 0 || pod_note_find(lines, w->store, reference, &id) <= 0)
                return '-';
        return id[strlen("sha512-")];
}

static int op_running(void *userdata, const char *pod, const char *app, char **ret, Error *e) {
        const World *w = userdata;
        char image = w->runs[streq(app, "app") ? 0 : 1];

        assert_string_equal(pod, "web");
        *ret = image ? id_of(image) : NULL;
        return 0;
}

static int op_restart(void *userdata, const char *pod, Error *e) {
        World *w = userdata;
        bool ready = !w->never_ready && noted(w, TAG) != w->bad;

        assert_string_equal(pod, "web");
        w->n_restarts++;
        w->unit = ready ? UPDATE_UNIT_RUNS : UPDATE_UNIT_FAILED;
        w->runs[0] = noted(w, TAG);
        w->runs[1] = noted(w, APPC);
        return ready ? 0 : error_setf(e, -EIO, "cannot restart pod@web.service: the job ended as \"failed\"");
}

static int op_digest(void *userdata, const char *id, char **ret, Error *e) {
        *ret = strf("sha256:%c", id[strlen("sha512-")]);
        return *ret ? 0 : -ENOMEM;
}

static int op_changed(void *userdata, const PodSpec *spec, const char *reference, const char *digest,
                      Error *e) {
        World *w = userdata;

        if (!streq(reference, TAG))
                return -EOPNOTSUPP;
        w->digest_asked = digest[strlen("sha256:")];
        if (!at(w, reference))
                return error_setf(e, -EHOSTUNREACH, "no registry");
        return at(w, reference) != w->digest_asked;
}

static void put_image(const World *w, char letter) {
        _cleanup_free_ char *id = id_of(letter);
        const StoreImage image = { .id = id, .name = (char[]){ "example.com/app" } };

        assert_int_equal(store_image_write(w->store, &image, NULL), 0);
}

static int op_get(void *userdata, const PodSpec *spec, const char *reference, char **ret_id, Error *e) {
        World *w = userdata;

        w->n_gets++;
        if (w->stopped)
                w->unit = UPDATE_UNIT_RESTS;
        if (!at(w, reference))
                return error_setf(e, -EHOSTUNREACH, "no registry");
        put_image(w, at(w, reference));
        *ret_id = id_of(at(w, reference));
        return 0;
}

static void add_app(World *w, const char *name, const char *image) {
        AppSpec *a;

        assert_int_equal(pod_spec_add_app(w->spec, name, &a), 0);
        assert_int_equal(str_replace(&a->image, image), 0);
}

static void write_note(const World *w, char first, char second) {
        _cleanup_strv_free_ char **ids = NULL;

        assert_int_equal(strv_consume(&ids, id_of(first)), 0);
        assert_int_equal(strv_consume(&ids, id_of(second)), 0);
        assert_int_equal(pod_note_write(w->dir, "web", w->spec, ids, NULL), 0);
}

/* Runs with image a of TAG and of APPC; the registry has these. */
static void world_init(World *w) {
        *w = (World){
                .dir = "/tmp/rkt-update-XXXXXX", .unit = UPDATE_UNIT_RUNS, .registry = "aa", .runs = "aa"
        };
        assert_non_null(mkdtemp(w->dir));
        assert_int_equal(store_open(w->dir, 0, &w->store, NULL), 0);
        assert_int_equal(pod_spec_new("web", &w->spec), 0);
        add_app(w, "app", TAG);
        add_app(w, "other", APPC);
        put_image(w, 'a');
        write_note(w, 'a', 'a');
}

static void world_done(World *w) {
        (void) store_free(w->store);
        (void) pod_spec_free(w->spec);
        assert_int_equal(remove_tree_at(AT_FDCWD, w->dir), 0);
}

typedef enum Flags { DRY_RUN = 1 << 0, NO_ROLLBACK = 1 << 1 } Flags;

/* "app false a-a; other true a-b", or the sentence. */
static char *run(World *w, unsigned flags) {
        const UpdateOptions o = {
                .data_dir = w->dir,
                .store = w->store,
                .dry_run = flags & DRY_RUN,
                .no_rollback = flags & NO_ROLLBACK,
                .ops = { op_unit, op_running, op_restart, op_digest, op_changed, op_get, w },
        };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        UpdateReport report = {};
        char *text;
        int r;

        w->n_restarts = w->n_gets = 0;
        w->digest_asked = 0;
        r = auto_update_pod(&o, w->spec, &report, &e);
        if (r < 0)
                return strf("error: %s", str_or(e.message, "without a sentence"));
        FOREACH_ARRAY (a, report.apps, report.n_apps)
                strbuf_addf(&b, "%s%s %s %c-%c", a == report.apps ? "" : "; ", a->name,
                            update_result_to_string(a->result), a->before ? a->before[7] : '?',
                            a->after ? a->after[7] : '?');
        update_report_done(&report);
        assert_int_equal(strbuf_steal(&b, &text), 0);
        return text;
}

static void check(World *w, unsigned flags, const char *want, unsigned n_restarts) {
        _cleanup_free_ char *text = run(w, flags);

        assert_string_equal(text, want);
        assert_int_equal(w->n_restarts, n_restarts);
}

static void check_state(const World *w, size_t n_steps, size_t n_held) {
        _cleanup_update_state_ UpdateState s = {};

        assert_int_equal(update_state_load(w->dir, "web", &s, NULL), 0);
        assert_int_equal(s.n_steps, n_steps);
        assert_int_equal(s.n_held, n_held);
}

static bool has_all(const World *w) {
        _cleanup_strv_free_ char **lines = NULL;

        assert_int_equal(pod_note_load(w->dir, "web", &lines), 0);
        return pod_note_has_all(lines, w->store, w->spec);
}

static void nothing_new(void **state) {
        World w;

        world_init(&w);
        check(&w, 0, "app false a-a; other false a-a", 0);
        check(&w, DRY_RUN, "app false a-?; other false a-?", 0);
        assert_int_equal(w.n_gets, 0);
        check_state(&w, 0, 0);
        world_done(&w);
}

/* pod-image@ is skipped when all is there. */
static void the_note_of_all_apps(void **state) {
        World w;

        world_init(&w);
        assert_true(has_all(&w));
        write_note(&w, 'a', 'b'); /* which the store does not have */
        assert_false(has_all(&w));
        put_image(&w, 'b');
        assert_true(has_all(&w));
        assert_int_equal(str_replace(&w.spec->apps[1].image, TAG), 0); /* the pod file was changed */
        assert_false(has_all(&w));
        assert_int_equal(str_replace(&w.spec->apps[1].image, APPC), 0);
        add_app(&w, "third", TAG);
        assert_false(has_all(&w));
        world_done(&w);
}

static void a_new_image_is_put_in_place(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        check(&w, DRY_RUN, "app pending a-?; other false a-?", 0);
        assert_int_equal(w.n_gets, 0);
        assert_int_equal(noted(&w, TAG), 'a');
        check(&w, 0, "app true a-b; other false a-a", 1);
        assert_int_equal(noted(&w, TAG), 'b');
        assert_int_equal(noted(&w, APPC), 'a');
        check_state(&w, 0, 0);
        check(&w, 0, "app false b-b; other false a-a", 0);
        w.registry[0] = w.registry[1] = 'c'; /* both at once: one restart */
        check(&w, 0, "app true b-c; other true a-c", 1);
        world_done(&w);
}

static void a_bad_image_is_taken_back_and_held(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = w.bad = 'b';
        check(&w, 0, "app rolled back a-b; other false a-a", 2);
        assert_int_equal(w.unit, UPDATE_UNIT_RUNS);
        assert_int_equal(noted(&w, TAG), 'a');
        check_state(&w, 0, 1);
        /* not again, and nothing is pulled for it */
        check(&w, 0, "app false a-?; other false a-a", 0);
        assert_int_equal(w.digest_asked, 'b');
        assert_int_equal(w.n_gets, 1);
        /* until the tag moves */
        w.registry[0] = 'c';
        check(&w, 0, "app true a-c; other false a-a", 1);
        check_state(&w, 0, 0);
        world_done(&w);
}

/* An image by URL or discovery has no digest to ask for: what it gives is compared. */
static void what_is_held_without_a_digest(void **state) {
        _cleanup_free_ char *bad = id_of('b');
        UpdateState s = {};
        World w;

        world_init(&w);
        w.registry[1] = 'b';
        assert_int_equal(update_state_hold(&s, APPC, bad, NULL), 0);
        assert_int_equal(update_state_write(w.dir, "web", &s, NULL), 0);
        update_state_done(&s);
        check(&w, 0, "app false a-a; other false a-b", 0);
        assert_int_equal(w.n_gets, 2);
        w.registry[1] = 'c';
        check(&w, 0, "app false a-a; other true a-c", 1);
        check_state(&w, 0, 0);
        world_done(&w);
}

static void the_tag_points_back(void **state) {
        StoreImage image = STORE_IMAGE_INIT;
        World w;

        world_init(&w);
        assert_int_equal(str_replace(&w.spec->apps[1].image, "/srv/other.aci"), 0); /* is not got again */
        write_note(&w, 'a', 'a');
        w.registry[0] = w.bad = 'b';
        check(&w, 0, "app rolled back a-b; other false a-?", 2);
        assert_int_equal(store_image_find(w.store, "example.com/app", NULL, 0, &image, NULL), 0);
        assert_int_equal(image.id[7], 'a');
        store_image_done(&image);
        world_done(&w);
}

static void without_rollback(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = w.bad = 'b';
        check(&w, NO_ROLLBACK, "app failed a-b; other false a-a", 1);
        assert_int_equal(noted(&w, TAG), 'b');
        check_state(&w, 0, 0);
        world_done(&w);
}

static void not_ready_with_any(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        w.never_ready = true;
        check(&w, 0, "app failed a-b; other false a-a", 2);
        assert_int_equal(noted(&w, TAG), 'a');
        check_state(&w, 0, 1);
        world_done(&w);
}

/* What cannot be got keeps the others from being put in place: the pod's images belong together. */
static void all_or_nothing(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        w.registry[1] = 0;
        check(&w, 0, "app pending a-b; other failed a-?", 0);
        assert_int_equal(noted(&w, TAG), 'a');
        w.registry[1] = 'a';
        check(&w, 0, "app true a-b; other false a-a", 1);
        world_done(&w);
}

static void pods_that_do_not_run_are_left_alone(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        w.unit = UPDATE_UNIT_RESTS;
        check(&w, 0, "app false a-?; other false a-?", 0);
        w.unit = UPDATE_UNIT_FAILED;
        check(&w, 0, "app false a-?; other false a-?", 0);
        assert_int_equal(w.n_gets, 0);
        world_done(&w);
}

/* A pod that somebody stops while its images are got stays stopped, and starts as it was. */
static void stopped_meanwhile(void **state) {
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        w.stopped = true;
        check(&w, 0, "app pending a-b; other false a-a", 0);
        assert_int_equal(noted(&w, TAG), 'a');
        check_state(&w, 0, 0);
        world_done(&w);
}

static void images_that_do_not_move(void **state) {
        static const char *const references[] = {
                "/srv/app.aci",
                "sha512-aaaaaaaaaaaaaaaa",
                "oci:/srv/layout:v1",
                "docker://example.com/app@sha256:"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };

        FOREACH_ARRAY (reference, references, ELEMENTSOF(references)) {
                World w;

                world_init(&w);
                assert_int_equal(str_replace(&w.spec->apps[0].image, *reference), 0);
                write_note(&w, 'a', 'a');
                w.registry[0] = w.registry[1] = 'b';
                check(&w, 0, "app false a-?; other true a-b", 1);
                world_done(&w);
        }
}

static void a_pod_without_a_note(void **state) {
        _cleanup_free_ char *path = NULL;
        World w;

        world_init(&w);
        w.registry[0] = 'b';
        path = strf("%s/resolved/web", w.dir);
        assert_int_equal(unlink(path), 0);
        check(&w, 0, "app true a-b; other false a-a", 1); /* the pod itself says what it runs with */
        assert_int_equal(noted(&w, TAG), 'b');
        assert_int_equal(unlink(path), 0);
        w.registry[0] = 'c';
        w.runs[0] = w.runs[1] = 0;
        check(&w, 0, "app failed ?-?; other failed ?-?", 0);
        world_done(&w);
}

/* The state of an update from a to b that was killed. */
static void killed(World *w) {
        _cleanup_free_ char *before = id_of('a'), *after = id_of('b');
        UpdateState s = {};

        world_init(w);
        w->registry[0] = 'b';
        put_image(w, 'b');
        assert_int_equal(update_state_add_step(&s, TAG, before, after), 0);
        assert_int_equal(update_state_write(w->dir, "web", &s, NULL), 0);
        update_state_done(&s);
}

static void killed_while_the_pod_started(void **state) {
        World w;

        killed(&w); /* it got ready all the same */
        write_note(&w, 'b', 'a');
        w.runs[0] = 'b';
        check(&w, DRY_RUN, "app false b-?; other false a-?", 0);
        check_state(&w, 1, 0); /* looking changes nothing */
        check(&w, 0, "app true a-b; other false a-?", 0);
        check_state(&w, 0, 0);
        world_done(&w);

        killed(&w); /* it did not */
        write_note(&w, 'b', 'a');
        w.unit = UPDATE_UNIT_FAILED;
        w.bad = 'b';
        check(&w, 0, "app rolled back a-b; other false a-?", 2);
        assert_int_equal(noted(&w, TAG), 'a');
        check_state(&w, 0, 1);
        world_done(&w);

        killed(&w); /* nor did it, and is to be left so */
        write_note(&w, 'b', 'a');
        w.unit = UPDATE_UNIT_FAILED;
        w.bad = 'b';
        check(&w, NO_ROLLBACK, "app failed a-b; other false a-?", 1);
        assert_int_equal(noted(&w, TAG), 'b');
        check_state(&w, 0, 0);
        world_done(&w);

        killed(&w); /* it is starting still */
        write_note(&w, 'b', 'a');
        w.unit = UPDATE_UNIT_FAILED;
        check(&w, 0, "app true a-b; other false a-?", 1);
        assert_int_equal(noted(&w, TAG), 'b');
        check_state(&w, 0, 0);
        world_done(&w);

        killed(&w); /* it was not restarted yet: note and pod differ */
        write_note(&w, 'b', 'a');
        check(&w, 0, "app true a-b; other false a-a", 1);
        check_state(&w, 0, 0);
        world_done(&w);

        killed(&w); /* somebody stopped it */
        write_note(&w, 'b', 'a');
        w.unit = UPDATE_UNIT_RESTS;
        check(&w, 0, "app false b-?; other false a-?", 0);
        check_state(&w, 0, 0);
        world_done(&w);
}

/* Before the note was changed, or after it was changed back: the pod runs with what it had, and the image is tried (again). */
static void killed_before_or_behind(void **state) {
        World w;

        killed(&w);
        check(&w, 0, "app true a-b; other false a-a", 1);
        assert_int_equal(noted(&w, TAG), 'b');
        check_state(&w, 0, 0);
        world_done(&w);

        killed(&w);
        w.bad = 'b';
        w.unit = UPDATE_UNIT_FAILED; /* changed back, but not restarted */
        check(&w, 0, "app rolled back a-b; other false a-?", 1);
        assert_int_equal(w.unit, UPDATE_UNIT_RUNS);
        assert_int_equal(noted(&w, TAG), 'a');
        check_state(&w, 0, 1);
        world_done(&w);
}

static void what_is_remembered(void **state) {
        _cleanup_free_ char *path = NULL;
        UpdateState s = {}, back = {};
        World w;

        world_init(&w);
        assert_int_equal(update_state_load(w.dir, "web", &back, NULL), 0);
        assert_int_equal(back.n_steps + back.n_held, 0);
        assert_int_equal(update_state_add_step(&s, "a b", "1", "2"), 0);
        assert_int_equal(update_state_hold(&s, TAG, "3", "sha256:x"), 0);
        assert_int_equal(update_state_hold(&s, APPC, "4", NULL), 0);
        assert_int_equal(update_state_hold(&s, TAG, "5", "sha256:y"), 0);
        assert_int_equal(update_state_write(w.dir, "web", &s, NULL), 0);
        assert_int_equal(update_state_load(w.dir, "web", &back, NULL), 0);
        assert_string_equal(update_state_step(&back, "a b")->after, "2");
        assert_string_equal(update_state_held(&back, TAG)->id, "5");
        assert_string_equal(update_state_held(&back, TAG)->digest, "sha256:y");
        assert_null(update_state_held(&back, APPC)->digest);
        assert_null(update_state_held(&back, "a b"));
        update_state_done(&back);
        update_state_done(&s);
        assert_int_equal(update_state_write(w.dir, "web", &s, NULL), 0);
        path = strf("%s/auto-update/web", w.dir);
        assert_int_equal(access(path, F_OK), -1);
        world_done(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_new),
                cmocka_unit_test(the_note_of_all_apps),
                cmocka_unit_test(a_new_image_is_put_in_place),
                cmocka_unit_test(a_bad_image_is_taken_back_and_held),
                cmocka_unit_test(what_is_held_without_a_digest),
                cmocka_unit_test(the_tag_points_back),
                cmocka_unit_test(without_rollback),
                cmocka_unit_test(not_ready_with_any),
                cmocka_unit_test(all_or_nothing),
                cmocka_unit_test(pods_that_do_not_run_are_left_alone),
                cmocka_unit_test(stopped_meanwhile),
                cmocka_unit_test(images_that_do_not_move),
                cmocka_unit_test(a_pod_without_a_note),
                cmocka_unit_test(killed_while_the_pod_started),
                cmocka_unit_test(killed_before_or_behind),
                cmocka_unit_test(what_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
