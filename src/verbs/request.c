/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's side of rkt-request@.service (helper/rkt-request.c): passes the command line on, with the files that it names,
 * opened here with the user's rights; prints what comes back. */
#include "verbs/request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/options.h"
#include "basic/pager.h"
#include "basic/request.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-name.h"
#include "verbs/request-text.h"

typedef struct Request {
        char **words;
        char *names[REQUEST_FILES_MAX]; /* as the user gave them; NULL: of a signature */
        int files[REQUEST_FILES_MAX];
        unsigned n_files;
        bool pager; /* what comes back is to be read */
} Request;

static void request_done(Request *x) {
        strv_free(x->words);
        for (unsigned i = 0; i < x->n_files; i++) {
                (void) fd_close(x->files[i]);
                free(x->names[i]);
        }
}

/* These are asked for; what else there is either needs no rights, or is for root. */
static bool is_served(const char *first, const char *second, bool *ret_pager) {
        static const struct {
                const char *group, *name;
                bool pager; /* as the verb itself has it */
        } verbs[] = {
                { NULL, "fetch", false },          { NULL, "list", true },      { NULL, "status", true },
                { NULL, "cat-manifest", true },    { "image", "fetch", false }, { "image", "list", true },
                { "image", "cat-manifest", true }, { "image", "rm", false },    { "app", "list", true },
                { "app", "status", true },
        };

        FOREACH_ARRAY (v, verbs, ELEMENTSOF(verbs))
                if (v->group ? streq(v->group, first) && streq_ptr(second, v->name) : streq(v->name, first)) {
                        *ret_pager = v->pager;
                        return true;
                }
        return false;
}

/* Who names a data directory or configuration means their own. */
static bool is_private(const char *word) {
        static const char *const flags[] = { "--dir",         "--local-config", "--system-config",
                                             "--user-config", "--help",         "-h" };

        FOREACH_ARRAY (f, flags, ELEMENTSOF(flags)) {
                const char *rest = startswith(word, *f);

                if (rest && (!*rest || *rest == '='))
                        return true;
        }
        return false;
}

/* As verbs_main() takes it: the last one counts. What is wrong with it is said by the service. */
static void take_no_pager(const char *word, bool *no_pager) {
        const char *rest = startswith(word, "--no-pager");

        if (rest && *rest == '=')
                *no_pager = parse_go_boolean(rest + 1) > 0;
        else if (rest && !*rest)
                *no_pager = true;
}

static bool is_wanted(char **words, bool *ret_pager) {
        const char *first = NULL, *second = NULL;
        bool no_pager = false;

        for (; *words; words++) {
                if (is_private(*words))
                        return false;
                take_no_pager(*words, &no_pager);
                if (**words == '-')
                        continue;
                if (!first)
                        first = *words;
                else if (!second)
                        second = *words;
        }
        if (!first || !is_served(first, second, ret_pager))
                return false;
        *ret_pager = *ret_pager && !no_pager;
        return true;
}

static int add_file(Request *x, const char *path, unsigned *ret) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        *ret = x->n_files;
        x->files[x->n_files++] = fd;
        return 0;
}

/* A word that is the path of an image becomes the image, with its signature if there is one beside it. */
static int add_word(Request *x, const char *word, Error *e) {
        _cleanup_(image_name_freep) ImageName *name = NULL;
        _cleanup_free_ char *signature = strf("%s.asc", word);
        unsigned file = 0, asc = 0;
        int r;

        if (!signature)
                return error_oom(e);
        if (*word == '-' || image_name_parse(word, &name, NULL) < 0 || name->type != IMAGE_NAME_PATH)
                return strv_extend(&x->words, word) < 0 ? error_oom(e) : 0;
        if (x->n_files + 2 > REQUEST_FILES_MAX)
                return error_setf(e, -E2BIG, "too many files at once");
        r = add_file(x, name->text, &file);
        if (r < 0)
                return error_setf(e, r, "cannot open %s: %s", word, strerror(-r));
        x->names[file] = strdup(name->text);
        if (!x->names[file])
                return error_oom(e);
        r = add_file(x, signature, &asc) < 0 ? strv_extendf(&x->words, "%c%u", REQUEST_FILE, file)
                                             : strv_extendf(&x->words, "%c%u:%u", REQUEST_FILE, file, asc);
        return r < 0 ? error_oom(e) : 0;
}

static int send_request(int fd, const Request *x, Error *e) {
        char control[CMSG_SPACE(sizeof(int) * REQUEST_FILES_MAX)] = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        struct iovec iov;
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

        assert(x->words); /* is_wanted() */
        for (char **w = x->words; *w; w++)
                strbuf_add_n(&b, *w, strlen(*w) + 1);
        if (b.failed)
                return error_oom(e);
        if (b.size > REQUEST_SIZE_MAX)
                return error_setf(e, -E2BIG, "the command line is too long");
        iov = (struct iovec){ .iov_base = b.data, .iov_len = b.size };
        if (x->n_files > 0) {
                struct cmsghdr *c;

                m.msg_control = control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * x->n_files);
                c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * x->n_files);
                memcpy(CMSG_DATA(c), x->files, sizeof(int) * x->n_files);
        }
        /* broken: it had something to say before we asked */
        return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE
                       ? error_setf(e, -errno, "cannot ask rkt-request.socket: %s", strerror(errno))
                       : 0;
}

/* At the end of a text, @n is 0. */
static void print(int fd, RequestText *t, const char *data, size_t n) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        request_text_add(t, data, n, &b);
        if (!b.failed && b.size > 0)
                (void) fd_write_all(fd, b.data, b.size);
}

static int print_answers(int fd, const Request *x, int *ret_status, Error *e) {
        static char buffer[REQUEST_SIZE_MAX];
        RequestText out = { .names = x->names, .n_names = x->n_files }, err = out;
        bool left = false; /* the pager: only what is no output counts any more */

        for (;;) {
                ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

                /* reset: it closed without reading what we asked; what it said before comes now */
                if (n < 0 && (errno == EINTR || errno == ECONNRESET))
                        continue;
                if (n <= 0)
                        return error_setf(e, n < 0 ? -errno : -EIO,
                                          "rkt-request@.service ended early; its journal may say why");
                if (buffer[0] == REQUEST_STATUS && n == 2) {
                        if (!left)
                                print(STDOUT_FILENO, &out, NULL, 0);
                        print(STDERR_FILENO, &err, NULL, 0);
                        *ret_status = (unsigned char) buffer[1];
                        return 1;
                }
                if (buffer[0] == REQUEST_ERR && pager_is_left())
                        left = pager_close();
                if (left && buffer[0] == REQUEST_OUT)
                        continue;
                if (x->pager && buffer[0] == REQUEST_OUT)
                        pager_open();
                if (n > 1 && (buffer[0] == REQUEST_OUT || buffer[0] == REQUEST_ERR))
                        print(buffer[0] == REQUEST_OUT ? STDOUT_FILENO : STDERR_FILENO,
                              buffer[0] == REQUEST_OUT ? &out : &err, buffer + 1, (size_t) n - 1);
        }
}

/**
 * request_run() - have a command done by the service of group rkt
 * @words:      command line, without the program's name
 * @ret_status: exit status, if it was done
 * @e:          sentence on failure; may be NULL
 *
 * What it prints may go through a pager, which the caller closes.
 *
 * Return: 1: done; 0: not a matter for the service; -EPERM: the service is not for this user; errors of files and sockets.
 */
int request_run(char **words, int *ret_status, Error *e) {
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET };
        _cleanup_(request_done) Request x = {};
        _cleanup_close_ int fd = -EBADF;
        int r = 0;

        if (geteuid() == 0 || !is_wanted(words, &x.pager))
                return 0;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_setf(e, -errno, "cannot make a socket: %s", strerror(errno));
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return errno == EACCES
                               ? error_setf(e, -EPERM,
                                            "cannot run as unprivileged user: you are not in group rkt")
                               : 0;
        for (; *words && r >= 0; words++)
                r = add_word(&x, *words, e);
        if (r >= 0)
                r = send_request(fd, &x, e);
        return r < 0 ? r : print_answers(fd, &x, ret_status, e);
}
