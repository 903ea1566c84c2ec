/* fuzz_request -- an instrument's name, white space, then JSON as what it is asked, about the embedded model: a report, or an
 * error that says what.  Parameters that name files to read or write are left out. */
#include "base/cpu.h"
#include "instrument/instrument.h"
#include "scratch.h"
#include <string.h>

enum { NAME = 16 };

static double began;

static bool tell(void *user, const char *what, double done)
{
    (void)user, (void)what, (void)done;
    return clock_seconds() - began < 0.1;
}

/* What may be asked here: nothing of files, and one thread. */
static void make_safe(json_t *request, const instrument_def *d)
{
    const param *p;
    for (int i = 0; (p = instrument_param(d, i)) != NULL; i++)
        if (p->role == ROLE_FILE || p->role == ROLE_RUN) json_object_del(request, p->name);
    if (instrument_param_find(d, "threads"))
        json_object_set_new(request, "threads", json_integer(1));
    if (instrument_param_find(d, "model"))
        json_object_set_new(request, "model", json_string("demo:induction"));
}

static void ask(const instrument_def *d, json_t *request)
{
    report *r = NULL;
    bool failed = false;
    error err = { 0 };
    began = clock_seconds();
    status st = instrument_run(&r, &failed, d->name, request, tell, NULL, &err);
    if ((st == E_OK || st == E_INTERRUPTED) != (r != NULL)) abort();
    if (st != E_OK && st != E_INTERRUPTED && !err.msg[0]) abort();
    report_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char name[NAME + 1] = "";
    json_t *request = NULL;
    size_t k = 0;
    while (k < n && k < NAME && data[k] > ' ') name[k] = (char)data[k], k++;
    const instrument_def *d = instrument_find(name);
    if (!d) return 0;
    if (json_parse(&request, (const char *)data + k, n - k, "request", NULL) != E_OK) return 0;
    if (json_is_object(request)) make_safe(request, d), ask(d, request);
    json_decref(request);
    return 0;
}
/* SPDX-License-Identifier: MIT */
