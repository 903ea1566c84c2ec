/* fuzz_report -- any bytes as a report to be replayed, and as messages and a tokenizer_config.json with a template in it. */
#include "chat/chat.h"
#include "report/report_read.h"
#include "scratch.h"
#include <string.h>

static void read_report(const char *text, size_t n)
{
    report_source s = { 0 };
    error err = { 0 };
    if (report_read_request(&s, text, n, "report", &err) != E_OK) {
        if (!err.msg[0]) abort();
        return;
    }
    if (!json_is_object(s.request) || !s.instrument || !s.hash) abort();
    report_source_release(&s);
}

static void read_chat(const char *messages)
{
    chat *c = NULL;
    json_t *said = NULL;
    str out = { 0 };
    error err = { 0 };
    status st = chat_messages(&said, messages, &err);
    if (st == E_OK) st = chat_open(&c, scratch("."), &err);
    if (st == E_OK && c) st = chat_render(c, said, true, &out, &err);
    if (st != E_OK && !err.msg[0]) abort();
    if (st == E_OK && out.p && utf8_check(out.p, out.n) != out.n) abort();
    str_release(&out);
    chat_free(c);
    json_decref(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    if (!text) return 0;
    memcpy(text, data, n);
    text[n] = 0;
    read_report(text, n);
    write_scratch("tokenizer_config.json", data, n);
    read_chat(text[0] == '/' ? "hello" : text); /* no paths */
    read_chat("[{\"role\": \"user\", \"content\": \"hi\"}]");
    free(text);
    return 0;
}
/* SPDX-License-Identifier: MIT */
