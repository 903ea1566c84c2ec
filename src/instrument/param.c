/* param -- see param.h. */
#include "instrument/param.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

const param_kind param_text = { .type = VALUE_TEXT }, param_int = { .type = VALUE_INT },
                 param_real = { .type = VALUE_REAL }, param_flag = { .type = VALUE_FLAG },
                 param_list = { .type = VALUE_LIST },
                 param_bos = { .type = VALUE_TEXT, .words = "auto yes no" };

const param param_of_prompts[] = {
    { "prompt", PARAM_LIST, NULL, "a prompt; give it again for several", ROLE_WHAT },
    { "chat", PARAM_LIST, NULL,
      "a user's message, JSON messages or a .json of them, by the model's own template",
      ROLE_WHAT },
    { "tokens", PARAM_TEXT, NULL, "token ids instead: 1,2,3 or a JSON file of lists of ids",
      ROLE_FILE }, /* the ids themselves are inputs that are hashed */
    { "second", PARAM_LIST, NULL,
      "a text behind each prompt, as BERT reads two: [CLS] a [SEP] b [SEP], b of type 1",
      ROLE_WHAT },
    { "token_types", PARAM_TEXT, NULL,
      "token types (BERT's segments) of the tokens: 0,0,1,1 or a JSON file of lists [0]",
      ROLE_WHAT },
    { "bos", PARAM_BOS, "auto", "begin with BOS: auto (as the tokenizer does), yes, no",
      ROLE_WHAT },
    { "edit", PARAM_LIST, NULL, "an edit, SITE = VALUE; give it again for several", ROLE_EDITS },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

const param param_of_models[] = {
    { "precision", PARAM_TEXT, "f32",
      "f32 (canonical), f64 (the yardstick) or fast (by integers or bf16 parts: AVX-512 VNNI for "
      "weights in blocks, AMX for others)",
      ROLE_WHAT },
    { "seed", PARAM_INT, "0", "of everything that is drawn at random", ROLE_WHAT },
    { "backend", PARAM_TEXT, "auto",
      "kernels: auto, avx512, avx2, reference, plain (no bit differs)", ROLE_HOW },
    { "threads", PARAM_INT_IN(0, 1024), "0", "0: as many as there are (no bit differs)", ROLE_HOW },
    { "memory", PARAM_INT_IN(0, (double)(INT64_MAX >> 20)), "0",
      "most memory for values, in MiB; 0: no limit (no bit differs)", ROLE_HOW },
    { "allow", PARAM_TEXT, NULL,
      "config.json keys that are not known, to be left out of account, with commas", ROLE_WHAT },
    { "config", PARAM_TEXT, NULL,
      "keys in place of config.json's: JSON, or a file; where there is none, all of it",
      ROLE_WHAT },
    { "adapter", PARAM_TEXT, NULL,
      "a LoRA adapter (PEFT's directory or file), added to the weights", ROLE_WHAT },
    { "adapter_scale", PARAM_REAL, "1", "times the adapter's own scale (0: as without it)",
      ROLE_WHAT },
    { "no_fuse", PARAM_FLAG, NULL, "compute every node on its own (no bit differs)", ROLE_HOW },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

const param param_subject = { "model", PARAM_TEXT, NULL,
                              "a directory, .safetensors, llama2.c .bin, or demo:induction",
                              ROLE_FILE };

/* ---- numbers ---- */

status param_bounds(const char *who, const char *name, double value, double least, double most,
                    error *err)
{
    if (value >= least && value <= most) return E_OK; /* so NaN is none */
    if (most < HUGE_VAL)
        return error_set(err, E_USAGE, "%s: %s is %.17g, expected %.17g to %.17g", who, name, value,
                         least, most);
    return error_set(err, E_USAGE, "%s: %s is %.17g, expected %.17g or more", who, name, value,
                     least);
}

/* ---- words ---- */

enum { MAX_WORD = 64 };

/* The words as a sentence has them: "a, b or c". */
static void sentence(const char *words, char out[ERROR_HINT])
{
    size_t at = 0, n, n_next;
    const char *word = str_word(&words, &n), *next;
    for (*out = 0; word && at < ERROR_HINT; word = next, n = n_next) {
        next = str_word(&words, &n_next);
        const char *between = !at ? "" : next ? ", " : " or ";
        at += (size_t)snprintf(out + at, ERROR_HINT - at, "%s%.*s", between, (int)n, word);
    }
}

/* The nearest of the words; empty: none is near. */
static void nearest(const char *words, const char *given, char out[MAX_WORD])
{
    char each[MAX_WORD];
    int best = 3;
    size_t n;
    *out = 0;
    for (const char *word; (word = str_word(&words, &n));) {
        snprintf(each, sizeof each, "%.*s", (int)n, word);
        int far = str_distance(given, each);
        if (far < best) best = far, memcpy(out, each, sizeof each);
    }
}

static status no_word(const char *who, const param *p, const char *word, error *err)
{
    char all[ERROR_HINT], near[MAX_WORD];
    sentence(p->kind->words, all);
    nearest(p->kind->words, word, near);
    error_set(err, E_USAGE, "%s: %s is '%.60s', expected %s%s", who, p->name, word,
              p->kind->several ? "one or more of " : "", all);
    if (*near) error_hint(err, "did you mean '%s'?", near);
    return E_USAGE;
}

/* Each a word of the kind's, none twice, one at least. */
static status list_check(const char *who, const param *p, const char *list, error *err)
{
    char word[MAX_WORD], all[ERROR_HINT];
    const char *rest = list;
    size_t n;
    for (const char *at; (at = str_word(&rest, &n));) {
        snprintf(word, sizeof word, "%.*s", (int)n, at);
        if (n >= sizeof word || !str_listed(p->kind->words, word))
            return no_word(who, p, word, err);
        if (str_listed(rest, word))
            return error_set(err, E_USAGE, "%s: %s names %s twice", who, p->name, word);
    }
    if (list[strspn(list, ", ")]) return E_OK;
    sentence(p->kind->words, all);
    return error_set(err, E_USAGE, "%s: %s names nothing, expected one or more of %s", who, p->name,
                     all);
}

static status word_check(const char *who, const param *p, const char *text, error *err)
{
    size_t n;
    for (const char *words = p->kind->words, *word; (word = str_word(&words, &n));)
        if (str_is(word, n, text)) return E_OK;
    return no_word(who, p, text, err);
}

/* ---- values ---- */

static bool is_of(value_type type, const json_t *v)
{
    switch (type) {
    case VALUE_TEXT: return json_is_string(v);
    case VALUE_INT: return json_is_integer(v);
    case VALUE_REAL: return json_is_number(v);
    case VALUE_FLAG: return json_is_boolean(v);
    default: break;
    }
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i))) return false;
    return json_is_array(v);
}

status param_check(const char *who, const param *p, const json_t *value, error *err)
{
    static const char *const types[] = { "a text", "a whole number", "a number", "true or false",
                                         "a list of texts" };
    const param_kind *k = p->kind;
    if (!is_of(k->type, value))
        return error_set(err, E_USAGE, "%s: '%s' is %s, expected %s", who, p->name,
                         json_kind(value), types[k->type]);
    status st = E_OK;
    if (k->words)
        st = (k->several ? list_check : word_check)(who, p, json_string_value(value), err);
    if (k->bounded)
        st = param_bounds(who, p->name, json_number_value(value), k->least, k->most, err);
    if (st != E_OK) error_hint(err, "%s: %s", p->name, p->says); /* unless a nearer one is there */
    return st;
}
/* SPDX-License-Identifier: MIT */
