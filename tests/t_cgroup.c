/* t_cgroup -- limits of control groups, read from trees made for the purpose. */
#define TEST_FILE t_cgroup
#include "test.h"
#include "base/cgroup.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* DIR/FILE under the test's directory, DIR made with all above it. */
static void put(const char *dir, const char *file, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", test_path(dir));
    for (char *at = path + strlen(test_dir()) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(path, 0700);
    }
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s", dir, file);
    test_text(path, text);
}

static int cpus(const char *proc, const char *root)
{
    const char *tree = test_path(root);
    return cgroup_cpus(test_text("proc", proc), tree);
}

static int64_t left(const char *proc, const char *root)
{
    const char *tree = test_path(root);
    return cgroup_memory_left(test_text("proc", proc), tree);
}

TEST("the tightest quota on the way up counts, rounded up to whole processors")
{
    put("two", "cgroup.controllers", "cpu memory\n");
    put("two/user/job/step", "cpu.max", "max 100000\n");
    put("two/user/job", "cpu.max", "150000 100000\n");
    put("two/user", "cpu.max", "800000 100000\n");
    put("two/other", "cpu.max", "100000 100000\n");
    CHECK(cpus("0::/user/job/step\n", "two") == 2);
    CHECK(cpus("0::/user\n", "two") == 8);
    CHECK(cpus("0::/\n", "two") == 0 && cpus("", "two") == 0 && cpus("0::/user\n", "none") == 0);
    CHECK(cpus("0::/host/docker/1234\n", "two/other") == 0); /* no tree of version 2 */
    put("two/other", "cgroup.controllers", "cpu\n");
    CHECK(cpus("0::/host/docker/1234\n", "two/other") == 1); /* its root is the group */
}

TEST("version 1 has a tree for each controller, and version 2 may stand beside it")
{
    put("one/cpu/job", "cpu.cfs_quota_us", "300000\n");
    put("one/cpu/job", "cpu.cfs_period_us", "100000\n");
    put("one/cpu", "cpu.cfs_quota_us", "-1\n");
    put("one/cpu", "cpu.cfs_period_us", "100000\n");
    put("one/unified/job", "cpu.max", "max 100000\n");
    CHECK(cpus("4:memory:/\n3:cpu,cpuacct:/job\n0::/job\n", "one") == 3);
    CHECK(cpus("3:cpuacct,cpu:/job/gone\n", "one") == 3);
    CHECK(cpus("3:cpuacct:/job\n2:cpuset:/job\n", "one") == 0);
    CHECK(cpus("3:cpu:/\n", "one") == 0);
    put("one/unified/job", "cpu.max", "50000 100000\n");
    CHECK(cpus("3:cpu,cpuacct:/job\n0::/job\n", "one") == 1);
}

TEST("what is left of memory is the tightest group's, cached files that nobody uses taken for free")
{
    put("two", "cgroup.controllers", "cpu memory\n");
    put("two/job", "memory.max", "1000000\n");
    put("two/job", "memory.current", "700000\n");
    put("two/job", "memory.stat", "anon 1\nfile 2\ninactive_file 250000\nactive_file 7\n");
    CHECK(left("0::/job\n", "two") == 550000);
    put("two/job/step", "memory.max", "max\n");
    put("two/job/step", "memory.current", "600000\n");
    CHECK(left("0::/job/step\n", "two") == 550000);
    put("two/job/step", "memory.max", "500000\n");
    CHECK(left("0::/job/step\n", "two") == 0);
    put("one/memory", "memory.limit_in_bytes", "9223372036854771712\n");
    put("one/memory", "memory.usage_in_bytes", "5000\n");
    CHECK(left("4:memory:/\n", "one") == -1 && left("0::/\n", "two") == -1);
    put("one/memory/a", "memory.limit_in_bytes", "4000\n");
    put("one/memory/a", "memory.usage_in_bytes", "3000\n");
    put("one/memory/a", "memory.stat", "inactive_file 1\ntotal_inactive_file 500\n");
    CHECK(left("4:memory:/a/b\n", "one") == 1500);
}

TEST("lines that are no groups are passed over, and a path that is too long is no path")
{
    char line[PATH_MAX + 100] = "0::/";
    put("two", "cgroup.controllers", "cpu\n");
    put("two", "cpu.max", "100000 100000\n");
    CHECK(cpus("\n:\n0:\n0::\n0::job\nnothing\n", "two") == 0);
    memset(line + 4, 'a', sizeof line - 6);
    line[sizeof line - 2] = '\n';
    CHECK(cpus(line, "two") >= 0); /* the tail of a line that did not fit is no line of its own */
}
/* SPDX-License-Identifier: MIT */
