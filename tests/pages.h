/* pages -- which pages of memory are this process's. */
#ifndef TESTS_PAGES_H
#define TESTS_PAGES_H
#include <stdbool.h>
#include <stddef.h>

/* Of the pages that lie wholly in p[bytes], how many are this process's; *n: how many there are.  Does the system say? */
bool pages_said(void);
int pages_here(const void *p, size_t bytes, int *n);

#endif
/* SPDX-License-Identifier: MIT */
