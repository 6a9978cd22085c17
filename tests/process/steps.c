/* Counts the steps by which a process changes its disk or its connections, and dies by SIGKILL before one of them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_long seen, fatal; /* at 0 nobody dies */

void steps_arm(long at) { atomic_store(&seen, 0); atomic_store(&fatal, at); }

static void step(void) {
    long at = atomic_load(&fatal);
    if (at > 0 && atomic_fetch_add(&seen, 1) + 1 == at) kill(getpid(), SIGKILL);
}

#define STEP(result, name, given, passed) \
    result name given { static result (*real) given; if (!real) real = dlsym(RTLD_NEXT, #name); step(); return real passed; }

STEP(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at))
STEP(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at), (fd, b, n, at))
STEP(int, fsync, (int fd), (fd))
STEP(int, fdatasync, (int fd), (fd))
STEP(ssize_t, send, (int fd, const void *b, size_t n, int how), (fd, b, n, how))
STEP(ssize_t, recv, (int fd, void *b, size_t n, int how), (fd, b, n, how))
STEP(ssize_t, sendto, (int fd, const void *b, size_t n, int how, const struct sockaddr *to, socklen_t size), (fd, b, n, how, to, size))
STEP(ssize_t, recvfrom, (int fd, void *restrict b, size_t n, int how, struct sockaddr *restrict from, socklen_t *restrict size), (fd, b, n, how, from, size))
