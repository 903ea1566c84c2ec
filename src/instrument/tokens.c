/* instrument: tokens -- how a text is cut; and a tokenizer against stored vectors. */
#include "base/file.h"
#include "instrument/work.h"
#include <string.h>

static const param params[] = {
    { "prompt", PARAM_LIST, NULL, "a text; give it again for several", ROLE_WHAT },
    { "chat", PARAM_LIST, NULL,
      "a user's message, JSON messages or a .json of them, by the model's own template",
      ROLE_WHAT },
    { "bos", PARAM_BOS, "auto", "begin with BOS: auto (as the tokenizer does), yes, no",
      ROLE_WHAT },
    { "check", PARAM_TEXT, NULL,
      "JSON lines of text, ids, offsets: show each that differs, and fail", ROLE_FILE },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* The tokenizer of a model; or a tokenizer's own file or directory, where no model need be. */
static status open_tokenizer(work *w, tokenizer **out, const tokenizer **t, error *err)
{
    error why = { 0 };
    const char *path = work_text(w, "model");
    if (!path) return error_set(err, E_USAGE, "tokens needs a model or a tokenizer");
    status st = strncmp(path, "demo:", 5) ? tokenizer_open(out, path, &why) : E_OK;
    *t = *out;
    if (st == E_OK && *out) return E_OK;
    if (model_open(&w->m, path, NULL, st == E_OK ? err : NULL) == E_OK) *t = w->m->tokens;
    if (*t) return E_OK;
    if (st == E_OK && !w->m) return err->code;
    if (st == E_OK) return error_set(err, E_USAGE, "%s has no tokenizer", path);
    return work_relay(err, &why);
}

static void tell_wrong(void *user, int64_t line, const char *what)
{
    table *t = user;
    table_row(t), row_int(t, line), row_text(t, "%s", what);
}

static status check(work *w, const tokenizer *t, const char *path, error *err)
{
    int64_t right, wrong;
    table *bad = report_table(
        w->r, "mismatches", 2,
        (column[]){ { "line", NULL, CELL_INT, 0, false }, { "what", NULL, CELL_TEXT, 0, false } });
    status st = tokenizer_check(t, path, tell_wrong, bad, &right, &wrong, err);
    if (st != E_OK) return st;
    table *sum = report_table(
        w->r, "vectors", 2,
        (column[]){ { "right", NULL, CELL_INT, 0, false }, { "wrong", NULL, CELL_INT, 0, false } });
    table_row(sum), row_int(sum, right), row_int(sum, wrong);
    w->failed = wrong > 0 || right == 0;
    return E_OK;
}

static status show(work *w, const tokenizer *t, const char *text, token_bos bos, int which,
                   error *err)
{
    token_span *s;
    int64_t n;
    char name[32];
    snprintf(name, sizeof name, which ? "tokens %d" : "tokens", which + 1);
    status st = tokenizer_encode(t, &w->mem, text, strlen(text), bos, &s, &n, err);
    if (st != E_OK) return st;
    table *out = report_table(w->r, name, 5,
                              (column[]){ { "position", NULL, CELL_INT, 0, false },
                                          { "id", NULL, CELL_INT, 0, false },
                                          { "token", NULL, CELL_TOKEN, 0, false },
                                          { "first byte", NULL, CELL_INT, 0, false },
                                          { "end", NULL, CELL_INT, 0, false } });
    int64_t *ids = arena_array(&w->mem, n + 1, sizeof *ids);
    if (!ids) return work_nomem(w, err);
    for (int64_t i = 0; i < n; i++) {
        size_t len = 0;
        const char *p = tokenizer_text(t, s[i].id, &len);
        ids[i] = s[i].id;
        table_row(out), row_int(out, i), row_int(out, s[i].id),
            row_token(out, p ? p : "", len, s[i].id);
        row_int(out, (int64_t)s[i].first), row_int(out, (int64_t)s[i].end);
    }
    report_lane(w->r, name, text, ids, n);
    return E_OK;
}

/* The text that the template writes, then its tokens; it holds no NUL that is not the end, or is refused. */
static status show_chat(work *w, const tokenizer *t, int i, error *err)
{
    str text = { 0 };
    status st = work_chat(w, i, &text, err);
    if (st == E_OK && text.p && strlen(text.p) != text.n)
        st = error_set(err, E_UNSUPPORTED, "the template wrote a NUL");
    if (st == E_OK) st = show(w, t, text.p ? text.p : "", TOKEN_BOS_NO, i, err);
    str_release(&text);
    return st;
}

static status run(work *w, error *err)
{
    tokenizer *own = NULL;
    const tokenizer *t = NULL;
    const char *path = work_text(w, "check"), *text;
    bos_policy bos = work_bos(w);
    status st = open_tokenizer(w, &own, &t, err);
    if (st == E_OK && !path && !work_item(w, "prompt", 0) && !work_chats(w)) {
        st = error_set(err, E_USAGE, "tokens needs a text or vectors");
        error_hint(err, "--prompt \"some text\", --chat \"a message\", or --check vectors.jsonl");
    }
    if (st == E_OK) report_tokenizer(w->r, tokenizer_kind(t), tokenizer_hash(t));
    token_bos how = bos == BOS_YES ? TOKEN_BOS_YES : bos == BOS_NO ? TOKEN_BOS_NO : TOKEN_BOS_AUTO;
    for (int i = 0; st == E_OK && (text = work_item(w, "prompt", i)); i++)
        st = show(w, t, text, how, i, err);
    for (int i = 0; st == E_OK && work_item(w, "chat", i); i++) st = show_chat(w, t, i, err);
    if (st == E_OK && path) st = check(w, t, path, err);
    tokenizer_free(own);
    return st;
}

const instrument_def instrument_tokens_def = { .name = "tokens",
                                               .says = "How a text is cut into tokens",
                                               .subject = "MODEL or TOKENIZER",
                                               .needs = NEEDS_NOTHING,
                                               .param = params,
                                               .run = run };
/* SPDX-License-Identifier: MIT */
