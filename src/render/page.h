/* page -- the parts of an HTML report that do not depend on the report; not for others. */
#ifndef MICROTOME_RENDER_PAGE_H
#define MICROTOME_RENDER_PAGE_H
#include "base/str.h"

/* Steps of colour on each side of the centre: classes n32 .. n1, none, p1 .. p32. */
enum { PAGE_STEPS = 32 };

/* Style sheet and script, in pieces (a string literal has at most 4095 bytes), NULL last. */
extern const char *const page_style[];
extern const char *const page_script[];

/* Those of a figure of heads, which stand inside the figure. */
extern const char *const page_heads_style[];
extern const char *const page_heads_script[];

/* The rules of the colour steps and of the legend's ramp, light and dark.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(1)] */
void page_colours(str *s);

/* Text for between tags and within "quotes".
 *
 * [err: s->failed | owns: s | thread: any | cost: O(n)] */
void page_text(str *s, const char *p, size_t n);
void page_string(str *s, const char *text);

#endif
/* SPDX-License-Identifier: MIT */
