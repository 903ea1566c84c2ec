/* pages -- see pages.h: /proc/self/pagemap has a word a page, whose highest bit says so. */
#include "pages.h"
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

static bool is_here(int fd, size_t page)
{
    uint64_t word = 0;
    return pread(fd, &word, sizeof word, (off_t)(page * sizeof word)) == sizeof word && word >> 63;
}

int pages_here(const void *p, size_t bytes, int *n)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE), at = (size_t)p;
    size_t first = (at + size - 1) / size, end = (at + bytes) / size;
    int here = 0, fd = open("/proc/self/pagemap", O_RDONLY);
    *n = 0;
    for (size_t i = first; i < end; i++) here += is_here(fd, i), ++*n;
    if (fd >= 0) close(fd);
    return here;
}

bool pages_said(void)
{
    int n, one = 1;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    const char *p = (const char *)&one;
    return pages_here(p - (size_t)p % size, size, &n) == 1;
}
/* SPDX-License-Identifier: MIT */
