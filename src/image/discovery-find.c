/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over the network: https://example.com/a/b?ac-discovery=1, then .../a, then the bare host. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "net/download.h"

#define DISCOVERY_TIME_MAX_SEC 60U
#define WORKER_OUTPUT_MAX      (1024U * 1024)

/* Has a page read by a worker that has nothing but its input and its output. */
static int parse_page(const char *html, size_t size, DiscoveryPage *ret, Error *e) {
        _cleanup_close_ int page = -EBADF, out_r = -EBADF, out_w = -EBADF;
        _cleanup_(process_done) Process worker = PROCESS_INIT;
        _cleanup_free_ char *text = NULL;
        size_t text_size;
        int p[2], r;

        page = memfd_create("discovery", MFD_CLOEXEC);
        if (page < 0)
                return error_setf(e, -errno, "cannot make a file in memory: %m");
        r = fd_write_all(page, html, size);
        if (r < 0 || lseek(page, 0, SEEK_SET) < 0)
                return error_setf(e, r < 0 ? r : -errno, "cannot write to a file in memory");
        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        out_r = p[0];
        out_w = p[1];
        r = pull_worker_spawn(true, (const int[]){ page, out_w, STDERR_FILENO }, 3, &worker, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out_w));
        r = fd_read_to_end(out_r, WORKER_OUTPUT_MAX, &text, &text_size);
        if (r < 0)
                return error_setf(e, r, "cannot read from the discovery worker: %s", strerror(-r));
        r = process_wait(&worker, NULL, e);
        if (r < 0)
                return error_prefixf(e, r, "the discovery worker");
        return discovery_page_read(text, text_size, ret, e);
}

static int ask(const char *url, const ImageName *name, const DiscoveryOptions *o, DiscoveryResult *ret,
               Error *e) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_free_ char *html = NULL, *copy = strdup(url);
        size_t size;
        int r;

        if (!copy)
                return error_oom(e);
        r = download_small(
                &(PullRequest){
                        .url = copy,
                        .allow_http = o->allow_http,
                        .insecure_tls = o->insecure_tls,
                        .size_max = DISCOVERY_PAGE_MAX,
                        .time_max_sec = DISCOVERY_TIME_MAX_SEC,
                },
                &html, &size, e);
        if (r < 0)
                return r;
        r = parse_page(html, size, &page, e);
        if (r < 0)
                return r;
        r = discovery_match(&page, name, ret);
        if (r < 0)
                return error_oom(e);
        if (o->want_pubkeys ? !ret->pubkeys : ret->n_endpoints == 0) {
                discovery_result_done(ret);
                return error_setf(e, -ENOENT, "no %s tag for '%s' at '%s'",
                                  o->want_pubkeys ? "ac-discovery-pubkeys" : "ac-discovery", name->text, url);
        }
        return 0;
}

/* A page that is missing or says nothing sends us one level up. A host that cannot be reached or believed does not: the
 * same host would fail in the same way, and a wrong certificate must not hide behind "not found". */
static bool is_worth_going_up(int r) {
        return r == -ENOENT || r == -EACCES || r == -EBADMSG || r == -EAGAIN || r == -ELOOP;
}

static int ask_level(const char *level, const ImageName *name, const DiscoveryOptions *o,
                     DiscoveryResult *ret, Error *e) {
        _cleanup_error_ Error second = ERROR_INIT;
        _cleanup_free_ char *url = strf("https://%s?ac-discovery=1", level);
        int r, q;

        if (!url)
                return error_oom(e);
        r = ask(url, name, o, ret, e);
        if (r >= 0 || !o->allow_http)
                return r;
        free(TAKE_PTR(url));
        url = strf("http://%s?ac-discovery=1", level);
        if (!url)
                return error_oom(e);
        q = ask(url, name, o, ret, &second);
        if (q >= 0) {
                error_done(e);
                return 0;
        }
        if (is_worth_going_up(q))
                r = q;
        return error_setf(e, r, "%s; %s", error_text(e, r), error_text(&second, q));
}

/**
 * discovery_find() - ask the network where a name's image or keys are
 * @name: an IMAGE_NAME_APPC with every label that a template may need (os, arch)
 * @o:    what to look for and what is allowed
 * @ret:  for discovery_result_done()
 * @e:    sentence on failure, listing what was tried; may be NULL
 *
 * Return: 0, -ENOENT (nobody knows the name), -ENOMEM, and what download_small() returns.
 */
int discovery_find(const ImageName *name, const DiscoveryOptions *o, DiscoveryResult *ret, Error *e) {
        _cleanup_strbuf_ StrBuf tried = STRBUF_INIT;
        _cleanup_free_ char *level = strdup(name->text);
        int r;

        assert(name->type == IMAGE_NAME_APPC);
        if (!level)
                return error_oom(e);
        for (;;) {
                _cleanup_error_ Error sub = ERROR_INIT;
                char *slash = strrchr(level, '/');

                r = ask_level(level, name, o, ret, &sub);
                if (r >= 0) {
                        ret->host = strndup(name->text, strcspn(name->text, "/"));
                        return ret->host ? 0 : error_oom(e);
                }
                strbuf_addf(&tried, "%s%s", tried.size > 0 ? "; " : "", error_text(&sub, r));
                if (!is_worth_going_up(r) || !slash)
                        break;
                *slash = 0;
        }
        if (tried.failed)
                return error_oom(e);
        return error_setf(e, r, "discovery of '%s' failed: %s", name->text, tried.data);
}
