/* instrument: convert -- a model of any format as files that Hugging Face transformers loads.
 *
 * Control: what was written is opened again, and its logits on the same tokens are compared with the source's, bit for
 * bit where nothing was rounded. */
#include "model/save.h"
#include "base/file.h"
#include "base/rand.h"
#include "instrument/work.h"
#include <string.h>

static const param params[] = {
    { "to", PARAM_TEXT, NULL, "the directory to write", ROLE_RUN },
    { "type", PARAM_ONE_OF("same f32 f16 bf16"), "same",
      "of the weights: same (blocks of quantised sources as f32), f32, f16, bf16", ROLE_WHAT },
    { "overwrite", PARAM_FLAG, NULL, "replace files of the same names in it", ROLE_RUN },
    { "tokens", PARAM_TEXT, NULL, "what the control runs on, by default 1 to 8, as far as they go",
      ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { TEXTS = 200, TEXT_TOKENS = 24 };

static int type_of(const char *name)
{
    static const struct {
        const char *name;
        int type;
    } all[] = {
        { "same", SAVE_SAME }, { "f32", DTYPE_F32 }, { "f16", DTYPE_F16 }, { "bf16", DTYPE_BF16 }
    };
    int i = 0;
    while (strcmp(name, all[i].name) != 0) i++;
    return all[i].type;
}

/* All logits of a model on a prompt, in the work's memory. */
static status logits_of(work *w, const model *m, session *s, const prompt *p, double **out,
                        error *err)
{
    lane *l = NULL;
    box all = { 0, p->n, 0, m->logits->n_part };
    *out = arena_array(&w->mem, (int64_t)p->n * m->logits->n_part, sizeof **out);
    if (!*out) return work_nomem(w, err);
    status st = lane_new(&l, s, NULL, p->n, err);
    if (st == E_OK) st = prompt_give(p, m, l, err);
    if (st == E_OK) st = lane_ask(l, m->logits, all, err);
    if (st == E_OK) st = session_run(s, NULL, err);
    return st == E_OK ? lane_read(l, m->logits, all, *out, err) : st;
}

typedef struct control {
    int64_t n, n_other, n_text, n_other_text;
    double largest, logit; /* the largest difference, the largest logit */
} control;

/* Other bits than the source's where they should be the same.  Where heads' dimensions lie in another order, a few
 * roundings of float32 sums may differ. */
static bool wrong(const saved *o, const control *c)
{
    return !o->n_rounded && (o->other_order ? !(c->largest <= 1e-5 * c->logit) : c->n_other > 0);
}

/* A text of random tokens, those that are no text left out. */
static void random_text(const work *w, const tokenizer *t, uint64_t which, str *out)
{
    uint32_t stream = rand_stream("convert.texts");
    for (uint64_t i = 0; i < TEXT_TOKENS; i++) {
        size_t n;
        int32_t id =
            (int32_t)rand_below(w->seed, stream, which * TEXT_TOKENS + i, tokenizer_count(t));
        const char *p = tokenizer_text(t, id, &n);
        if (p && !tokenizer_is_special(t, id) && utf8_check(p, n) == n) str_add(out, p, n);
    }
}

static bool same_spans(const token_span *a, int64_t n, const token_span *b, int64_t m)
{
    for (int64_t i = 0; i < n && n == m; i++)
        if (a[i].id != b[i].id) return false;
    return n == m;
}

/* Are texts cut alike by the tokenizer that was written? */
static status compare_texts(work *w, const model *again, control *c, error *err)
{
    status st = E_OK;
    str s = { 0 };
    for (uint64_t k = 0; k < TEXTS && st == E_OK; k++) {
        token_span *a, *b;
        int64_t n, m;
        arena_mark here = arena_here(&w->mem);
        s.n = 0, random_text(w, w->m->tokens, k, &s);
        st = s.failed ? work_nomem(w, err)
                      : tokenizer_encode(w->m->tokens, &w->mem, s.p ? s.p : "", s.n, TOKEN_BOS_AUTO,
                                         &a, &n, err);
        if (st == E_OK)
            st = tokenizer_encode(again->tokens, &w->mem, s.p ? s.p : "", s.n, TOKEN_BOS_AUTO, &b,
                                  &m, err);
        if (st == E_OK) c->n_text++, c->n_other_text += !same_spans(a, n, b, m);
        arena_rewind(&w->mem, here);
    }
    str_release(&s);
    return st;
}

static status compare_again(work *w, const prompt *p, control *c, error *err)
{
    model *again = NULL;
    session *s = NULL;
    double *want = NULL, *got = NULL;
    status st = logits_of(w, w->m, w->s, p, &want, err);
    if (st == E_OK) st = model_open(&again, work_text(w, "to"), work_text(w, "allow"), err);
    if (st == E_OK) st = session_new(&s, &again->g, w->e, err);
    if (st == E_OK && again->logits->n_part != w->m->logits->n_part)
        st = error_set(err, E_MISMATCH, "convert: the written model has %d logits, the source %d",
                       again->logits->n_part, w->m->logits->n_part);
    if (st == E_OK) st = logits_of(w, again, s, p, &got, err);
    if (st == E_OK && w->m->tokens && again->tokens) st = compare_texts(w, again, c, err);
    c->n = (int64_t)p->n * w->m->logits->n_part;
    for (int64_t i = 0; st == E_OK && i < c->n; i++) {
        double gap = number_gap(got[i], want[i]);
        c->n_other += gap != 0;
        if (gap > c->largest) c->largest = gap;
        if (number_gap(want[i], 0) > c->logit) c->logit = number_gap(want[i], 0);
    }
    session_free(s);
    model_free(again);
    return st;
}

static void show(work *w, const saved *o, const control *c, const char *source)
{
    table *t = report_table(w->r, "converted", 2,
                            (column[]){ { "what", NULL, CELL_TEXT, 0, false },
                                        { "value", NULL, CELL_TEXT, 0, false } });
    const struct {
        const char *what;
        long long n;
    } counts[] = { { "tensors", o->n_tensor },
                   { "numbers", o->n_number },
                   { "bytes", o->bytes },
                   { "tensors in blocks, now of one type", o->n_block },
                   { "tensors with turned rows, now in order", o->n_turned },
                   { "matrices transposed", o->n_transposed },
                   { "gains, now less one", o->n_gain },
                   { "tensors of another type", o->n_retyped },
                   { "buffers left out, which nothing reads", o->n_left },
                   { "numbers rounded", o->n_rounded },
                   { "control: logits compared", c->n },
                   { "control: logits that differ", c->n_other },
                   { "control: texts of random tokens", c->n_text },
                   { "control: texts cut otherwise", c->n_other_text } };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        table_row(t), row_text(t, "%s", counts[i].what), row_text(t, "%lld", counts[i].n);
    table_row(t), row_text(t, "largest change by rounding"), row_text(t, "%.9g", o->largest);
    table_row(t), row_text(t, "control: largest difference of logits"),
        row_text(t, "%.9g", c->largest);
    table_row(t), row_text(t, "source (model)"), row_text(t, "%s", source);
    table_row(t), row_text(t, "result (tensors)"), row_text(t, "%s", o->hash);
}

static void say_files(work *w, const saved *o)
{
    bool any = false;
    report_note(w->r, "Written: model.safetensors, config.json.");
    for (int i = 0; o->copied[i]; i++) {
        report_note(w->r, "Copied as it is: %s.", o->copied[i]);
        any |= strcmp(o->copied[i], "generation_config.json") != 0;
    }
    if (o->tokenizer)
        report_note(w->r, "Written from the source's own: tokenizer.json, tokenizer_config.json%s.",
                    o->chat ? " (with its chat template)" : "");
    else if (w->m->tokens && !any)
        report_warn(w->r, "the tokenizer (%s) is not written: %s", tokenizer_kind(w->m->tokens),
                    *o->unsaid ? o->unsaid : "no file of it lies beside the source");
}

static status control_prompt(work *w, prompt **out, error *err)
{
    int64_t id[8], n = w->m->config.n_ctx < 8 ? w->m->config.n_ctx : 8;
    prompt **p;
    int n_prompt;
    for (int64_t i = 0; i < n; i++) id[i] = (i + 1) % w->m->config.n_vocab;
    if (!work_text(w, "tokens")) {
        status st = prompt_from_ids(out, w->m, id, n, err);
        return st == E_OK ? work_keep(w, *out, err) : st;
    }
    status st = prompt_list(&p, &n_prompt, &w->mem, w->m, work_text(w, "tokens"), err);
    for (int i = 0; i < n_prompt && st == E_OK; i++) st = work_keep(w, p[i], err);
    if (st == E_OK) *out = p[0];
    return st;
}

static status run(work *w, error *err)
{
    save_how how = { .dir = work_text(w, "to"),
                     .type = type_of(work_text(w, "type")),
                     .overwrite = work_flag(w, "overwrite") };
    saved o;
    control c = { 0 };
    prompt *p;
    if (!how.dir) return error_set(err, E_USAGE, "convert: --to DIR is needed");
    status st = control_prompt(w, &p, err);
    if (st == E_OK) st = model_save(w->m, &how, &o, err);
    if (st == E_OK) st = compare_again(w, p, &c, err);
    if (st != E_OK) return st;
    w->failed = wrong(&o, &c);
    report_unreplayable(w->r, "it wrote files: ask for them again with --to");
    show(w, &o, &c, w->r->cert.model_hash);
    say_files(w, &o);
    if (o.other_order)
        report_note(
            w->r,
            "Dimensions of heads lie in the family's order, not the source's: scores are the same "
            "sums, added in another order.");
    if (c.n_other_text)
        report_warn(w->r,
                    "%lld of %lld texts of random tokens are cut otherwise by what was written",
                    (long long)c.n_other_text, (long long)c.n_text);
    if (w->failed)
        report_warn(w->r,
                    "nothing was rounded, and yet logits differ: do not use what was written");
    return E_OK;
}

const instrument_def instrument_convert_def = { .name = "convert",
                                                .says = "Write it for Hugging Face transformers",
                                                .subject = "MODEL",
                                                .needs = NEEDS_MODEL,
                                                .param = params,
                                                .run = run };
/* SPDX-License-Identifier: MIT */
