/* Stops a process by SIGSTOP, once, when half of a statement is sent: the server waits for the rest. STALLS_AT says at which. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static atomic_flag done = ATOMIC_FLAG_INIT;

static ssize_t (*sends(void))(int, const void *, size_t, int) {
    static ssize_t (*real)(int, const void *, size_t, int);
    if (!real) real = dlsym(RTLD_NEXT, "send");
    return real;
}

static int is_there(const char *what, const void *b, size_t n) {
    if (!strcmp(what, "COPY")) return n > 0 && *(const char *)b == 'd'; /* CopyData */
    return memmem(b, n, what, strlen(what)) != NULL;
}

ssize_t send(int fd, const void *b, size_t n, int how) {
    const char *what = getenv("STALLS_AT");
    if (!what || !is_there(what, b, n) || atomic_flag_test_and_set(&done)) return sends()(fd, b, n, how);
    ssize_t half = sends()(fd, b, n / 2, how);
    raise(SIGSTOP); /* this thread at once, and then all */
    return half; /* libpq sends the rest */
}
