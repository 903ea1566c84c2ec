/* cgroup -- what a container, a job or a service manager lets this process use: Linux control groups, both versions.
 *
 * A limit holds for a group and for all below it, so every group on the way from this process's own up to the root is
 * looked at.  In a container without a namespace of its own the way names groups that are not in its tree: those are passed
 * over, and its root is the container's group.
 *
 *   proc   NULL: /proc/self/cgroup
 *   root   NULL: /sys/fs/cgroup */
#ifndef MICROTOME_BASE_CGROUP_H
#define MICROTOME_BASE_CGROUP_H
#include <stdint.h>

/* The number after `key` at the beginning of a line of a file, as the kernel writes them; -1: no such file, line or
 * number ("max").
 *
 * [err: -1 | owns: nothing | thread: any | cost: reads the file] */
int64_t kernel_number(const char *path, const char *key);

/* How many processors' time the least quota is, rounded up; 0: there is none.
 *
 * [err: 0 | owns: nothing | thread: any | cost: a few files] */
int cgroup_cpus(const char *proc, const char *root);

/* Bytes that are left of the tightest memory limit; -1: there is none.  Cached files that nobody uses now count as left:
 * the kernel drops them first.
 *
 * [err: -1 | owns: nothing | thread: any | cost: a few files] */
int64_t cgroup_memory_left(const char *proc, const char *root);

#endif
/* SPDX-License-Identifier: MIT */
