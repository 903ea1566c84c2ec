/* cgroup -- see cgroup.h.  A line of /proc/self/cgroup is "0::PATH" of version 2, or "N:CONTROLLER,..:PATH" of version 1,
 * whose controllers have a tree each. */
#include "base/cgroup.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int64_t kernel_number(const char *path, const char *key)
{
    char line[200];
    long long v = -1;
    size_t n = strlen(key);
    FILE *f = fopen(path, "r");
    while (f && v < 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, key, n) && sscanf(line + n, "%lld", &v) != 1) v = -1;
    if (f) fclose(f);
    return v;
}

static int64_t number_in(const char *dir, const char *file, const char *key)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return kernel_number(path, key);
}

/* ---- the way up ---- */

/* What a group says of itself: *least is lowered to it. */
typedef void group_look(const char *dir, bool second, int64_t *least);

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || !at[n])) return true;
    return false;
}

/* From the group of this path in the tree at `top` up to the tree's root. */
static void look_up(const char *top, const char *path, bool second, group_look *look,
                    int64_t *least)
{
    char dir[PATH_MAX];
    size_t n = strlen(top);
    if ((size_t)snprintf(dir, sizeof dir, "%s%s", top, path) >= sizeof dir) return;
    for (;;) {
        look(dir, second, least);
        char *slash = strrchr(dir, '/');
        if (!slash || slash < dir + n) return;
        *slash = 0;
    }
}

/* One line: which tree is meant, if any that has this controller. */
static void look_line(char *line, const char *root, const char *controller, group_look *look,
                      int64_t *least)
{
    char top[PATH_MAX / 2];
    line[strcspn(line, "\n")] = 0;
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path || path[1] != '/') return;
    *path++ = 0, list++;
    bool second = !*list;
    if (!second && !has_word(list, controller)) return;
    snprintf(top, sizeof top, "%s/cgroup.controllers", root);
    const char *below = !second ? controller : access(top, R_OK) ? "unified" : "";
    snprintf(top, sizeof top, "%s%s%s", root, *below ? "/" : "", below);
    look_up(top, path[1] ? path : "", second, look, least);
}

static int64_t look_all(const char *proc, const char *root, const char *controller,
                        group_look *look)
{
    char line[PATH_MAX];
    int64_t least = -1;
    FILE *f = fopen(proc ? proc : "/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f))
        look_line(line, root ? root : "/sys/fs/cgroup", controller, look, &least);
    if (f) fclose(f);
    return least;
}

static void lower(int64_t *least, int64_t v)
{
    if (*least < 0 || v < *least) *least = v;
}

/* ---- processors ---- */

static void look_quota(const char *dir, bool second, int64_t *least)
{
    char path[PATH_MAX + 16];
    long long most = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    FILE *f = second ? fopen(path, "r") : NULL;
    if (f && fscanf(f, "%lld %lld", &most, &period) != 2) most = 0; /* "max 100000" */
    if (f) fclose(f);
    if (!second) {
        most = number_in(dir, "cpu.cfs_quota_us", "");
        period = number_in(dir, "cpu.cfs_period_us", "");
    }
    if (most > 0 && period > 0) lower(least, most / period + (most % period > 0));
}

int cgroup_cpus(const char *proc, const char *root)
{
    int64_t n = look_all(proc, root, "cpu", look_quota);
    return n < 0 ? 0 : n > INT_MAX ? INT_MAX : (int)n;
}

/* ---- memory ---- */

static void look_memory(const char *dir, bool second, int64_t *least)
{
    const int64_t none = INT64_C(1) << 60; /* version 1 says nearly 2^63 */
    int64_t most = number_in(dir, second ? "memory.max" : "memory.limit_in_bytes", ""),
            used = number_in(dir, second ? "memory.current" : "memory.usage_in_bytes", ""),
            cache =
                number_in(dir, "memory.stat", second ? "inactive_file " : "total_inactive_file ");
    if (most < 0 || used < 0 || most > none) return;
    if (cache > 0) used = cache < used ? used - cache : 0;
    lower(least, most > used ? most - used : 0);
}

int64_t cgroup_memory_left(const char *proc, const char *root)
{
    return look_all(proc, root, "memory", look_memory);
}
/* SPDX-License-Identifier: MIT */
