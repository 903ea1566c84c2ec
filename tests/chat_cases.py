#!/usr/bin/env python3
"""chat_cases.py -- writes chat_cases.json: templates, messages, and what Jinja 2 makes of them (pip install jinja2).

The environment is Hugging Face's (trim_blocks, lstrip_blocks, loop controls, its own tojson).  "text": null where the template
refuses the messages.  The templates are written for these tests, in the ways that models' templates are written.
"""
import json
import os

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

HEADERS = """{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "1 Jan 2000" %}
    {%- endif %}
{%- endif %}
{#- the first message may be the system's #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- bos_token }}
{{- "<|header|>system<|end_header|>\\n\\n" }}
{{- "Today: " + date_string + "\\n\\n" }}
{{- system_message }}<|eot|>
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|header|>' + message['role'] + '<|end_header|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at once") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}{{- "}<|eom|>" }}
    {%- else %}
        {{- "<|header|>ipython<|end_header|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header|>assistant<|end_header|>\\n\\n' }}
{%- endif %}
"""

INST = """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"""

TURNS = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"""

THINK = """
{%- macro show(text, tag='t', loud=false) %}
  <{{ tag }}>{{ text|upper if loud else text }}</{{ tag }}>
{%- endmacro %}
{%- set ns = namespace(last=-1, seen=[]) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.last < 0 and message.role == "user" and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.last = index %}
    {%- endif %}
    {%- set ns.seen = ns.seen + [message.role] %}
{%- endfor %}
{%- for m in messages if m.role != 'system' %}
    {%- set content = m.content %}
    {%- if '</think>' in content %}
        {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {{- show(thought, tag='think', loud=loop.last) }}
    {%- endif %}
    {{- show(content) }}{{ loop.index }}/{{ loop.length }}{{ ' last' if loop.last }}
{%- else %}
nothing
{%- endfor %}
{{ ns.last }} {{ ns.seen }} {{ ns.seen | join('+') }}
"""

BLOCKS = """
  {% for m in messages %}
    {{ m.role }}:
    {% if loop.first %}
first
    {% elif loop.last %}
last
    {% else %}
between
    {% endif %}
  {# a comment #}
  text {%+ if true %} kept {% endif %}
  {%- for part in m.content.split() -%}
     {% if part == 'skip' %}{% continue %}{% endif %}
     {% if part == 'stop' %}{% break %}{% endif %}
     [{{ part }}]
  {%- endfor %}

  {% endfor %}
end
"""

SMALL = [
    "{{ 1 + 2 * 3 - 4 // 3 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 * 1.5 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e3 if false else 10 }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.5 }} {{ [1, 'a', none, true, {'k': \"it's\"}] }} {{ {'a': [1, 2], 'b': 'x\\n'} }}",
    "{{ 'abcdef'[1:3] }}{{ 'abcdef'[-2:] }}{{ 'abcdef'[::-1] }}{{ 'abcdef'[::2] }}{{ 'h\u00e9llo\u20ac'[1:-1] }}{{ [1,2,3,4][1:] }}{{ [1,2,3,4][::-2] }}{{ 'abc'[5:] }}|{{ 'abc'[2:1] }}|{{ 'h\u00e9llo'[::-1] }}",
    "{{ messages | length }} {{ messages[0].role | length }} {{ 'h\u00e9'|length }} {{ messages[-1]['role'] }} {{ messages[9] }} {{ messages[0].nothing }} {{ messages[0]['nothing'] is defined }}",
    "{{ messages[0] | tojson }} {{ messages[0] | tojson(indent=2) }} {{ ['a\"\\\\\\n\u00e9<>', 1.5, none, true, {}] | tojson }} {{ [] | tojson(indent=4) }}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'z': 1} %}{{ k }}{% endfor %}{% for c in 'h\u00e9' %}[{{ c }}]{% endfor %}{% for x in undefined_name %}{{ x }}{% else %}none{% endfor %}",
    "{{ 'x' in 'xyz' }} {{ 'q' not in ['x'] }} {{ 'role' in messages[0] }} {{ 1 in [1.0] }} {{ '' in '' }}",
    "{{ not true or false and true }} {{ '' or 'b' }} {{ 'a' and 0 }} {{ none or none }} {{ not '' }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ 2 >= 3 }} {{ [1] == [1] }} {{ {'a': 1} == {'a': 1} }} {{ none == false }}",
    "{{ x is defined }} {{ x is undefined }} {{ none is none }} {{ 'a' is string }} {{ 1 is number }} {{ 1.5 is integer }} {{ true is boolean }} {{ {} is mapping }} {{ [] is iterable }} {{ [] is sequence }} {{ 3 is odd }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is not none }} {{ 'a' is in ['a'] }} {{ 2 is eq 2 }} {{ true is true }}",
    "{{ '  a b '|trim }}|{{ 'xxaxx'.strip('x') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a b c'.split(' ', 1) }}|{{ 'a b c'.split(none, 1) }}|{{ 'aXbX'.replace('X', '-') }}|{{ 'aXbX'|replace('X', '-', 1) }}",
    "{{ 'AbC'|upper }}{{ 'AbC'|lower }}{{ 'ab cd'|title }}{{ 'aBc'|capitalize }}{{ 'ab-c d'.title() }}{{ 'aB'.capitalize() }}",
    "{{ x|default('d') }} {{ ''|default('d') }}| {{ ''|default('d', true) }} {{ none|d('e') }} {{ [1,2]|first }} {{ [1,2]|last }} {{ []|first }}| {{ '12'|int + 1 }} {{ 'a'|int }} {{ 3.9|int }} {{ 3|string + '!' }} {{ [1,2]|reverse|list }} {{ {'a':1}|list }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|rejectattr('role', 'equalto', 'user')|map(attribute='role')|join(', ') }} {{ messages|map(attribute='content')|list }} {{ messages|selectattr('tool')|list }}",
    "{% macro f(a, b=2, c='x') %}({{ a }},{{ b }},{{ c }}){% endmacro %}{{ f(1) }}{{ f(1, c='y') }}{{ f(b=5, a=0) }}{{ f('<' ~ f(9) ~ '>') }}{% set g = f %}{{ g(3) }}",
    "{% set a %}b {{ 1 + 1 }} c{% endset %}[{{ a }}]{% set t = namespace(n=0) %}{% for i in range(3) %}{% set t.n = t.n + i %}{% endfor %}{{ t.n }}{{ range(5, 0, -2)|list }}",
    "a\n  {% if true %}\nb\n  {% endif %}\n  c {% if true %}\n d{% endif %} \n{{ 'e' }}\n\nf\n",
    "a  {%- if true -%}  b  {%- endif -%}  c {{- ' d ' -}} e {#- x -#} f {# y #}\ng\n\n",
    "\n\n{%- set x = 1 -%}\n\n x={{ x }}\n{%- if x %}\n\n  y\n{%- endif +%}\nz",
    "{{ 'tab\\tnl\\nq\\'dq\\\"bs\\\\uni\\u00e9 odd\\q' }}{{ \"it's\" }}{{ 'a' 'b' }}",
    "{{ ('a', 'b') | join('-') }}{{ (1,)|length }}{{ ('x') }}{{ [1, 2,] | length }}{{ {'a': 1,}['a'] }}",
    "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '^' }}<{{ loop.nextitem.role if not loop.last else '$' }};{{ loop.revindex }}{{ loop.revindex0 }} {% endfor %}",
    "{% for a in [1,2] %}{% for b in [1,2] %}{{ loop.index }}{{ a }}{{ b }} {% if b == 1 %}{% continue %}{% endif %}!{% endfor %}{% if a == 1 %}{% break %}{% endif %}{% endfor %}",
    "{{ messages[0].get('role') }} {{ messages[0].get('x') }} {{ messages[0].get('x', 'y') }} {{ messages[0].keys()|list }} {{ messages[0].values()|list }} {{ messages[0]|items|list }}",
    "{% generation %}{{ 'kept' }}{% endgeneration %}" if False else "{{ bos_token }}{{ eos_token }}{{ unk_token }}|{{ tools }}{{ tools is none }}",
    "{{ none.x }}", "{{ nothing.x }}", "{{ nothing['x'] }}", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{{ 1 // 0 }}", "{% for x in 1 %}{% endfor %}",
    "{{ raise_exception('no') }}", "{{ none|length }}", "{{ [1][0:'a'] }}", "{% for a, b in [1] %}{% endfor %}",
    "{{ -5 }} {{ - 5 + 3 }} {{ -messages|length }} {{ not 1 == 2 }} {{ 1 if false }}| {{ 'a' if true else 'b' ~ 'c' }} {{ ('a' if 1 else 'b') ~ 'c' }} {{ 1 if 0 else 2 if 0 else 3 }}",
    "{{ 'x'|trim|upper ~ 'y'|upper }} {{ 1 + 'ab'|length }} {{ 'a' ~ 1 + 2 }} {{ 2 * 3 ~ 4 }}",
    "{{ 'a' is string and 1 is number }} {{ 'a' ~ 'b' is string }} {{ messages[0].role is defined and messages[0].role == 'user' }}",
]

MESSAGES = {
    "plain": [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello!\n"}, {"role": "user", "content": "  h\u00e9 \u20ac  "}],
    "system": [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "one skip two stop three"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nok"}],
    "tools": [{"role": "user", "content": "sum"}, {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": [2.5, None, "x\"\u00e9"]}}}]},
              {"role": "tool", "content": {"result": 3}}, {"role": "tool", "content": "3"}],
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(template, messages, generate):
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    try:
        return env.from_string(template).render(messages=messages, tools=None, documents=None, add_generation_prompt=generate, **SPECIAL)
    except Exception:
        return None


def main():
    cases = []
    for template in (CHATML, HEADERS, INST, TURNS, THINK, BLOCKS):
        for messages in MESSAGES.values():
            for generate in (False, True):
                cases.append((template, messages, generate))
    cases += [(t, MESSAGES["plain"], False) for t in SMALL]
    out = [{"template": t, "messages": m, "generate": g, "text": render(t, m, g)} for t, m, g in cases]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_cases.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write("[" + ",\n ".join(json.dumps(c) for c in out) + "]\n")
    print(len(out), "cases,", sum(c["text"] is None for c in out), "of them refused")


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
