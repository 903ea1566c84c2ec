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
        { "embed[pos=99999999999999999999]", E_RANGE, "pos=99999999999999999999" },
        { "embed[pos=-99999999999999999999]", E_RANGE, "pos=-99999999999999999999" },
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

static bool has_site(const model *m, const char *name)
{
    address a;
    return site_find_one(&a, m, NULL, name, NULL) == E_OK;
}

TEST("the sites that the conventions give a family exist, and others are refused with the reason")
{
    static const char *const both[] = { "embed",
                                        "blocks.1.resid_pre",
                                        "blocks.1.resid_mid",
                                        "blocks.1.resid_post",
                                        "blocks.0.ln1.scale",
                                        "blocks.0.ln1.normalized",
                                        "blocks.0.ln1.out",
                                        "blocks.0.ln2.scale",
                                        "blocks.0.ln2.normalized",
                                        "blocks.0.ln2.out",
                                        "ln_final.scale",
                                        "ln_final.normalized",
                                        "ln_final.out",
                                        "blocks.0.attn.q",
                                        "blocks.0.attn.k",
                                        "blocks.0.attn.v",
                                        "blocks.0.attn.z",
                                        "blocks.0.attn.scores",
                                        "blocks.0.attn.pattern",
                                        "blocks.0.attn.result",
                                        "blocks.0.attn.out",
                                        "blocks.0.attn.contribution",
                                        "blocks.0.mlp.out",
                                        "blocks.0.mlp.contribution",
                                        "blocks.0.mlp.post",
                                        "logits" };
    static const char *const gpt2[] = {
        "pos_embed",    "blocks.0.mlp.pre",        "blocks.0.attn.bias",
        "hook_embed",   "blocks.1.hook_resid_pre", "layers_output[1]",
        "resid_post.1", "blocks.0.mlp.hook_pre",   "lm_head"
    };
    static const char *const llama[] = { "blocks.0.attn.rot_q", "blocks.0.attn.rot_k",
                                         "blocks.0.mlp.gate", "blocks.0.mlp.up",
                                         "blocks.0.mlp.hook_pre" };
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    model *g, *l;
    error err = { 0 };
    address a;
    REQUIRE(!model_open(&g, shared_path("goldens/models/gpt2"), NULL, NULL) &&
            !model_open(&l, shared_path("goldens/models/llama_gqa"), NULL, NULL));
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        CHECK(has_site(g, both[i]) && has_site(l, both[i]));
    for (size_t i = 0; i < sizeof gpt2 / sizeof *gpt2; i++) CHECK(has_site(g, gpt2[i]));
    for (size_t i = 0; i < sizeof llama / sizeof *llama; i++) CHECK(has_site(l, llama[i]));
    CHECK(site_find_one(&a, g, NULL, "blocks.0.mlp.gate", &err) == E_NOSITE &&
          strstr(err.msg, "no gate"));
    err = (error){ 0 };
    CHECK(site_find_one(&a, l, NULL, "pos_embed", &err) == E_NOSITE && strstr(err.msg, "rotary"));
    err = (error){ 0 };
    CHECK(site_find_one(&a, g, NULL, "blocks.0.attn.zz", &err) == E_NOSITE &&
          strstr(err.hint, "blocks.0.attn.z"));
    err = (error){ 0 };
    CHECK(site_find_one(&a, g, NULL, "blocks.0.hook_q_input", &err) == E_UNSUPPORTED &&
          strstr(err.hint, "edge"));
    model_free(g), model_free(l);
}
/* SPDX-License-Identifier: MIT */
