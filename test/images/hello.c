/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hello: a web server that says hello, or what variables it has at /env. It listens on the port that its argument is, 5000
 * without one, or on the socket that it is handed (sd_listen_fds(3)). Somebody waiting for that (sd_notify(3)), it is ready when it has
 * answered once, so that a test can see both.
 */

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSED_FD 3

extern char **environ;

static int open_socket(int port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short) port) };
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
                perror("hello");
                exit(1);
        }
        return fd;
}

static void notify(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

        if (!path || fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return;
        memcpy(address.sun_path, path, strlen(path));
        if (*path == '@')
                address.sun_path[0] = '\0';
        if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *) &address,
                   (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
                perror("hello: notify");
        close(fd);
}

static void answer(int fd) {
        char request[4096] = "";

        if (read(fd, request, sizeof(request) - 1) <= 0)
                return;
        dprintf(fd, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        if (strncmp(request, "GET /env ", 9) != 0)
                dprintf(fd, "hello\n");
        else
                for (char **v = environ; *v; v++)
                        dprintf(fd, "%s\n", *v);
}

int main(int argc, char **argv) {
        int port = argc > 1 ? atoi(argv[1]) : 5000, fd = getenv("LISTEN_FDS") ? PASSED_FD : open_socket(port);

        puts("hello listens");
        fflush(stdout);
        for (;;) {
                int peer = accept(fd, NULL, NULL);

                if (peer < 0)
                        return 1;
                answer(peer);
                close(peer);
                puts("hello has answered");
                fflush(stdout);
                notify();
        }
}
