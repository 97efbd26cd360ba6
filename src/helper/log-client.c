/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Output of an app for who is attached to it: at the pace of who reads, but not of who does not. */
#include "helper/log-client.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLIENT_MSEC      5000 /* that one may keep the app waiting without having read anything */
#define CLIENT_LAST_MSEC 1000 /* when the app has ended: others wait for that */
#define CLIENT_TURN_MSEC 50
#define CLIENT_PIECE     512 /* the kernel counts a piece as read when all of it is */

/**
 * client_drop() - close the connection
 * @c: is free afterwards
 */
void client_drop(Client *c) {
        (void) close(c->fd);
        *c = (Client){ .fd = -1 };
}

/* Somebody's terminal may stand still for as long as it likes, while there is an app. */
static bool has_patience(const Client *c, Sender *app, bool is_end, int waited_msec) {
        bool app_lives = !is_end && sender_find_pid(app) > 0 &&
                         poll(&(struct pollfd){ .fd = app->pidfd, .events = POLLIN }, 1, 0) == 0;

        return app_lives ? c->is_first || waited_msec < CLIENT_MSEC : waited_msec < CLIENT_LAST_MSEC;
}

/* Until there may be room again: the socket calls itself writable only when most of what is in it was read, which over a slow
 * line takes its time. False: nothing was read. */
static bool wait_for_client_to_read(const Client *c, Sender *app, bool is_end,
                                    const volatile sig_atomic_t *stopping) {
        int before = 0, left = 0;

        if (ioctl(c->fd, SIOCOUTQ, &before) < 0)
                return false;
        for (int waited = 0; has_patience(c, app, is_end, waited);
             waited += waited < CLIENT_MSEC ? CLIENT_TURN_MSEC : 0) {
                if (*stopping)
                        return false;
                if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, CLIENT_TURN_MSEC) > 0)
                        return true; /* or it is gone, which sending says */
                if (ioctl(c->fd, SIOCOUTQ, &left) < 0)
                        return false;
                if (left < before)
                        return true;
        }
        return false;
}

/**
 * client_send() - a piece of the app's output
 * @c:        client; dropped if it has gone, or does not read
 * @app:      that waits meanwhile
 * @is_end:   somebody waits for the last words: processes that the app still has are no reason to wait long
 * @stopping: not for ever
 * @data:     @size bytes
 * @size:     bytes
 */
void client_send(Client *c, Sender *app, bool is_end, const volatile sig_atomic_t *stopping, const char *data,
                 size_t size) {
        while (size > 0) {
                ssize_t n = send(c->fd, data, size < CLIENT_PIECE ? size : CLIENT_PIECE,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && (errno == EINTR ||
                              (errno == EAGAIN && wait_for_client_to_read(c, app, is_end, stopping))))
                        continue;
                if (n < 0) {
                        client_drop(c);
                        return;
                }
                data += n;
                size -= (size_t) n;
        }
}
