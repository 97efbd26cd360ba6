/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * traffic serve PORT                  answer whoever connects: 's': take all bytes there are; 'r': send each byte back
 * traffic send ADDRESS PORT MSEC      print how many MiB a second arrive
 * traffic ping ADDRESS PORT COUNT     print the microseconds of one byte there and back, on the average
 *
 * Over TCP, IPv4. Statically linked and small: what is measured is the network.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[256 * 1024];

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static int serve(const char *port) {
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port)) };
        int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

        (void) signal(SIGCHLD, SIG_IGN);
        if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(listener, (const struct sockaddr *) &any, sizeof(any)) < 0 || listen(listener, 16) < 0)
                fail("listen");
        (void) puts("ready");
        (void) fflush(stdout);
        for (;;) {
                int fd = accept(listener, NULL, NULL);
                char kind = 0;
                ssize_t n;

                if (fd < 0 || fork() != 0) {
                        (void) close(fd);
                        continue;
                }
                (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                if (read(fd, &kind, 1) != 1)
                        _exit(EXIT_FAILURE);
                while ((n = read(fd, buffer, kind == 's' ? sizeof(buffer) : 1)) > 0)
                        if (kind == 'r' && write(fd, buffer, (size_t) n) != n)
                                break;
                /* all has arrived */
                _exit(write(fd, "", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
}

static int reach(const char *address, const char *port, char kind) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port)) };
        int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

        if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
            connect(fd, (const struct sockaddr *) &to, sizeof(to)) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 || write(fd, &kind, 1) != 1)
                fail("connect");
        return fd;
}

static void send_all(int fd, int64_t msec) {
        int64_t began = now_ns(), end = began + msec * 1000000, sent = 0;

        while (now_ns() < end) {
                ssize_t n = write(fd, buffer, sizeof(buffer));

                if (n < 0)
                        fail("write");
                sent += n;
        }
        if (shutdown(fd, SHUT_WR) < 0 || read(fd, buffer, 1) != 1)
                fail("read");
        (void) printf("%.1f\n", (double) sent / 1048576 / ((double) (now_ns() - began) / 1e9));
}

static void ping(int fd, int count) {
        int64_t began = now_ns();

        for (int i = 0; i < count; i++)
                if (write(fd, "x", 1) != 1 || read(fd, buffer, 1) != 1)
                        fail("ping");
        (void) printf("%.3f\n", (double) (now_ns() - began) / 1e3 / count);
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "serve") == 0)
                return serve(argv[2]);
        if (argc != 5)
                return EXIT_FAILURE;
        if (strcmp(argv[1], "send") == 0)
                send_all(reach(argv[2], argv[3], 's'), atoi(argv[4]));
        else
                ping(reach(argv[2], argv[3], 'r'), atoi(argv[4]));
        return EXIT_SUCCESS;
}
