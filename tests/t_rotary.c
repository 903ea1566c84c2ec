/* t_rotary -- rotary frequencies of every scaling that is built, against what transformers 5 computes, float by float (d_head
 * 16); one set for each kind of layer; and what is refused.  t_model has default and llama3 at d_head 128, and whole models. */
#define TEST_FILE t_rotary
#include "test.h"
#include "base/json.h"
#include "model/config.h"
#include <math.h>
#include <string.h>

enum { PAIRS = 8 };

static status frequencies(const char *config, const char *layers, model_config *c, double *f,
                          error *err)
{
    json_t *json = NULL;
    *c = (model_config){ .d_head = 2 * PAIRS };
    *err = (error){ 0 };
    REQUIRE(!json_parse(&json, config, strlen(config), "config", NULL));
    status st = config_rotary_of(json, layers, 10000, 1, c, f, err);
    json_decref(json);
    return st;
}

#define YARN "\"rope_type\": \"yarn\", \"original_max_position_embeddings\": 32, "
#define MAX "\"max_position_embeddings\": 128"

static const struct {
    const char *says, *config;
    float f[PAIRS];
    double factor;
} known[] = {
    { "linear",
      "{\"rope_parameters\": {\"rope_type\": \"linear\", \"rope_theta\": 500.0, \"factor\": "
      "3.0}, " MAX "}",
      { 0x1.555556p-2f, 0x1.39eeeep-3f, 0x1.20bb9ap-4f, 0x1.098e26p-5f, 0x1.e879fep-7f,
        0x1.c143cep-8f, 0x1.9d3368p-9f, 0x1.7c0822p-10f },
      1 },
    { "yarn",
      "{\"rope_parameters\": {" YARN "\"rope_theta\": 10000.0, \"factor\": 4.0}, " MAX "}",
      { 0x1p+0f, 0x1.94c584p-3f, 0x1.99999ap-6f, 0x1.030dc6p-7f, 0x1.47ae14p-9f, 0x1.9e7c7p-11f,
        0x1.0624dep-12f, 0x1.4b96cp-14f },
      1.138629436111989 },
    { "yarn",
      "{\"rope_parameters\": {" YARN "\"rope_theta\": 500.0, \"factor\": 8.0, \"beta_fast\": 4.0, "
      "\"beta_slow\": 0.5, \"attention_factor\": 1.75}, " MAX "}",
      { 0x1p+0f, 0x1.4d8ddep-2f, 0x1.68ea8p-4f, 0x1.8e553ap-7f, 0x1.6e5b7ep-8f, 0x1.50f2dap-9f,
        0x1.35e68ep-10f, 0x1.1d061ap-11f },
      1.75 },
    { "yarn",
      "{\"rope_parameters\": {" YARN "\"rope_theta\": 500.0, \"factor\": 8.0, \"mscale\": 0.7, "
      "\"mscale_all_dim\": 0.4, \"truncate\": false}, " MAX "}",
      { 0x1p+0f, 0x1.1245d2p-2f, 0x1.1da68p-5f, 0x1.8e553ap-7f, 0x1.6e5b7ep-8f, 0x1.50f2dap-9f,
        0x1.35e68ep-10f, 0x1.1d061ap-11f },
      1.0575928109100559 },
    { "yarn", /* as older files say it */
      "{\"rope_theta\": 10000.0, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
      "\"original_max_position_embeddings\": 32}, " MAX "}",
      { 0x1p+0f, 0x1.94c584p-3f, 0x1.99999ap-6f, 0x1.030dc6p-7f, 0x1.47ae14p-9f, 0x1.9e7c7p-11f,
        0x1.0624dep-12f, 0x1.4b96cp-14f },
      1.138629436111989 },
};

TEST("linear's and yarn's frequencies are transformers' floats, and so is yarn's attention factor")
{
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        model_config c;
        error err;
        double f[2 * PAIRS];
        REQUIRE(frequencies(known[k].config, NULL, &c, f, &err) == E_OK);
        for (int i = 0; i < PAIRS; i++) {
            double want = (double)known[k].f[i];
            if (f[PAIRS + i] != want)
                printf("  %zu, pair %d: %a, expected %a\n", k, i, f[PAIRS + i], want);
            CHECK(f[PAIRS + i] == want && fabs(f[i] - want) < 1e-6 * want);
        }
        CHECK(!strcmp(c.rope_scaling, known[k].says) && c.n_rot == 2 * PAIRS);
        CHECK(fabs(c.rope_factor - known[k].factor) < 1e-15);
    }
}

TEST(
    "each kind of layer has its own set, in the newer spelling; one that is missing is not made up")
{
    static const char both[] = "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": "
                               "\"linear\", \"rope_theta\": 500.0, "
                               "\"factor\": 3.0}, \"sliding_attention\": {\"rope_type\": "
                               "\"default\", \"rope_theta\": 100.0}}}";
    model_config c;
    error err;
    double full[2 * PAIRS], sliding[2 * PAIRS];
    REQUIRE(frequencies(both, "full_attention", &c, full, &err) == E_OK);
    CHECK(!strcmp(c.rope_scaling, "linear") && c.rope_theta == 500);
    REQUIRE(frequencies(both, "sliding_attention", &c, sliding, &err) == E_OK);
    for (int i = 0; i < PAIRS; i++) {
        CHECK(full[PAIRS + i] == (double)known[0].f[i]);
        CHECK(fabs(sliding[i] - pow(100, -i / 8.0)) < 1e-12);
    }
    CHECK(frequencies(both, NULL, &c, full, &err) != E_OK);
}

TEST("rotary positions that change with the length, and what is not known, are refused by name")
{
    static const struct {
        const char *rope, *says;
    } bad[] = {
        { "\"rope_type\": \"dynamic\", \"factor\": 2.0", "dynamic" },
        { "\"rope_type\": \"longrope\", \"factor\": 2.0", "longrope" },
        { "\"rope_type\": \"longrope\", \"short_factor\": [1.0], \"long_factor\": [1.5]",
          "rope type \"longrope\"" }, /* as Phi-3's files have it */
        { "\"type\": \"su\", \"short_factor\": [1.0], \"long_factor\": [1.5]",
          "rope type \"su\"" }, /* longrope's older name */
        { "\"rope_type\": \"proportional\"", "proportional" },
        { "\"rope_type\": \"yarn\", \"factor\": 4.0, \"long_factor\": [1]", "long_factor" },
        { "\"rope_type\": \"yarn\"", "factor" },
        { "\"rope_type\": \"linear\", \"factor\": -1", "factor" },
        { "\"rope_type\": 3", "rope_type" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int older = 0; older < 2; older++) {
            char config[300];
            model_config c;
            error err;
            double f[2 * PAIRS];
            snprintf(config, sizeof config, "{\"%s\": {%s}}",
                     older ? "rope_scaling" : "rope_parameters", bad[i].rope);
            bool refused = frequencies(config, NULL, &c, f, &err) != E_OK;
            if (!refused || !strstr(err.msg, bad[i].says)) printf("  %s: %s\n", config, err.msg);
            CHECK(refused && strstr(err.msg, bad[i].says));
        }
}
/* SPDX-License-Identifier: MIT */
