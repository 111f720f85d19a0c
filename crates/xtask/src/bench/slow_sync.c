/* Preloaded into the unchanged executable: every sync takes SLOW_SYNC_US microseconds longer. For benchmarks and for
   trying what a slow disk does; the product has no such switch. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void delay(void) {
    const char *us = getenv("SLOW_SYNC_US");
    if (us) usleep((useconds_t)strtoul(us, 0, 10));
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    delay();
    return real(fd);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    delay();
    return real(fd);
}
