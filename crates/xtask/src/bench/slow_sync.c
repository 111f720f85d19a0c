/* Preloaded into the unchanged executable: every sync takes SLOW_SYNC_US microseconds longer. For benchmarks and for
   trying what a slow disk does; the product has no such switch.
   With SLOW_SYNC_FILE, that file holds the microseconds and is read all the while, so that a disk can become slow, hang and
   recover. With SLOW_SYNC_PATH, only files whose path holds that text are slow. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long microseconds(void) {
    const char *path = getenv("SLOW_SYNC_FILE"), *us = getenv("SLOW_SYNC_US");
    char text[32] = "0";
    FILE *file = path ? fopen(path, "r") : 0;
    if (!file) return us ? atol(us) : 0;
    if (!fgets(text, sizeof text, file)) text[0] = 0;
    fclose(file);
    return atol(text);
}

static int is_slow(int fd) {
    const char *part = getenv("SLOW_SYNC_PATH");
    char link[64], path[4096];
    if (!part) return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != 0;
}

static void delay(int fd) {
    const long step = 10000;
    long waited = 0;
    if (!is_slow(fd)) return;
    for (long left; (left = microseconds() - waited) > 0; waited += left < step ? left : step)
        usleep((useconds_t)(left < step ? left : step));
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    delay(fd);
    return real(fd);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    delay(fd);
    return real(fd);
}
