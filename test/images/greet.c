/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * greet: a web server that only knows sockets which it is handed (sd_listen_fds(3)). Its answer says what it was
 * handed, so that a test can see a descriptor's whole way: host's socket unit, nspawn, the pod's systemd, the app.
 * Linked statically for an image that holds nothing else.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3
#define MAX_FDS  16

static void answer(int fd, int n_fds, const char *names) {
        char request[4096], body[256], reply[512];
        int length;

        if (read(fd, request, sizeof(request)) <= 0)
                return;
        length = snprintf(body, sizeof(body), "Hello from greet. %d socket%s passed: %s\n", n_fds,
                          n_fds == 1 ? "" : "s", names);
        length = snprintf(reply, sizeof(reply),
                          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: "
                          "close\r\n\r\n%s",
                          length, body);
        if (write(fd, reply, (size_t) length) != length)
                perror("greet: write");
}

int main(void) {
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"),
                   *names = getenv("LISTEN_FDNAMES");
        struct pollfd polled[MAX_FDS];
        int n_fds = fds ? atoi(fds) : 0;

        setvbuf(stdout, NULL, _IONBF, 0);
        if (!pid || atoi(pid) != getpid() || n_fds < 1 || n_fds > MAX_FDS) {
                fprintf(stderr, "greet: no sockets were passed (LISTEN_PID=%s, LISTEN_FDS=%s, I am %d)\n",
                        pid ? pid : "", fds ? fds : "", getpid());
                return 3;
        }
        printf("greet: %d socket(s) passed: %s\n", n_fds, names ? names : "");
        for (int i = 0; i < n_fds; i++)
                polled[i] = (struct pollfd){ .fd = FIRST_FD + i, .events = POLLIN };
        for (;;) {
                if (poll(polled, (nfds_t) n_fds, -1) < 0)
                        return 1;
                for (int i = 0; i < n_fds; i++) {
                        int fd;

                        if (!(polled[i].revents & POLLIN))
                                continue;
                        fd = accept(polled[i].fd, NULL, NULL);
                        if (fd < 0)
                                continue;
                        answer(fd, n_fds, names ? names : "");
                        close(fd);
                }
        }
}
