/* t_report -- what is hashed and what is not; that nothing from outside escapes its place; that numbers come back. */
#define TEST_FILE t_report
#include "test.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"
#include "render/render.h"
#include "report/interval.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char EVIL[] = "</script><b onmouseover=\"x\">&\x1b[31m\n'";

/* A report with one of everything; `twist` changes one thing. */
static report *sample(int twist)
{
    report *r = report_new("patch", "A title");
    table *t = report_table(r, "cells", 3,
                            (column[]){ { "where", NULL, CELL_TEXT, 0, false },
                                        { "token", NULL, CELL_TOKEN, 0, false },
                                        { "value", "logit", CELL_REAL, 0, twist == 6 } });
    table_row(t), row_text(t, "%s", twist == 1 ? "elsewhere" : EVIL),
        row_token(t, EVIL, sizeof EVIL - 1, 7), row_real(t, twist == 2 ? nextafter(0.1, 1) : 0.1);
    float *v = report_tensor(r, "effect", DTYPE_F32, "layer pos", (int64_t[]){ 2, 3 });
    for (int i = 0; v && i < 6; i++) v[i] = (float)i / 3;
    if (v) v[4] = NAN;
    if (v && twist == 3) v[5] = nextafterf(v[5], 9);
    report_axis_token(r, "effect", "pos", 1, EVIL, sizeof EVIL - 1);
    report_cell_token(r, "effect", 2, EVIL, sizeof EVIL - 1);
    report_heatmap(r, EVIL, "effect", "layer", "pos", NULL);
    report_model(r, "m", twist == 4 ? "xxh3-128:b" : "xxh3-128:a");
    report_precision(r, "f32");
    report_lane(r, "clean", EVIL, (int64_t[]){ 1, 2, twist == 5 ? 4 : 3 }, 3);
    report_machine(r, twist == 7 ? "reference" : "avx2", twist == 7 ? 1 : 2, twist == 7 ? 1 : 2);
    if (twist == 7)
        report_warn(r, "a warning"), report_where(r, "model", json_string("/somewhere/else")),
            report_note(r, "a note");
    report_control(r, "base", twist == 8 ? 2 : 1, "what it is");
    report_request(r, json_pack("{s:s,s:i}", "instrument", "patch", "seed", twist == 9 ? 2 : 1));
    REQUIRE(report_finish(r, NULL) == E_OK);
    return r;
}

TEST("the hash changes with one bit of a result, an id, the model, a control or the request, and "
     "with nothing else")
{
    report *base = sample(0);
    static const bool differs[] = { false, false, true, true, true, true, true, false, true, true };
    for (int twist = 0; twist < 10; twist++) {
        report *r = sample(twist);
        if ((strcmp(r->cert.hash, base->cert.hash) != 0) != differs[twist])
            printf("  twist %d\n", twist);
        CHECK((strcmp(r->cert.hash, base->cert.hash) != 0) == differs[twist]);
        report_free(r);
    }
    report_free(base);
}

TEST("no byte of a token or a prompt opens a tag, ends a quote or moves a cursor")
{
    report *r = sample(0);
    str s = { 0 };
    REQUIRE(render_html(r, &s, NULL) == E_OK);
    CHECK(!strstr(s.p, "<b onmouseover") && !strstr(s.p, "\x1b["));
    const char *p = strstr(s.p, "</script>");
    int n_script = 0, n_end = 0;
    for (const char *q = s.p; (q = strstr(q, "<script")); q++) n_script++;
    for (; p; p = strstr(p + 1, "</script>")) n_end++;
    CHECK(n_script == n_end);
    str_release(&s);
    s = (str){ 0 };
    REQUIRE(render_text(r, &s, NULL, NULL) == E_OK);
    CHECK(!strchr(s.p, '\x1b'));
    str_release(&s);
    s = (str){ 0 };
    REQUIRE(render_csv(r, NULL, &s, NULL) == E_OK && s.n > 0);
    str_release(&s);
    report_free(r);
}

TEST("columns of one name are told apart where a CSV is read by names")
{
    report *r = report_new("lens", "A title");
    str s = { 0 };
    table *t = report_table(r, "top", 4,
                            (column[]){ { "1st", NULL, CELL_TOKEN, 0, false },
                                        { "a,b", NULL, CELL_INT, 0, false },
                                        { "1st", NULL, CELL_TOKEN, 0, false },
                                        { "a,b", NULL, CELL_INT, 0, false } });
    table_row(t), row_token(t, "x", 1, 4), row_int(t, 1), row_token(t, "y", 1, 5), row_none(t);
    REQUIRE(report_finish(r, NULL) == E_OK && render_csv(r, "top", &s, NULL) == E_OK);
    CHECK(!strcmp(s.p, "1st,1st.id,\"a,b\",1st.2,1st.2.id,\"a,b.2\"\nx,4,1,y,5,\n"));
    str_release(&s);
    report_free(r);
}

TEST("a column that is called as another would be numbered keeps its name, and all are told apart")
{
    report *r = report_new("lens", "A title");
    str s = { 0 };
    table *t = report_table(r, "top", 6,
                            (column[]){ { "prob", NULL, CELL_INT, 0, false },
                                        { "prob", NULL, CELL_INT, 0, false },
                                        { "prob.2", NULL, CELL_INT, 0, false },
                                        { "top", NULL, CELL_TOKEN, 0, false },
                                        { "top.id", NULL, CELL_INT, 0, false },
                                        { "prob", NULL, CELL_INT, 0, false } });
    table_row(t), row_int(t, 1), row_int(t, 2), row_mark(t, MARK_RAW), row_int(t, 3),
        row_token(t, "y", 1, 5), row_int(t, 6), row_int(t, 7);
    REQUIRE(report_finish(r, NULL) == E_OK && render_csv(r, "top", &s, NULL) == E_OK);
    char *end = strchr(s.p, '\n');
    REQUIRE(end);
    *end = 0;
    CHECK(!strcmp(s.p, "prob,prob.3,prob.3.mark,prob.2,top.2,top.2.id,top.id,prob.4"));
    str_release(&s);
    report_free(r);
}

/* Two rows of three bars, one of which has no interval. */
static report *bars_of(int row)
{
    static const char *const role[] = { "first", "last" };
    report *r = report_new("direction", "A title");
    const char *name[] = { "x", "x.low", "x.high" };
    for (int k = 0; k < 3; k++) {
        double *v = report_tensor(r, name[k], DTYPE_F64, "role site", (int64_t[]){ 2, 3 });
        for (int i = 0; v && i < 6; i++) v[i] = k && i % 3 == 1 ? (double)NAN : i + k * 0.25;
    }
    report_axis_labels(r, "x", "role", 2, role);
    report_bars(r, "bars", "x", "site",
                &(figure_options){
                    .at = (int64_t[]){ row, 0 }, .value = "v", .low = "x.low", .high = "x.high" });
    report_lane(r, "clean", "a   b ", (int64_t[]){ 1 }, 1);
    REQUIRE(report_finish(r, NULL) == E_OK);
    return r;
}

TEST("a place without an interval shows none, a slice its label, a prompt all its spaces")
{
    for (int row = 0; row < 2; row++) {
        report *r = bars_of(row);
        str text = { 0 }, page = { 0 };
        REQUIRE(render_text(r, &text, NULL, NULL) == E_OK && render_html(r, &page, NULL) == E_OK);
        const char *bar = strstr(page.p, "<h2>bars"), *end = strstr(page.p, "<details");
        CHECK(!strstr(text.p, "nan") && strstr(text.p, row ? "[5.25" : "[2.25"));
        CHECK(strstr(text.p, row ? "bars, role last" : "bars, role first"));
        CHECK(strstr(text.p, "\"a   b \""));
        REQUIRE(bar && end);
        CHECK(!strstr(bar, "nan") || strstr(bar, "nan") > end);
        str_release(&text), str_release(&page);
        report_free(r);
    }
}

TEST("what is hatched because it is no number is explained under the figure, what is not drawn is "
     "not")
{
    static const struct {
        bool nan, absent, heat, no_number, no_cell;
    } t[] = { { true, true, false, true, false },
              { false, true, true, false, true },
              { true, false, true, true, false },
              { false, false, false, false, false } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        report *r = report_new("maxact", "A title");
        str s = { 0 };
        double *v = report_tensor(r, "act", DTYPE_F64, "example place", (int64_t[]){ 2, 2 });
        uint8_t *mark = report_marks(r, "act");
        REQUIRE(v && mark);
        v[1] = t[i].nan ? (double)NAN : 1, mark[3] = t[i].absent ? MARK_ABSENT : MARK_NONE;
        if (t[i].heat) report_heatmap(r, "h", "act", "example", "place", NULL);
        else report_contexts(r, "h", "act", "example", "place", NULL);
        REQUIRE(report_finish(r, NULL) == E_OK && render_html(r, &s, NULL) == E_OK);
        CHECK(!!strstr(s.p, "</span>no number<") == t[i].no_number);
        CHECK(!!strstr(s.p, "</span>no such cell<") == t[i].no_cell);
        str_release(&s);
        report_free(r);
    }
}

TEST("JSON is JSON, and its numbers come back to the same bits")
{
    report *r = sample(0);
    str s = { 0 };
    json_t *v;
    REQUIRE(render_json(r, &s, NULL) == E_OK &&
            json_parse_bytes(&v, s.p, s.n, "report", NULL) == E_OK);
    const json_t *cells = json_object_get(json_object_get(v, "tables"), "cells");
    const json_t *row = json_array_get(json_object_get(cells, "rows"), 0);
    CHECK(json_number_value(json_array_get(row, 2)) == 0.1);
    const json_t *data =
        json_object_get(json_object_get(json_object_get(v, "tensors"), "effect"), "data");
    CHECK(json_array_size(data) == 6 &&
          (float)json_number_value(json_array_get(data, 5)) == 5.0f / 3);
    CHECK(!json_is_number(json_array_get(data, 4)));
    CHECK(!strcmp(json_string_value(json_object_get(v, "hash")), r->cert.hash));
    json_decref(v);
    str_release(&s);
    report_free(r);
}

TEST("text keeps to the width it is given")
{
    report *r = sample(0);
    for (int width = 40; width <= 120; width += 20) {
        str s = { 0 };
        REQUIRE(render_text(r, &s, &(text_options){ .width = width, .unicode = false }, NULL) ==
                E_OK);
        for (const char *line = s.p; *line;) {
            size_t n = strcspn(line, "\n");
            CHECK((int)n <= width);
            line += n + (line[n] == '\n');
        }
        str_release(&s);
    }
    report_free(r);
}

TEST("mistakes in filling a report come out of report_finish, the first of them")
{
    error err = { 0 };
    report *r = report_new("x", "y");
    table *t = report_table(r, "t", 1, (column[]){ { "a", NULL, CELL_INT, 0, false } });
    table_row(t), row_real(t, 1.5);
    report_heatmap(r, "none", "no such tensor", "a", "b", NULL);
    CHECK(report_finish(r, &err) == E_USAGE && err.msg[0]);
    report_free(r);
}

TEST("allocation failing at any call of filling and drawing is an error and leaves nothing behind")
{
    for (int64_t n = 0;; n++) {
        str s = { 0 };
        mem_state.fail_at = n;
        report *r = report_new("x", "y");
        double *v = report_tensor(r, "v", DTYPE_F64, "a b", (int64_t[]){ 2, 2 });
        if (v) v[0] = 1;
        report_cell_token(r, "v", 3, "x", 1);
        report_heatmap(r, "v", "v", "a", "b", NULL);
        report_request(r, json_pack("{s:i}", "a", 1));
        status st = report_finish(r, NULL);
        if (st == E_OK) st = render_html(r, &s, NULL);
        if (st == E_OK) {
            str_release(&s);
            s = (str){ 0 };
            st = render_text(r, &s, NULL, NULL);
        }
        mem_state.fail_at = -1;
        str_release(&s);
        report_free(r);
        if (st == E_OK) break;
        CHECK(st == E_NOMEM);
    }
}

TEST("the bootstrap interval of a sample is the same every time, and holds its mean")
{
    double x[40], same[40];
    interval a, b;
    for (int i = 0; i < 40; i++) x[i] = sin(i), same[i] = 2;
    REQUIRE(interval_bootstrap(&a, x, 40, 0.95, 3, "t", NULL) == E_OK &&
            interval_bootstrap(&b, x, 40, 0.95, 3, "t", NULL) == E_OK);
    double mean = sample_mean(x, 40), sd = 0;
    for (int i = 0; i < 40; i++) sd += (x[i] - mean) * (x[i] - mean) / 40;
    CHECK(a.low == b.low && a.high == b.high && a.low < mean && mean < a.high);
    CHECK(fabs((a.high - a.low) / (2 * 1.96 * sqrt(sd / 40)) - 1) < 0.15);
    REQUIRE(interval_bootstrap(&a, same, 40, 0.95, 3, "t", NULL) == E_OK && a.low == 2 &&
            a.high == 2);
    CHECK(interval_bootstrap(&a, x, 1, 0.95, 3, "t", NULL) == E_RANGE);
}
/* ---- the hash ---- */

TEST("a model's hash does not depend on threads; a piece's is that of its bytes")
{
    char one[MODEL_HASH], three[MODEL_HASH], digits[HASH_TEXT], sum[HASH_TEXT] = "";
    model *m;
    pool *threads = pool_new(3);
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL) && threads);
    CHECK(!model_hash(m, NULL, one, NULL) && !model_hash(m, threads, three, NULL));
    CHECK(!strcmp(one, three));
    hash_piece part[7];
    for (int i = 0; i < 7; i++) part[i] = (hash_piece){ .p = &"microtome"[i], .bytes = 2 };
    pool_run(threads, hash_pieces, part, 7);
    hash *h = hash_new();
    hash_add(h, "om", 2);
    hash_text(h, digits);
    for (int i = 0; i < 16; i++) snprintf(sum + 2 * i, 3, "%02x", part[6].sum[i]);
    CHECK(!strcmp(sum, digits));
    hash_free(h);
    pool_free(threads);
    model_free(m);
}
/* SPDX-License-Identifier: MIT */
