/* t_ablate -- ablations agree with TransformerLens', direct effects with its direct paths, and parts add up where the norm
 * is held. */
#define TEST_FILE t_ablate
#include "test.h"
#include "format/format.h"
#include "instrument/next.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool near(const char *what, const double *a, const double *b, int64_t n, double tol)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = worse(worst, fabs(a[i] - b[i]));
        largest = fmax(largest, fabs(b[i]));
    }
    if (!(worst <= tol * largest)) printf("  %s: off by %g of %g\n", what, worst, largest);
    return largest > 0 && worst <= tol * largest;
}

/* ---- against TransformerLens ---- */

static double *golden(const char *path, const char *name, int64_t *n)
{
    container *c = NULL;
    REQUIRE(!container_open(&c, path, NULL));
    double *v = values_of(c, name, n);
    container_free(c);
    return v;
}

static void same_as_golden(const char *folder)
{
    static const char *const names[][2] = {
        { "ablate.zero.head", "ablate.zero.head" },
        { "ablate.mean.head", "ablate.mean.head" },
        { "ablate.mean_by_pos.head", "ablate.mean_by_pos.head" },
        { "ablate.zero.mlp", "ablate.zero.mlp" },
        { "ablate.mean.mlp", "ablate.mean.mlp" },
        { "ablate.mean_by_pos.mlp", "ablate.mean_by_pos.mlp" },
        { "ablate.resample.head", "noise.head_out_all_pos" },
        { "direct.resample.head", "path.noise.to_final_resid" },
    };
    char request[2000], path[1200];
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s/prompts.json\","
             "\"how\":\"zero,mean,mean_by_pos,resample\"}",
             folder, folder);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", folder);
    mt_report *r = ran("ablate", request);
    REQUIRE(r);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t n, m;
        double *a = tensor_of(r, names[i][0], &n), *b = golden(path, names[i][1], &m);
        CHECK(a && n == m && near(names[i][0], a, b, n, 1e-5));
        free(a), free(b);
    }
    mt_report_free(r);
}

TEST("zero, mean, resampled and direct effects are those of TransformerLens")
{
    char folder[2][1000];
    if (!shared_path("goldens/methods/tl-patching-gpt2")) SKIP("no ../shared");
    snprintf(folder[0], sizeof folder[0], "%s", shared_path("goldens/methods/tl-patching-gpt2"));
    snprintf(folder[1], sizeof folder[1], "%s", shared_path("goldens/methods/tl-patching-llama"));
    same_as_golden(folder[0]), same_as_golden(folder[1]);
}

/* ---- parts ---- */

TEST("with the norm held, a layer's direct effect is the sum of its heads' and its MLP's")
{
    tiny t;
    int64_t n_head, n_mlp, n_layer;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = ran_as(
        "ablate",
        "{\"model\":\"%s\",\"pairs\":\"%s\",\"what\":\"head,mlp,layer,attn\",\"how\":\"zero\","
        "\"precision\":\"f64\"}",
        t.dir, t.pairs);
    REQUIRE(r);
    double *head = tensor_of(r, "effect.direct_frozen.zero.head", &n_head),
           *mlp = tensor_of(r, "effect.direct_frozen.zero.mlp", &n_mlp),
           *layer = tensor_of(r, "effect.direct_frozen.zero.layer", &n_layer),
           *attn = tensor_of(r, "effect.direct_frozen.zero.attn", &n_layer);
    REQUIRE(head && mlp && layer && attn && n_layer == 3 && n_head == 15 && n_mlp == 3);
    for (int l = 0; l < 3; l++) {
        double heads = 0;
        for (int h = 0; h < 5; h++) heads += head[l * 5 + h];
        CHECK(fabs(heads) > 1e-3 && fabs(attn[l] - heads) < 1e-9);
        CHECK(fabs(layer[l] - heads - mlp[l]) < 1e-9);
    }
    free(head), free(mlp), free(layer), free(attn);
    mt_report_free(r);
}

TEST("behind the last MLP there is nobody to make up for it, and what is left is the norm")
{
    tiny t;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = ran_as(
        "ablate", "{\"model\":\"%s\",\"pairs\":\"%s\",\"what\":\"head,mlp\",\"how\":\"mean,zero\"}",
        t.dir, t.pairs);
    REQUIRE(r);
    CHECK(number_of(r, "ablate.mean.mlp", 2) == number_of(r, "direct.mean.mlp", 2));
    CHECK(number_of(r, "ablate.zero.mlp", 2) == number_of(r, "direct.zero.mlp", 2));
    CHECK(number_of(r, "direct.zero.mlp", 2) != number_of(r, "direct_frozen.zero.mlp", 2));
    CHECK(number_of(r, "ablate.zero.mlp", 1) != number_of(r, "direct.zero.mlp", 1));
    double repair = number_of(r, "self_repair.mean.mlp", 2),
           norm = number_of(r, "direct.mean.mlp", 2) - number_of(r, "direct_frozen.mean.mlp", 2);
    CHECK(fabs(repair - norm) < 1e-9);
    mt_report_free(r);
}

TEST("an ablated head is the head set by hand, and without a norm the direct effect is one number")
{
    tiny t;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = ran_as(
        "ablate", "{\"model\":\"%s\",\"pairs\":\"%s\",\"what\":\"head,neuron\",\"layer\":\"1:3\"}",
        t.dir, t.pairs);
    REQUIRE(r);
    CHECK(number_of(r, "ablate.zero.head", 5 + 3) ==
          diff_by_hand(&t, 0, "\"blocks.2.attn.z[head=3] = 0\""));
    CHECK(number_of(r, "direct.zero.head", 2) ==
          diff_by_hand(&t, 0, "\"blocks.1.attn[head=2] -> logits = 0\""));
    CHECK(number_of(r, "ablate.zero.neuron", 7) ==
          diff_by_hand(&t, 0, "\"blocks.1.mlp.post[neuron=7] = 0\""));
    mt_report_free(r);
    r = ran("ablate", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the\",\"the dog "
                      "ran on the\"]}");
    REQUIRE(r);
    CHECK(number_of(r, "effect.ablate.zero.head", 1) == -40);
    CHECK(number_of(r, "effect.direct.zero.head", 1) == 0);
    CHECK(number_of(r, "effect.direct.zero.head", 5) == -40);
    CHECK(number_of(r, "self_repair.zero.head", 5) == 0);
    CHECK(shows(r, "Resampled from another prompt of the same length"));
    mt_report_free(r);
}

/* ---- what is refused ---- */

TEST("an ablation that cannot be done is refused, with what would do")
{
#define DEMO "{\"model\":\"demo:induction\","
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"what\":\"mlp\"}", "mlp");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"how\":\"mean\"}", "no prompts for a mean");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"how\":\"resample\"}", "nothing to resample");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\",\"the\"],\"donor\":\"other\"}", "same length");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"donor\":\"corrupt\"}", "no other prompts");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"donor\":\"me\"}", "corrupt or other");
    refuses("ablate", DEMO "\"prompt\":[\"the cat\"],\"how\":\"zero,zero\"}", "twice");
    refuses("ablate", DEMO "\"clean\":\"the cat\"}", "--answer");
    refuses("ablate", DEMO "\"what\":\"head\"}", "pairs or prompts");
}

TEST("of prompts without a pair no wrong answer and no other run is shown")
{
    mt_report *r = ran("ablate", DEMO "\"prompt\":[\"the cat sat on the cat\"],\"how\":\"zero\"}");
    CHECK(r && shows(r, "prompt  answer  clean [logit]") && !shows(r, "corrupt ["));
    mt_report_free(r);
    r = ran("ablate", DEMO "\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the dog sat on the "
                           "cat\",\"answer\":\"sat\",\"how\":\"zero\"}");
    CHECK(r && shows(r, "pair  answer  clean [logit]  corrupt [logit]  gap [logit]"));
    mt_report_free(r);
}

TEST("the likeliest is the lowest of the largest, and never what is no number")
{
    const double nan = (double)NAN;
    double none[] = { nan, nan }, v[] = { nan, -2, 3, nan, 3, 1 };
    CHECK(next_likeliest(v, 6) == 2 && next_likeliest(v, 2) == 1 && next_likeliest(v, 1) == -1);
    CHECK(next_likeliest(none, 2) == -1 && next_largest(none, 2) == -1);
    CHECK(next_largest(v, 6) == 2 && next_largest(v, 6) == 4 && next_largest(v, 6) == 5);
    double least[] = { -INFINITY, nan };
    CHECK(next_likeliest(least, 2) == 0);
}

TEST("memory that runs out at any call is an error, never another report")
{
    starve("ablate", DEMO "\"threads\":1,\"prompt\":[\"the cat sat on\",\"the dog ran on\"],"
                          "\"what\":\"head,attn\"}");
}
/* SPDX-License-Identifier: MIT */
