/* html_part -- what the files that write an HTML report share; not for others. */
#ifndef MICROTOME_RENDER_HTML_PART_H
#define MICROTOME_RENDER_HTML_PART_H
#include "render/page.h"
#include "render/show.h"
#include "report/certificate.h"

/* A piece of the page: a table, a figure (html_heads: that kind of it), the folded certificate.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(what is shown)] */
void html_table(str *s, const table *t);
void html_figure(str *s, const figure *f);
void html_heads(str *s, const figure *f);
void html_certificate(str *s, const certificate *c);

/* Shown text (show.h), and a number, made safe for a page.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(n)] */
void html_text(str *s, const char *text);
void html_label(str *s, report_label l);
void html_real(str *s, double x, int digits);

#endif
/* SPDX-License-Identifier: MIT */
