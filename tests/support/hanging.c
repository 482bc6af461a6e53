/* Preloaded: a read of a file whose path contains one of the comma-separated parts in HANGS takes ten minutes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int hangs(const char *path) {
    char parts[4096], *rest = NULL;
    const char *told = getenv("HANGS");
    if (!told) return 0;
    snprintf(parts, sizeof parts, "%s", told);
    for (char *part = strtok_r(parts, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        if (strstr(path, part)) return 1;
    return 0;
}

ssize_t read(int fd, void *buffer, size_t size) {
    static ssize_t (*real)(int, void *, size_t);
    char link[64], path[PATH_MAX];
    if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        if (hangs(path)) sleep(600);
    }
    return real(fd, buffer, size);
}
