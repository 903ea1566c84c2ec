/* html_certificate -- the certificate, folded at the end of a page. */
#include "render/html_part.h"

static void term(str *s, const char *name)
{
    str_puts(s, "<dt>");
    html_text(s, name);
    str_puts(s, "</dt><dd>");
}

static void fact(str *s, const char *name, const char *text, const char *hash)
{
    if (!text && !hash) return;
    term(s, name);
    if (text) html_text(s, text);
    if (hash) {
        str_puts(s, text ? " <code>" : "<code>");
        html_text(s, hash);
        str_puts(s, "</code>");
    }
    str_puts(s, "</dd>\n");
}

static void lanes(str *s, const certificate *c)
{
    for (const cert_lane *l = c->lane; l; l = l->next) {
        term(s, l->name);
        if (l->text) {
            str_puts(s, "\xe2\x80\x9c");
            html_text(s, l->text);
            str_puts(s, "\xe2\x80\x9d<br>");
        }
        str_printf(s, "<code>%lld token%s:", (long long)l->n, l->n == 1 ? "" : "s");
        for (int64_t i = 0; i < l->n; i++)
            str_printf(s, "%s %lld", i ? "," : "", (long long)l->id[i]);
        str_puts(s, "</code></dd>\n");
    }
}

static void controls(str *s, const certificate *c)
{
    for (const cert_control *i = c->control; i; i = i->next) {
        term(s, "control");
        html_text(s, i->name);
        if (i->has_value) {
            str_puts(s, ": ");
            html_real(s, i->value, 4);
        }
        if (i->text) {
            str_puts(s, i->has_value ? ", " : ": ");
            html_text(s, i->text);
        }
        str_puts(s, "</dd>\n");
    }
}

static void intervals(str *s, const certificate *c)
{
    for (const cert_interval *i = c->interval; i; i = i->next) {
        term(s, "interval");
        html_text(s, i->name);
        str_puts(s, ": ");
        html_real(s, i->v.estimate, 4);
        str_puts(s, " [");
        html_real(s, i->v.low, 4);
        str_puts(s, ", ");
        html_real(s, i->v.high, 4);
        str_printf(s, "], %g %%, n %lld, ", 100 * i->v.level, (long long)i->v.n);
        html_text(s, i->v.method ? i->v.method : "method not stated");
        if (i->v.n_resample) {
            str_printf(s, ", %lld resamples, seed %llu, stream ", (long long)i->v.n_resample,
                       (unsigned long long)i->v.seed);
            html_text(s, i->v.stream ? i->v.stream : "");
        }
        str_puts(s, "</dd>\n");
    }
}

static void seeds(str *s, const certificate *c)
{
    for (const cert_seed *i = c->seed; i; i = i->next) {
        term(s, "seed");
        str_printf(s, "%llu, stream ", (unsigned long long)i->seed);
        html_text(s, i->stream);
        str_puts(s, "</dd>\n");
    }
}

static void files(str *s, const certificate *c)
{
    for (const cert_file *i = c->file; i; i = i->next) fact(s, "file", i->path, i->hash);
}

static void machine(str *s, const certificate *c)
{
    term(s, "work");
    str_printf(s, "%lld runs, %lld forks", (long long)c->n_run, (long long)c->n_fork);
    if (c->backend) {
        str_puts(s, ", backend ");
        html_text(s, c->backend);
    }
    if (c->n_thread) str_printf(s, ", %d thread%s", c->n_thread, c->n_thread == 1 ? "" : "s");
    if (c->seconds > 0) str_printf(s, ", %.3g s", c->seconds);
    str_puts(s, " (not part of the hash)</dd>\n");
}

static void request(str *s, const json_t *v)
{
    str text = { 0 };
    if (!v) return;
    json_write(&text, v, 2);
    s->failed |= text.failed;
    term(s, "request");
    str_puts(s, "<pre>");
    if (!text.failed) page_text(s, text.p, text.n);
    str_puts(s, "</pre></dd>\n");
    str_release(&text);
}

void html_certificate(str *s, const certificate *c)
{
    str_puts(s, "<details id=\"certificate\"><summary>Certificate <code>");
    html_text(s, c->hash);
    str_puts(s, "</code></summary><dl>\n");
    fact(s, "hash", NULL, c->hash);
    fact(s, "model", c->model, c->model_hash);
    fact(s, "tokenizer", c->tokenizer ? c->tokenizer : "none", c->tokenizer_hash);
    fact(s, "inputs", NULL, c->input_hash);
    lanes(s, c);
    files(s, c);
    fact(s, "precision", c->precision, NULL);
    fact(s, "approximation", c->approximation, NULL);
    controls(s, c);
    intervals(s, c);
    seeds(s, c);
    if (!c->replayable)
        fact(s, "replay", c->not_replayable ? c->not_replayable : "not possible", NULL);
    machine(s, c);
    fact(s, "engine", c->engine, NULL);
    request(s, c->request);
    str_puts(s, "</dl></details>\n");
}
/* SPDX-License-Identifier: MIT */
