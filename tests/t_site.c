/* t_site -- addresses: what they name, and what is said of those that name nothing. */
#define TEST_FILE t_site
#include "test.h"
#include "graph/session.h"
#include "model/prompt.h"
#include "model/site.h"
#include <stdio.h>
#include <string.h>

TEST("addresses take ranges, ends, lists, tokens by their text, globs and names of axes")
{
    model *m;
    prompt *p;
    address *a;
    arena mem = { 0 };
    int n;
    static const char text[] = "the cat sat on the mat";
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL) &&
            !prompt_from_text(&p, m, text, sizeof text - 1, BOS_AUTO, NULL));
    REQUIRE(!site_find(&a, &n, &mem, m, p, "blocks.1.attn.z[head=2, pos=-1]", NULL) && n == 1);
    CHECK(a->where.r0 == 6 && a->where.r1 == 7 && a->where.a0 == 2 && a->where.a1 == 3 &&
          a->w0 == 0 && a->w1 == 64);
    REQUIRE(!site_find(&a, &n, &mem, m, p, "embed[pos=\"the\"#2]", NULL) && n == 1 &&
            a->where.r0 == 5);
    REQUIRE(!site_find(&a, &n, &mem, m, p, "blocks.*.attn.z[head=0|2, pos=1:3]", NULL) && n == 4);
    REQUIRE(!site_find(&a, &n, &mem, m, p, "logits[vocab=\"cat\", pos=2:]", NULL) &&
            a->where.a0 == 3 && a->where.r1 == ROW_OPEN);
    REQUIRE(!site_find(&a, &n, &mem, m, p, "blocks.0.attn.pattern[query=3, key=0:2]", NULL) &&
            a->w0 == 0 && a->w1 == 2);
    REQUIRE(!site_find_list(&a, &n, &mem, m, p, "embed, blocks.0.attn.q[head=1]", NULL) && n == 2);
    static const struct {
        const char *text;
        status st;
        const char *says;
    } bad[] = {
        { "blocks.0.attn.z[head=7]", E_RANGE, "head=7" },
        { "blocks.0.attn.z[neuron=1]", E_NOSITE, "neuron" },
        { "embed[pos=\"dog\"]", E_RANGE, "dog" },
        { "embed[pos=\"the\"#3]", E_RANGE, "later" },
        { "embed[pos=9]", E_RANGE, "pos=9" },
        { "embed[pos=3:2]", E_RANGE, "3:2" },
        { "embed[pos", E_USAGE, "'='" },
        { "embed[pos=]", E_USAGE, "position" },
        { "embed]", E_NOSITE, "embed]" },
        { "", E_USAGE, "name" },
        { "blocks.9.resid_pre", E_NOSITE, "blocks.9" },
        { "embed[pos=1]x", E_USAGE, "end" },
        { "embed[pos=1e5]", E_USAGE, "position" },
        { "transformer.wte.weight@before", E_NOSITE, "before" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error err = { 0 };
        status st = site_find(&a, &n, &mem, m, p, bad[i].text, &err);
        if (st != bad[i].st || !strstr(err.msg, bad[i].says))
            printf("  '%s': %d %s\n", bad[i].text, st, err.msg);
        CHECK(st == bad[i].st && strstr(err.msg, bad[i].says));
    }
    arena_release(&mem);
    prompt_free(p);
    model_free(m);
}
/* SPDX-License-Identifier: MIT */
