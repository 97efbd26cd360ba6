/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ace STAGE: what the App Container standard promises to an app, asked from inside. Written from the standard's text, with
 * libc alone, so that it is wrong on its own. STAGE is prestart, main, sidekick or poststop; "STAGE OK" is printed when all is
 * as it should be, else what is not, and the exit status is 1.
 *
 * The images (aci.py): both have /work as working directory and a mount point "database" at /db; "main" has the handlers.
 * prestart leaves a file for main, main one for poststop, main and sidekick show each other one through the volume.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define JSON "application/json"
#define TEXT "text/plain; charset=us-ascii"

static int failures;

__attribute__((format(printf, 2, 3))) static void check(bool good, const char *format, ...) {
        va_list ap;

        if (good)
                return;
        failures++;
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
}

static const char *env(const char *name) {
        const char *value = getenv(name);

        return value ? value : "";
}

/* --- HTTP: one request per connection, the answer read to its end --- */

typedef struct Answer {
        int status;
        char type[128], body[256 * 1024];
        size_t size;
} Answer;

static char host[64], base[512]; /* of AC_METADATA_URL */
static int port;

static void split_url(void) {
        char rest[1024];

        if (sscanf(env("AC_METADATA_URL"), "http://%63[0-9.]:%d%1023s", host, &port, rest) != 3 ||
            rest[0] != '/') {
                printf("AC_METADATA_URL is '%s'\n", env("AC_METADATA_URL"));
                exit(1);
        }
        snprintf(base, sizeof(base), "%.500s", rest);
}

static int dial(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short) port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
            connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0) {
                printf("no metadata service at %s:%d: %s\n", host, port, strerror(errno));
                exit(1);
        }
        return fd;
}

static void read_answer(int fd, Answer *ret) {
        static char raw[300 * 1024];
        size_t n = 0;
        ssize_t k;
        char *head_end, *type;

        while (n < sizeof(raw) - 1 && (k = read(fd, raw + n, sizeof(raw) - 1 - n)) > 0)
                n += (size_t) k;
        close(fd);
        raw[n] = '\0';
        *ret = (Answer){};
        head_end = strstr(raw, "\r\n\r\n");
        if (!head_end || sscanf(raw, "HTTP/1.%*d %d", &ret->status) != 1)
                return;
        *head_end = '\0';
        type = strcasestr(raw, "\r\nContent-Type:");
        if (type)
                sscanf(type + strlen("\r\nContent-Type:"), " %127[^\r\n]", ret->type);
        ret->size = n - (size_t) (head_end + 4 - raw);
        if (ret->size < sizeof(ret->body))
                memcpy(ret->body, head_end + 4, ret->size + 1);
}

static void request(const char *method, const char *token, const char *path, const char *form, Answer *ret) {
        static char text[64 * 1024];
        int fd = dial(), n;

        n = snprintf(text, sizeof(text),
                     "%s %s/acMetadata/v1%s HTTP/1.1\r\nHost: %s:%d\r\nMetadata-Flavor: AppContainer\r\n"
                     "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     method, token, path, host, port, strlen(form), form);
        if (write(fd, text, (size_t) n) != n)
                printf("cannot write the request\n");
        read_answer(fd, ret);
}

static const char *get(const char *path, const char *type) {
        static Answer a;

        request("GET", base, path, "", &a);
        check(a.status == 200, "GET %s: status %d", path, a.status);
        check(strcmp(a.type, type) == 0, "GET %s: Content-Type '%s' rather than '%s'", path, a.type, type);
        return a.body;
}

static int post(const char *token, const char *path, const char *form, char *ret, size_t size) {
        static Answer a;

        request("POST", token, path, form, &a);
        if (ret)
                snprintf(ret, size, "%.500s", a.body);
        if (a.status == 200)
                check(strcmp(path, "/pod/hmac/sign") != 0 || strcmp(a.type, TEXT) == 0,
                      "POST %s: Content-Type '%s'", path, a.type);
        return a.status;
}

/* --- JSON: enough to find a member --- */

static const char *skip_blank(const char *p) {
        return p + strspn(p, " \t\r\n");
}

static const char *skip_value(const char *p) {
        int depth = 0;

        for (p = skip_blank(p); *p; p++) {
                if (*p == '"')
                        for (p++; *p && *p != '"'; p++)
                                p += *p == '\\';
                else if (*p == '{' || *p == '[')
                        depth++;
                else if (*p == '}' || *p == ']')
                        depth--;
                else if (depth > 0 || !strchr(",}] \t\r\n", p[1] ? p[1] : ','))
                        continue;
                if (depth == 0)
                        return p + 1;
        }
        return p;
}

/* The value of a member of the object, without what comes behind; "" if there is none. */
static char *member(const char *object, const char *name) {
        const char *p = skip_blank(object);

        if (*p != '{')
                return strdup("");
        for (p = skip_blank(p + 1); *p == '"';) {
                const char *key_end = skip_value(p), *value = skip_blank(skip_blank(key_end) + 1);
                const char *end = skip_value(value);

                if ((size_t) (key_end - p) == strlen(name) + 2 && strncmp(p + 1, name, strlen(name)) == 0)
                        return strndup(value, (size_t) (end - value));
                p = skip_blank(end);
                if (*p == ',')
                        p = skip_blank(p + 1);
        }
        return strdup("");
}

/* Without blanks outside of strings, so that two texts can be compared. */
static char *squeeze(const char *text) {
        char *out = strdup(text), *to = out;
        bool quoted = false;

        for (const char *p = text; *p; p++) {
                if (*p == '"' && (p == text || p[-1] != '\\'))
                        quoted = !quoted;
                if (quoted || !isspace((unsigned char) *p))
                        *to++ = *p;
        }
        *to = '\0';
        return out;
}

/* --- what the standard says --- */

static void check_environment(const char *app) {
        char cwd[256] = "";

        check(strcmp(env("PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") == 0,
              "PATH is '%s'", env("PATH"));
        check(strcmp(env("AC_APP_NAME"), app) == 0, "AC_APP_NAME is '%s' rather than '%s'",
              env("AC_APP_NAME"), app);
        check(*env("container"), "'container' is not set");
        check(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/work") == 0, "the working directory is '%s'", cwd);
        check(strcmp(env("IN_MANIFEST"), "two words") == 0, "IN_MANIFEST is '%s'", env("IN_MANIFEST"));
}

static void check_type(const char *path, long type) {
        struct statfs s;

        check(statfs(path, &s) == 0 && (long) s.f_type == type, "%s is not the file system that it has to be",
              path);
}

static void check_node(const char *path, unsigned major, unsigned minor) {
        struct stat st;

        check(stat(path, &st) == 0 && S_ISCHR(st.st_mode), "%s is no device", path);
        check(major == 0 || st.st_rdev == makedev(major, minor), "%s is another device", path);
}

static void check_files(void) {
        struct stat root, db;

        check_type("/proc", PROC_SUPER_MAGIC);
        check_type("/sys/kernel", SYSFS_MAGIC); /* it may have been mounted in parts */
        check_type("/dev/pts", DEVPTS_SUPER_MAGIC);
        check_type("/dev/shm", TMPFS_MAGIC);
        check_node("/dev/null", 1, 3);
        check_node("/dev/zero", 1, 5);
        check_node("/dev/full", 1, 7);
        check_node("/dev/random", 1, 8);
        check_node("/dev/urandom", 1, 9);
        check_node("/dev/tty", 5, 0);
        check_node("/dev/ptmx", 5, 2);
        check_node("/dev/console", 0, 0);
        check(stat("/", &root) == 0 && stat("/db", &db) == 0 && root.st_dev != db.st_dev,
              "/db is no mount of its own");
}

static void check_annotations(const char *app) {
        char path[256], *list, *pod, *kept;
        static const char *const expected[] = {
                "{\"name\":\"authors\",\"value\":\"example.com\"}",
                "{\"name\":\"example.com/note\",\"value\":\"of the image\"}"
        };

        snprintf(path, sizeof(path), "/apps/%s/annotations", app);
        list = squeeze(get(path, JSON));
        for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
                check(strstr(list, expected[i]) != NULL, "annotations of the app: %s", list);
        pod = squeeze(get("/pod/annotations", JSON));
        list = member(get("/pod/manifest", JSON), "annotations");
        kept = squeeze(list);
        check(*pod == '[' && strcmp(pod, kept) == 0, "annotations of the pod are %s, in its manifest %s", pod,
              kept);
}

static void check_image(const char *app) {
        char path[256], *name, *kind;
        const char *id;

        snprintf(path, sizeof(path), "/apps/%s/image/manifest", app);
        name = member(get(path, JSON), "name");
        kind = member(get(path, JSON), "acKind");
        check(strcmp(kind, "\"ImageManifest\"") == 0, "acKind of the image is %s", kind);
        check(strncmp(name, "\"example.com/ace-", 17) == 0, "the image is called %s", name);
        snprintf(path, sizeof(path), "/apps/%s/image/id", app);
        id = get(path, TEXT);
        check(strncmp(id, "sha512-", 7) == 0 && strlen(id) >= 7 + 64 &&
                      strspn(id + 7, "0123456789abcdef") == strlen(id + 7),
              "the image ID is '%s'", id);
}

static void check_pod(const char *app, char uuid[64]) {
        char *kind, *apps, name[128];

        snprintf(uuid, 64, "%.63s", get("/pod/uuid", TEXT));
        check(strlen(uuid) == 36 && strspn(uuid, "0123456789abcdef-") == 36 && uuid[8] == '-',
              "the UUID is '%s'", uuid);
        check(strlen(base) - 1 >= 128 / 8 && !strstr(base, uuid), "the token is '%s'", base);
        kind = member(get("/pod/manifest", JSON), "acKind");
        check(strcmp(kind, "\"PodManifest\"") == 0, "acKind of the pod is %s", kind);
        apps = squeeze(get("/pod/manifest", JSON));
        snprintf(name, sizeof(name), "\"name\":\"%s\"", app);
        check(strstr(apps, name) != NULL, "the pod manifest has no app '%s'", app);
}

/* base64 and UUIDs, as a form has them */
static void encode(const char *text, char *ret, size_t size) {
        size_t n = 0;

        for (; *text && n + 4 <= size; text++)
                n += (size_t) snprintf(ret + n, size - n,
                                       isalnum((unsigned char) *text) || *text == '-' ? "%c" : "%%%02X",
                                       (unsigned char) *text);
}

static int verify(const char *content, const char *uuid, const char *signature) {
        char form[2048], encoded[1024] = "";

        encode(signature, encoded, sizeof(encoded));
        snprintf(form, sizeof(form), "content=%s&uuid=%s&signature=%s", content, uuid, encoded);
        return post(base, "/pod/hmac/verify", form, NULL, 0);
}

static void check_identity(const char *uuid) {
        char signature[512], other[512], stranger[600];

        check(post(base, "/pod/hmac/sign", "content=I+am%20%C3%BC%00this", signature, sizeof(signature)) ==
                      200,
              "signing failed");
        check(strlen(signature) == 88 && signature[87] == '=', "the signature is '%s'", signature);
        check(post(base, "/pod/hmac/sign", "content=else", other, sizeof(other)) == 200 &&
                      strcmp(signature, other) != 0,
              "two contents have one signature");
        check(verify("I+am%20%C3%BC%00this", uuid, signature) == 200, "a good signature is refused");
        check(verify("I+am+that", uuid, signature) == 403, "a changed content passes");
        check(verify("I+am%20%C3%BC%00this", "6733c088-a507-4694-aabf-edbe4fc5266f", signature) == 403,
              "another pod's signature passes");
        check(verify("I+am%20%C3%BC%00this", uuid, other) == 403, "another content's signature passes");
        check(post(base, "/pod/hmac/sign", "other=x", NULL, 0) == 400, "a form without content");
        snprintf(stranger, sizeof(stranger), "%s", base);
        stranger[strlen(stranger) - 1] ^= 1;
        check(post(stranger, "/pod/hmac/sign", "content=x", NULL, 0) == 401, "a token that nobody has");
}

/* --- files that one stage leaves for another --- */

static void leave(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        check(fd >= 0 && write(fd, path, strlen(path)) == (ssize_t) strlen(path), "cannot write %s: %s", path,
              strerror(errno));
        close(fd);
}

static void find(const char *path, int seconds) {
        char text[64] = "";
        int fd = -1;

        for (int i = 0; i <= seconds * 20 && fd < 0; i++) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        usleep(50000);
        }
        /* whoever wrote it may be in the middle of it */
        for (int i = 0; i < 20 && fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) <= 0; i++)
                usleep(50000);
        check(strcmp(text, path) == 0, "%s has '%s'", path, text);
        close(fd);
}

int main(int argc, char **argv) {
        const char *stage = argc == 2 ? argv[1] : "";
        const char *app = strcmp(stage, "sidekick") == 0 ? "ace-sidekick" : "ace-main";
        char uuid[64];

        setvbuf(stdout, NULL, _IOLBF, 0);
        split_url();
        check_environment(app);
        check_files();
        check_pod(app, uuid);
        check_image(app);
        check_annotations(app);
        check_identity(uuid);
        if (strcmp(stage, "prestart") == 0)
                leave("/prestart");
        else if (strcmp(stage, "main") == 0) {
                find("/prestart", 0);
                leave("/db/main");
                find("/db/sidekick", 30);
                leave("/main");
        } else if (strcmp(stage, "sidekick") == 0) {
                leave("/db/sidekick");
                find("/db/main", 30);
        } else if (strcmp(stage, "poststop") == 0)
                find("/main", 0);
        else
                check(false, "there is no stage '%s'", stage);
        if (failures == 0)
                printf("%s OK\n", stage);
        return failures > 0;
}
