/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over the network: https://example.com/a/b?ac-discovery=1, then .../a, then the bare host. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "image/request.h"
#include "net/download.h"
#include "net/pull-worker.h"

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
        r = pull_worker_spawn("discovery", (const int[]){ page, out_w, STDERR_FILENO }, 3, &worker, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out_w));
        r = fd_read_to_end(out_r, WORKER_OUTPUT_MAX, &text, &text_size);
        if (r < 0)
                return error_setf(e, r, "cannot read from the discovery worker: %s", strerror(-r));
        r = process_reap(&worker, NULL, e);
        if (r < 0)
                return error_prefixf(e, r, "the discovery worker");
        return discovery_page_read(text, text_size, ret, e);
}

static int ask(const char *url, const ImageName *name, const DiscoveryOptions *o, DiscoveryResult *ret,
               Error *e) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_free_ char *html = NULL;
        size_t size;
        int r;

        r = request_init(&q, url,
                         &(RequestOptions){
                                 .config = o->config,
                                 .limits = o->limits,
                                 .allow_http = o->allow_http,
                                 .insecure_tls = o->insecure_tls,
                         },
                         e);
        if (r < 0)
                return r;
        q.size_max = DISCOVERY_PAGE_MAX;
        q.time_max_sec = MIN(q.time_max_sec, DISCOVERY_TIME_MAX_SEC);
        r = download_small(&q, &html, &size, e);
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
                return error_setf(e, -ENOENT, "the page has no %s tag for '%s'%s",
                                  o->want_pubkeys ? "ac-discovery-pubkeys" : "ac-discovery", name->text,
                                  !o->want_pubkeys && page.n_endpoints > 0 ? " that can be filled in" : "");
        }
        return 0;
}

/* A page that is missing or says nothing sends us one level up. A host that cannot be reached or believed does not: the
 * same host would fail in the same way, and a wrong certificate must not hide behind "not found". */
static bool is_worth_going_up(int r) {
        static const int reasons[] = { ENOENT, EACCES, EBADMSG, EAGAIN, EBUSY, ELOOP, EPERM, EFBIG };

        FOREACH_ARRAY (i, reasons, ELEMENTSOF(reasons))
                if (r == -*i)
                        return true;
        return false;
}

/* What was asked, and what came of it. */
static void note(StrBuf *tried, const char *url, const Error *e, int r) {
        const char *why = error_text(e, r);

        strbuf_addf(tried, "%s%s%s%s", tried->size > 0 ? "; " : "", strstr(why, url) ? "" : url,
                    strstr(why, url) ? "" : ": ", why);
}

static int ask_noted(const char *scheme, const char *level, const ImageName *name, const DiscoveryOptions *o,
                     DiscoveryResult *ret, StrBuf *tried) {
        _cleanup_free_ char *url = strf("%s://%s?ac-discovery=1", scheme, level);
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        if (!url)
                return -ENOMEM;
        r = ask(url, name, o, ret, &e);
        if (r < 0)
                note(tried, url, &e, r);
        return r;
}

static int ask_level(const char *level, const ImageName *name, const DiscoveryOptions *o,
                     DiscoveryResult *ret, StrBuf *tried) {
        int r, q;

        r = ask_noted("https", level, name, o, ret, tried);
        if (r >= 0 || !o->allow_http)
                return r;
        q = ask_noted("http", level, name, o, ret, tried);
        return q >= 0 || is_worth_going_up(q) ? q : r;
}

/**
 * discovery_find() - ask the network where a name's image or keys are
 * @name: an IMAGE_NAME_APPC with every label that a template may need (os, arch)
 * @o:    what to look for and what is allowed
 * @ret:  for discovery_result_done()
 * @e:    sentence on failure, listing what was tried; may be NULL
 *
 * Return: 0, -ENOENT (nobody knows the name), -E2BIG (too many levels), -ENOMEM, and what download_small() returns.
 */
int discovery_find(const ImageName *name, const DiscoveryOptions *o, DiscoveryResult *ret, Error *e) {
        _cleanup_strbuf_ StrBuf tried = STRBUF_INIT;
        _cleanup_free_ char *level = strdup(name->text);
        unsigned n = 0;
        int r;

        assert(name->type == IMAGE_NAME_APPC);
        if (!level)
                return error_oom(e);
        for (const char *p = name->text; *p; p++)
                n += *p == '/';
        if (n >= DISCOVERY_LEVELS_MAX)
                return error_setf(e, -E2BIG, "discovery of '%s' failed: the name has more than %u components",
                                  name->text, DISCOVERY_LEVELS_MAX);
        for (;;) {
                char *slash = strrchr(level, '/');

                r = ask_level(level, name, o, ret, &tried);
                if (r >= 0)
                        return 0;
                if (!is_worth_going_up(r) || !slash)
                        break;
                *slash = 0;
        }
        if (tried.failed || r == -ENOMEM)
                return error_oom(e);
        return error_setf(e, r, "discovery of '%s' failed: %s", name->text, tried.data);
}
