/* chat -- a model's own chat template, and messages written out by it.
 *
 * Read are chat_template.jinja, or chat_template in tokenizer_config.json (of several, the one named "default").  A
 * template is a program in Jinja; docs/chat.md lists what of it is run, the rest is refused by its name. */
#ifndef MICROTOME_CHAT_CHAT_H
#define MICROTOME_CHAT_CHAT_H
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

typedef struct chat chat;

/* The template of a model's directory (or of the file beside it), with the names of its special tokens; *out is NULL
 * where there is none.
 *
 * [err: IO, FORMAT, UNSUPPORTED, LIMIT, NOMEM | owns: the caller, chat_free | thread: any | cost: the files] */
status chat_open(chat **out, const char *path, error *err);

/* A template's text; special: names of special tokens ({"bos_token": "<s>"}), or NULL.
 *
 * [err: FORMAT, UNSUPPORTED, LIMIT, NOMEM | owns: the caller, chat_free; both are copied | thread: any | cost: O(n)] */
status chat_from_text(chat **out, const char *text, size_t n, const json_t *special,
                      const char *name, error *err);
void chat_free(chat *c);

/* Messages ([{"role": .., "content": ..}, ..]) as the template writes them; generate: begin the answer, too.
 * Templates write BOS themselves: the text is to be encoded without.
 *
 * [err: FORMAT (the template refuses the messages, or they are none), UNSUPPORTED, LIMIT, NOMEM | owns: out | thread: any | cost: at most 5 million steps] */
status chat_render(const chat *c, const json_t *messages, bool generate, str *out, error *err);

/* Messages as the command takes them: a list in JSON, a file that holds one, or the text of the user's one message.
 *
 * [err: IO, FORMAT, NOMEM | owns: the caller (json_decref) | thread: any | cost: O(bytes)] */
status chat_messages(json_t **out, const char *text, error *err);

#endif
/* SPDX-License-Identifier: MIT */
