/* fuzz_chat -- any bytes as a chat template, over two messages: a text in UTF-8, or an error that says what. */
#include "chat/chat.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static json_t *messages;
    chat *c = NULL;
    str out = { 0 };
    error err = { 0 };
    if (!messages)
        messages = json_pack("[{s:s,s:s},{s:s,s:[{s:i}]}]", "role", "user", "content", "h\xc3\xa9 ",
                             "role", "assistant", "content", "a", 1);
    if (!messages) abort();
    status st = chat_from_text(&c, (const char *)data, n, NULL, "template", &err);
    if (st == E_OK) st = chat_render(c, messages, true, &out, &err);
    if (st == E_OK && out.p && utf8_check(out.p, out.n) != out.n) abort();
    if (st != E_OK && !err.msg[0]) abort();
    str_release(&out);
    chat_free(c);
    return 0;
}
/* SPDX-License-Identifier: MIT */
