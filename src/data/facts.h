/* facts -- prompts that name a subject: what causal tracing is about.
 *
 *     [{ "prompt": "The Space Needle is in downtown", "subject": "The Space Needle", "answer": " Seattle" }, ...]
 *
 * As ROME's known_1000.json and CounterFact have them: "{}" in the prompt stands for the subject, an entry may lie in
 * "requested_rewrite", other keys are left alone.  The answer, one token, may be missing.  Without a tokenizer the
 * prompt is a list of ids and the subject [first position, end]. */
#ifndef MICROTOME_DATA_FACTS_H
#define MICROTOME_DATA_FACTS_H
#include "base/json.h"
#include "model/prompt.h"

typedef struct fact {
    prompt *p;
    int32_t first, end; /* positions of the subject's tokens */
    int32_t answer;     /* -1: not given */
} fact;

typedef struct facts {
    arena mem;
    int n;
    fact *fact;
} facts;

/* Read a JSON file of facts, the first `most` of them (0: all), or make one of texts; answer may be NULL.
 *
 * [err: IO, FORMAT, RANGE (a subject that is not in its prompt), what prompts and token_find return, NOMEM | owns: the caller, facts_free | thread: any | cost: O(tokens)] */
status facts_read(facts **out, const model *m, const char *path, int64_t most, bos_policy bos,
                  error *err);
status facts_from_texts(facts **out, const model *m, const char *prompt_text, const char *subject,
                        const char *answer, bos_policy bos, error *err);
void facts_free(facts *f);

#endif
/* SPDX-License-Identifier: MIT */
