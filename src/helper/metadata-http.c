/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread, one request per connection, everything bounded: connections, headers, the body, and the time from the first
 * byte to the last. What is said lies in the pod's document (manifest/metadata.h); a document whose pod has ended, which
 * shows in its lock, is none. */
#include "helper/metadata-http.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/base64.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/unconst.h"
#include "helper/metadata-identity.h"
#include "manifest/metadata.h"

#define HEADERS_MAX   (32U * 1024) /* bytes of one connection's buffer */
#define FORM_BUFFER   4096U
#define SIGNATURE_MAX 256U
#define UUID_MAX      64U
#define IDLE_SEC      10U
#define NOBODY        65534U /* a pod's systemd-socket-proxyd, see run/stage1-root.c */
#define PATH_SIGN     "/pod/hmac/sign"
#define PATH_VERIFY   "/pod/hmac/verify"

/* Who has connected. Root's processes are told apart, and those of the user who passes on in a pod what is asked there; all of
 * another user's are one. */
typedef struct Peer {
        bool is_remote; /* by the network: from this machine or a pod, but nobody knows from whom */
        uid_t uid;
        pid_t pid; /* 0: of any of the user's */
} Peer;

typedef struct Connection {
        int fd; /* libmicrohttpd's */
        usec_t since;
        Peer peer;
        bool has_headers;
} Connection;

struct MetadataHttp {
        struct MHD_Daemon *daemon;
        const uint8_t *key;
        int pods_fd;
        Connection connections[METADATA_CONNECTIONS_MAX];
        unsigned n_connections;
};

/* A field of a form. */
typedef struct Field {
        StrBuf data;
        bool seen, bad; /* twice there, or too long */
} Field;

typedef enum FieldName {
        FIELD_CONTENT,
        FIELD_UUID,
        FIELD_SIGNATURE,
        _FIELD_MAX,
} FieldName;

static const struct {
        const char *name;
        size_t size_max;
} field_names[_FIELD_MAX] = {
        [FIELD_CONTENT] = { "content", METADATA_BODY_MAX },
        [FIELD_UUID] = { "uuid", UUID_MAX },
        [FIELD_SIGNATURE] = { "signature", SIGNATURE_MAX },
};

typedef struct Request {
        struct MHD_PostProcessor *form; /* NULL: no form */
        Field fields[_FIELD_MAX];
        size_t body_size;
} Request;

static Request *request_free(Request *q) {
        if (!q)
                return NULL;
        if (q->form)
                (void) MHD_destroy_post_processor(q->form);
        FOREACH_ARRAY (f, q->fields, _FIELD_MAX)
                strbuf_done(&f->data);
        free(q);
        return NULL;
}

/* NOLINTNEXTLINE(readability-function-size) the parameters are those of libmicrohttpd */
static enum MHD_Result on_field(void *userdata, enum MHD_ValueKind kind, const char *key,
                                const char *file_name, const char *content_type, const char *encoding,
                                const char *data, uint64_t offset, size_t size) {
        Request *q = userdata;

        for (FieldName i = 0; i < _FIELD_MAX; i++) {
                Field *f = &q->fields[i];

                if (!key || !streq(key, field_names[i].name))
                        continue;
                f->bad = f->bad || (offset == 0 && f->seen && f->data.size > 0) ||
                         size > field_names[i].size_max - f->data.size;
                f->seen = true;
                if (!f->bad)
                        strbuf_add_n(&f->data, data, size);
        }
        return MHD_YES;
}

/* Whatever is said, nobody keeps it, and the connection ends. Takes the response. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              struct MHD_Response *response) {
        enum MHD_Result r;

        if (!response)
                return MHD_NO;
        r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        if (r == MHD_YES)
                r = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        if (r == MHD_YES)
                r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
        if (r == MHD_YES && status == MHD_HTTP_UNAUTHORIZED)
                r = MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Token");
        if (r == MHD_YES)
                r = MHD_queue_response(c, status, response);
        MHD_destroy_response(response);
        return r;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text) {
        return answer(c, status, metadata_content_type(METADATA_ASCII),
                      MHD_create_response_from_buffer(strlen(text), unconst(text), MHD_RESPMEM_MUST_COPY));
}

/* A lock that can be had is that of a pod that has ended. */
static int check_alive(const MetadataHttp *h, const char *name) {
        char lock[METADATA_NAME_MAX + sizeof(METADATA_LOCK)];
        _cleanup_close_ int fd = -EBADF;

        (void) snprintf(lock, sizeof(lock), "%s" METADATA_LOCK, name);
        fd = openat(h->pods_fd, lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_SH | LOCK_NB) >= 0)
                return -ENOENT;
        return errno == EWOULDBLOCK ? 0 : -errno;
}

static int open_document(const MetadataHttp *h, const char *token, char uuid[37], size_t *ret_index_size) {
        _cleanup_close_ int fd = -EBADF;
        char name[METADATA_NAME_MAX], header[METADATA_HEADER_SIZE];
        int r = metadata_file_name(token, name);

        if (r >= 0)
                r = check_alive(h, name);
        if (r < 0)
                return r;
        fd = openat(h->pods_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fd_read_full(fd, header, sizeof(header)) != (ssize_t) sizeof(header))
                return -EBADMSG;
        r = metadata_parse_header(header, sizeof(header), uuid, ret_index_size);
        return r < 0 ? r : TAKE_FD(fd);
}

static int find(int fd, size_t index_size, const char *path, MetadataAnswer *ret) {
        _cleanup_free_ char *index = malloc(index_size + 1);

        if (!index)
                return -ENOMEM;
        if (fd_read_full(fd, index, index_size) != (ssize_t) index_size)
                return -EBADMSG;
        return metadata_find(index, index_size, path, ret);
}

/* The bytes go from the file to the socket. */
static enum MHD_Result say_document(struct MHD_Connection *c, int document, size_t index_size,
                                    const char *path) {
        struct MHD_Response *response;
        MetadataAnswer a;
        int fd, r = find(document, index_size, path, &a);

        if (r == -ENOENT)
                return say(c, MHD_HTTP_NOT_FOUND, "There is nothing of this name.\n");
        fd = r < 0 ? -1 : fcntl(document, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "The pod's document cannot be read.\n");
        response = MHD_create_response_from_fd_at_offset64(a.size, fd,
                                                           METADATA_HEADER_SIZE + index_size + a.offset);
        if (!response)
                (void) fd_close(fd);
        return answer(c, MHD_HTTP_OK, metadata_content_type(a.type), response);
}

static bool has_field(const Request *q, FieldName f) {
        return !q->fields[f].bad && !q->fields[f].data.failed && q->fields[f].data.size > 0;
}

static enum MHD_Result sign(struct MHD_Connection *c, const MetadataHttp *h, const Request *q,
                            const char *uuid) {
        const StrBuf *content = &q->fields[FIELD_CONTENT].data;
        _cleanup_free_ char *text = NULL;
        uint8_t mac[IDENTITY_MAC_SIZE];

        if (!has_field(q, FIELD_CONTENT))
                return say(c, MHD_HTTP_BAD_REQUEST, "The form needs one field 'content'.\n");
        if (identity_sign(h->key, uuid, content->data, content->size, mac) < 0 ||
            base64_encode(mac, sizeof(mac), &text) < 0)
                return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "It cannot be signed.\n");
        return say(c, MHD_HTTP_OK, text);
}

static enum MHD_Result verify(struct MHD_Connection *c, const MetadataHttp *h, const Request *q) {
        const StrBuf *content = &q->fields[FIELD_CONTENT].data, *uuid = &q->fields[FIELD_UUID].data,
                     *signature = &q->fields[FIELD_SIGNATURE].data;
        char id[37];
        bool good;

        if (!has_field(q, FIELD_CONTENT) || !has_field(q, FIELD_UUID) || !has_field(q, FIELD_SIGNATURE))
                return say(c, MHD_HTTP_BAD_REQUEST,
                           "The form needs one field 'content', one 'uuid' and one 'signature'.\n");
        if (strlen(uuid->data) != uuid->size || ac_uuid_normalize(uuid->data, id) < 0 ||
            identity_verify(h->key, id, content->data, content->size, signature->data, signature->size,
                            &good) < 0)
                return say(c, MHD_HTTP_BAD_REQUEST, "This is no UUID, or no signature in base64.\n");
        return good ? say(c, MHD_HTTP_OK, "The signature is good.\n")
                    : say(c, MHD_HTTP_FORBIDDEN, "The signature is not of that pod and this content.\n");
}

static enum MHD_Result say_method(struct MHD_Connection *c, const char *allowed) {
        static const char text[] = "This is asked for by another method.\n";
        struct MHD_Response *response =
                MHD_create_response_from_buffer(strlen(text), unconst(text), MHD_RESPMEM_PERSISTENT);

        if (response)
                (void) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed);
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, metadata_content_type(METADATA_ASCII), response);
}

/* The request is whole. The token is looked at first: whoever has none learns nothing. */
static enum MHD_Result dispatch(struct MHD_Connection *c, const MetadataHttp *h, const Request *q,
                                const char *url, const char *method) {
        const bool is_get = streq(method, MHD_HTTP_METHOD_GET) || streq(method, MHD_HTTP_METHOD_HEAD);
        char token[METADATA_NAME_MAX], uuid[37];
        _cleanup_close_ int fd = -EBADF;
        size_t index_size = 0;
        const char *path;
        bool is_sign, is_verify;

        if (metadata_parse_url(url, token, &path) < 0)
                return say(c, MHD_HTTP_UNAUTHORIZED, "No pod has this token.\n");
        fd = open_document(h, token, uuid, &index_size);
        if (fd == -ENOENT)
                return say(c, MHD_HTTP_UNAUTHORIZED, "No pod has this token.\n");
        if (fd < 0)
                return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "The pod's document cannot be read.\n");
        if (!path)
                return say(c, MHD_HTTP_NOT_FOUND, "There is only /acMetadata/v1.\n");
        is_sign = streq(path, PATH_SIGN);
        is_verify = streq(path, PATH_VERIFY);
        if (is_sign || is_verify) {
                if (!streq(method, MHD_HTTP_METHOD_POST))
                        return say_method(c, "POST");
                return is_sign ? sign(c, h, q, uuid) : verify(c, h, q);
        }
        return is_get ? say_document(c, fd, index_size, path) : say_method(c, "GET, HEAD");
}

static bool is_local(int fd) {
        socklen_t size = sizeof(int);
        int family;

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) >= 0 && family == AF_UNIX;
}

/* Whose body is worth keeping: known before it is read. */
static bool takes_form(const MetadataHttp *h, const char *url, const char *method) {
        char token[METADATA_NAME_MAX], uuid[37];
        _cleanup_close_ int fd = -EBADF;
        size_t index_size;
        const char *path;

        if (!streq(method, MHD_HTTP_METHOD_POST) || metadata_parse_url(url, token, &path) < 0 || !path ||
            (!streq(path, PATH_SIGN) && !streq(path, PATH_VERIFY)))
                return false;
        fd = open_document(h, token, uuid, &index_size);
        return fd >= 0;
}

static void note_headers(MetadataHttp *h, struct MHD_Connection *c) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

        FOREACH_ARRAY (i, h->connections, h->n_connections)
                if (info && i->fd == info->connect_fd)
                        i->has_headers = true;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state) {
        Request *q = *state;

        if (!q) {
                q = *state = new0(Request, 1);
                if (!q)
                        return MHD_NO;
                note_headers(userdata, c);
                if (takes_form(userdata, url, method))
                        q->form = MHD_create_post_processor(c, FORM_BUFFER, on_field, q);
                return MHD_YES;
        }
        if (*size == 0) {
                if (q->form) /* says what it kept back */
                        (void) MHD_destroy_post_processor(TAKE_PTR(q->form));
                return q->body_size > METADATA_BODY_MAX
                               ? say(c, MHD_HTTP_CONTENT_TOO_LARGE, "A form may have 1 MiB.\n")
                               : dispatch(c, userdata, q, url, method);
        }
        /* what is too much is still read, or the client would not read the answer */
        q->body_size += MIN(*size, (size_t) METADATA_BODY_MAX + 1);
        if (q->body_size > 8 * (size_t) METADATA_BODY_MAX)
                return MHD_NO;
        if (q->form && q->body_size <= METADATA_BODY_MAX) /* what of it is no form gives no fields */
                (void) MHD_post_process(q->form, data, *size);
        *size = 0;
        return MHD_YES;
}

static void on_completed(void *userdata, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code) {
        *state = request_free(*state);
}

static Peer peer_of(int fd) {
        struct ucred who = {};
        socklen_t size = sizeof(who);
        Peer p = { .is_remote = !is_local(fd) };

        if (p.is_remote)
                return p;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
                return (Peer){ .uid = (uid_t) -1 };
        p.uid = who.uid;
        p.pid = who.uid == 0 || who.uid == NOBODY ? who.pid : 0;
        return p;
}

static unsigned count_peer(const MetadataHttp *h, const Peer *p) {
        unsigned n = 0;

        FOREACH_ARRAY (c, h->connections, h->n_connections)
                n += c->peer.is_remote == p->is_remote && c->peer.uid == p->uid && c->peer.pid == p->pid;
        return n;
}

static void on_connection(void *userdata, struct MHD_Connection *c, void **state,
                          enum MHD_ConnectionNotificationCode code) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        MetadataHttp *h = userdata;

        if (!info)
                return;
        if (code == MHD_CONNECTION_NOTIFY_STARTED && h->n_connections < METADATA_CONNECTIONS_MAX) {
                h->connections[h->n_connections++] = (Connection){ .fd = info->connect_fd,
                                                                   .since = clock_usec(CLOCK_MONOTONIC),
                                                                   .peer = peer_of(info->connect_fd) };
                return;
        }
        for (unsigned i = 0; code == MHD_CONNECTION_NOTIFY_CLOSED && i < h->n_connections; i++)
                if (h->connections[i].fd == info->connect_fd) {
                        h->connections[i] = h->connections[--h->n_connections];
                        return;
                }
}

/**
 * metadata_http_free() - end all connections
 * @h: may be NULL
 *
 * Return: NULL.
 */
MetadataHttp *metadata_http_free(MetadataHttp *h) {
        if (!h)
                return NULL;
        if (h->daemon)
                MHD_stop_daemon(h->daemon);
        free(h);
        return NULL;
}

/**
 * metadata_http_new() - serve the documents of a directory
 * @pods_fd: of the documents; stays the caller's and open
 * @key:     of IDENTITY_KEY_SIZE; stays the caller's
 * @ret:     for metadata_http_free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -EIO, -ENOMEM.
 */
int metadata_http_new(int pods_fd, const uint8_t *key, MetadataHttp **ret, Error *e) {
        _cleanup_(metadata_http_freep) MetadataHttp *h = new0(MetadataHttp, 1);

        if (!h)
                return error_oom(e);
        h->pods_fd = pods_fd;
        h->key = key;
        h->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, h,
                MHD_OPTION_CONNECTION_LIMIT, METADATA_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t) HEADERS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC, MHD_OPTION_NOTIFY_COMPLETED,
                on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
        if (!h->daemon)
                return error_setf(e, -EIO, "libmicrohttpd does not start");
        *ret = TAKE_PTR(h);
        return 0;
}

/**
 * metadata_http_fd() - becomes readable when there is something to do
 * @h: service
 *
 * Return: descriptor, not the caller's.
 */
int metadata_http_fd(const MetadataHttp *h) {
        return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/**
 * metadata_http_timeout() - how long to wait for metadata_http_fd() at most
 * @h:        service
 * @max_msec: milliseconds, if there is nothing to do earlier
 *
 * Return: milliseconds; 0: there is something to do.
 */
int metadata_http_timeout(const MetadataHttp *h, int max_msec) {
        unsigned long long msec;

        return MHD_get_timeout(h->daemon, &msec) == MHD_YES && msec < (unsigned) max_msec ? (int) msec
                                                                                          : max_msec;
}

/**
 * metadata_http_connections() - how many are open
 * @h: service
 *
 * Return: METADATA_CONNECTIONS_MAX at most.
 */
unsigned metadata_http_connections(const MetadataHttp *h) {
        return h->n_connections;
}

/**
 * metadata_http_has_room() - may another one come in?
 * @h:         service
 * @listen_fd: this way
 *
 * Return: false: the next one waits outside.
 */
bool metadata_http_has_room(const MetadataHttp *h, int listen_fd) {
        const Peer remote = { .is_remote = true };

        return h->n_connections < METADATA_CONNECTIONS_MAX &&
               (is_local(listen_fd) || count_peer(h, &remote) < METADATA_REMOTE_MAX);
}

/**
 * metadata_http_accept() - let one in
 * @h:         service
 * @listen_fd: has one waiting; one that has gone away meanwhile is no error
 *
 * A local peer that has METADATA_PEER_MAX already gets none.
 */
void metadata_http_accept(MetadataHttp *h, int listen_fd) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd = accept4(listen_fd, (struct sockaddr *) &address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        Peer p = {};

        if (fd >= 0)
                p = peer_of(fd);
        if (fd >= 0 && !p.is_remote && count_peer(h, &p) >= METADATA_PEER_MAX)
                (void) fd_close(fd);
        else if (fd >= 0) /* takes the descriptor, on failure too */
                (void) MHD_add_connection(h->daemon, fd, (struct sockaddr *) &address, size);
}

/**
 * metadata_http_run() - do what there is to do
 * @h: service
 *
 * A request that has not ended in time loses its connection, however busily it drips.
 */
void metadata_http_run(MetadataHttp *h) {
        usec_t now = clock_usec(CLOCK_MONOTONIC);

        FOREACH_ARRAY (c, h->connections, h->n_connections)
                if (now - c->since > (c->has_headers ? METADATA_REQUEST_USEC : METADATA_HEADERS_USEC))
                        (void) shutdown(c->fd, SHUT_RDWR);
        (void) MHD_run(h->daemon);
}
