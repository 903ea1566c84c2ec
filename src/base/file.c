/* file -- see file.h. */
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HUGE_FROM = 32 << 20 }; /* bytes of a file whose mapping is worth huge pages */

static status io(error *err, const char *path, const char *what)
{
    error_set(err, E_IO, "%s: cannot %s: %s", path, what, strerror(errno));
    if (errno == ENOENT)
        error_hint(err, "check the path; it is looked up from the current directory");
    if (errno == ENOSPC) error_hint(err, "the disk is full; nothing that was there before is lost");
    return E_IO;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a directory"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
           : S_ISFIFO(mode)                 ? "a pipe"
                                            : "no regular file";
}

static status open_regular(int *fd, struct stat *st, const char *path, error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return io(err, path, "open");
    if (fstat(*fd, st) == 0 && S_ISREG(st->st_mode)) return E_OK;
    close(*fd);
    return error_set(err, E_IO, "%s: is %s, expected a regular file", path, kind_of(st->st_mode));
}

status file_open_map(file_map *out, const char *path, error *err)
{
    struct stat st;
    int fd;
    status s = open_regular(&fd, &st, path, err);
    if (s != E_OK) return s;
    file_map m = { NULL, (size_t)st.st_size };
    if (m.bytes) {
        void *p = mmap(NULL, m.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            io(err, path, "map");
            close(fd);
            return E_IO;
        }
        m.p = p;
        /* What then comes from the disk comes, and is mapped, 2 MB at a time, where the system can: weights of 1 GB are
         * 540 pages, not 260,000, and kernels that read at the speed of memory do not wait for addresses. */
        if (m.bytes >= HUGE_FROM) (void)madvise(p, m.bytes, MADV_HUGEPAGE);
    }
    close(fd);
    *out = m;
    return E_OK;
}

size_t file_head(void *out, const char *path, size_t max_bytes)
{
    struct stat st;
    int fd;
    if (open_regular(&fd, &st, path, NULL) != E_OK) return 0;
    ssize_t n = read(fd, out, max_bytes);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

void file_unmap(file_map *m)
{
    if (m->p) munmap((void *)m->p, m->bytes);
    *m = (file_map){ 0 };
}

void file_rest(const file_map *m, const void *p, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE),
           at = (size_t)((const char *)p - (const char *)m->p);
    size_t first = (at + page - 1) / page * page, end = at + bytes;
    if (end < m->bytes) end = end / page * page; /* the last page is the file's alone */
    if (m->p && first < end) (void)madvise((char *)m->p + first, end - first, MADV_DONTNEED);
}

status file_read(str *s, const char *path, size_t max_bytes, error *err)
{
    file_map m;
    status st = file_open_map(&m, path, err);
    if (st != E_OK) return st;
    if (m.bytes > max_bytes)
        st = error_set(err, E_LIMIT, "%s: has %zu bytes, at most %zu are read", path, m.bytes,
                       max_bytes);
    else {
        str_add(s, m.p, m.bytes);
        if (s->failed) st = error_set(err, E_NOMEM, "%s: out of memory", path);
    }
    file_unmap(&m);
    return st;
}

bool file_in_dir(const char *dir, const char *end)
{
    DIR *d = opendir(dir);
    bool found = false;
    for (const struct dirent *e; d && !found && (e = readdir(d));) found = str_ends(e->d_name, end);
    if (d) closedir(d);
    return found;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* ---- writing ---- */

static void out_forget(file_out *out)
{
    if (out->path) mem_free(out->path, strlen(out->path) + 1);
    if (out->temp) mem_free(out->temp, strlen(out->temp) + 1);
    *out = (file_out){ 0 };
}

static char *text_new(const char *fmt, const char *a, int b, unsigned c)
{
    int n = snprintf(NULL, 0, fmt, a, b, c);
    char *p = n < 0 ? NULL : mem_resize(NULL, 0, (size_t)n + 1);
    if (p) snprintf(p, (size_t)n + 1, fmt, a, b, c);
    return p;
}

/* Devices and pipes are written as they are: there is nothing to rename. */
static bool goes_straight(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

status file_out_open(file_out *out, const char *path, error *err)
{
    static atomic_uint n_made;
    file_out o = { 0 };
    if (file_is_dir(path))
        return error_set(err, E_IO, "%s: is a directory, expected a file to write", path);
    char whole[PATH_MAX]; /* what a link points to is replaced, not the link */
    if (realpath(path, whole)) path = whole;
    o.path = text_new("%s%.0d%.0u", path, 0, 0);
    o.temp = goes_straight(path)
                 ? text_new("%s%.0d%.0u", path, 0, 0)
                 : text_new("%s.%d-%u.part", path, (int)getpid(), atomic_fetch_add(&n_made, 1));
    if (!o.path || !o.temp) {
        out_forget(&o);
        return error_set(err, E_NOMEM, "%s: out of memory", path);
    }
    o.f = fopen(o.temp, "wbe");
    if (!o.f) {
        io(err, path, "write");
        out_forget(&o);
        return E_IO;
    }
    *out = o;
    return E_OK;
}

status file_out_commit(file_out *out, error *err)
{
    bool straight = !strcmp(out->path, out->temp);
    int fine = !ferror(out->f) && fflush(out->f) == 0 && (straight || fsync(fileno(out->f)) == 0);
    int why = fine ? 0 : errno;
    if (fclose(out->f) != 0 && fine) fine = 0, why = errno;
    out->f = NULL;
    struct stat old; /* a file that is replaced keeps its permissions */
    if (fine && !straight && stat(out->path, &old) == 0)
        (void)chmod(out->temp, old.st_mode & 07777);
    if (fine && !straight && rename(out->temp, out->path) != 0) fine = 0, why = errno;
    if (!fine) {
        errno = why ? why : ENOSPC;
        io(err, out->path, "write");
        if (!straight) unlink(out->temp);
    }
    out_forget(out);
    return fine ? E_OK : E_IO;
}

void file_out_abandon(file_out *out)
{
    if (out->f) fclose(out->f);
    if (out->temp && strcmp(out->temp, out->path)) unlink(out->temp);
    out_forget(out);
}

status file_write(const char *path, const void *bytes, size_t n, error *err)
{
    file_out out;
    status st = file_out_open(&out, path, err);
    if (st != E_OK) return st;
    if (n && fwrite(bytes, 1, n, out.f) != n) {
        io(err, path, "write");
        file_out_abandon(&out);
        return E_IO;
    }
    return file_out_commit(&out, err);
}

char *path_join(arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir), m = strlen(name);
    char *p = arena_get(a, n + m + 2);
    if (!p) return NULL;
    while (n > 1 && dir[n - 1] == '/') n--;
    memcpy(p, dir, n);
    if (n && p[n - 1] != '/') p[n++] = '/';
    memcpy(p + n, name, m + 1);
    return p;
}

char *path_dir(arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = arena_string(a, slash ? path : ".");
    if (dir && slash) dir[slash == path ? 1 : slash - path] = 0;
    return dir;
}
/* SPDX-License-Identifier: MIT */
