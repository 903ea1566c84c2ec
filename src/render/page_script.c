/* page_script -- what an HTML report does when scripts run; without them it is all there but values
 * on hover, sorting and the buttons.
 *
 *   theme     the button goes between light and dark; the choice is kept where storage is allowed
 *   cells     hover or focus shows labels, the exact value and the mark; arrows, Home and End move
 *             within a grid, which is one stop of the Tab key
 *   numbers   shows or hides the numbers in a heatmap's cells
 *   sorting   a column's heading sorts by it: numbers by value, texts by letters
 *   JSON      the whole report, saved from the page itself
 *
 * Everything is set with textContent, so no label can become markup. */
#include "render/page.h"

const char *const page_script[] = {
    "(function(){'use strict';\n"
    "var root=document.documentElement,tip=document.getElementById('tip'),at=null;\n"
    "function each(q,f,w){Array.prototype.forEach.call((w||document).querySelectorAll(q),f)}\n"
    "function dark(){var t=root.getAttribute('data-theme');\n"
    " return t?t==='dark':matchMedia('(prefers-color-scheme:dark)').matches}\n"
    "try{var kept=localStorage.getItem('microtome-theme');\n"
    " if(kept)root.setAttribute('data-theme',kept)}catch(e){}\n"
    "var theme=document.getElementById('theme');\n"
    "function name(){theme.textContent=dark()?'Light':'Dark'}\n"
    "theme.hidden=false;name();\n"
    "theme.onclick=function(){var "
    "t=dark()?'light':'dark';root.setAttribute('data-theme',t);name();\n"
    " try{localStorage.setItem('microtome-theme',t)}catch(e){}};\n"
    "var save=document.getElementById('save');save.hidden=false;\n"
    "save.onclick=function(){var a=document.createElement('a');\n"
    " a.href=URL.createObjectURL(new "
    "Blob([document.getElementById('microtome-report').textContent],\n"
    "  {type:'application/json'}));a.download='report.json';a.click();\n"
    " setTimeout(function(){URL.revokeObjectURL(a.href)},1000)};\n",

    /* cells */
    "function heads(c){var grid=c.closest('[role=grid]'),row=c.parentNode,i=c.cellIndex,list=[];\n"
    " if(i===undefined)return[c];\n"
    " list.push(row.cells[0],grid.tHead.rows[0].cells[i]);return list}\n"
    "function words(c){var g=c.closest('[role=grid]'),h=heads(c);\n"
    " if(c.cellIndex===undefined)return c.textContent;\n"
    " return g.dataset.row+' '+h[0].textContent+'\\n'+g.dataset.col+' '+\n"
    "  (h[1].dataset.name||h[1].textContent)}\n"
    "function show(c,x,y){if(at&&at!==c)hide();at=c;c.classList.add('at');\n"
    " tip.textContent='';var b=document.createElement('b'),s=document.createElement('span');\n"
    " b.textContent=(c.dataset.v||'')+(c.dataset.m?(c.dataset.v?' \\u2013 ':'')+c.dataset.m:'');\n"
    " if(c.dataset.t)b.textContent='\\u201c'+c.dataset.t+'\\u201d '+b.textContent;\n"
    " s.textContent=words(c);tip.append(b,s);\n"
    " if(c.cellIndex!==undefined){c.closest('table').classList.add('on');\n"
    "  heads(c).forEach(function(h){h.classList.add('hit')})}\n"
    " var w=tip.offsetWidth,t=tip.offsetHeight;\n"
    " tip.style.left=Math.max(4,Math.min(x+14,innerWidth-w-8))+'px';\n"
    " tip.style.top=(y+18+t>innerHeight?Math.max(4,y-t-12):y+18)+'px';tip.style.visibility='"
    "visible'}\n"
    "function hide(){if(!at)return;at.classList.remove('at');\n"
    " if(at.cellIndex!==undefined)heads(at).forEach(function(h){h.classList.remove('hit')});\n"
    " at=null;tip.style.visibility='hidden'}\n"
    "each('[role=grid]',function(g){\n"
    " var first=g.querySelector('[role=gridcell]');if(!first)return;first.tabIndex=0;\n"
    " function cell(e){return e.target.closest('[role=gridcell]')}\n"
    " function go(c){if(!c)return;each('[tabindex=\"0\"]',function(o){o.tabIndex=-1},g);\n"
    "  c.tabIndex=0;c.focus()}\n"
    " g.addEventListener('mousemove',function(e){var "
    "c=cell(e);if(c)show(c,e.clientX,e.clientY);else hide()});\n"
    " g.addEventListener('mouseleave',hide);\n"
    " g.addEventListener('focusin',function(e){var c=cell(e);if(!c)return;\n"
    "  var r=c.getBoundingClientRect();show(c,r.left+r.width/2,r.bottom-8)});\n"
    " g.addEventListener('focusout',hide);\n"
    " g.addEventListener('keydown',function(e){var c=cell(e);if(!c)return;\n"
    "  var k=e.key,table=c.cellIndex!==undefined,to=null,row=c.parentNode,i=c.cellIndex;\n"
    "  if(k==='Escape'){hide();return}\n"
    "  if(k==='ArrowRight')to=c.nextElementSibling;else "
    "if(k==='ArrowLeft')to=c.previousElementSibling;\n"
    "  else if(k==='Home')to=table?row.cells[1]:row.firstElementChild;\n"
    "  else if(k==='End')to=row.lastElementChild;\n"
    "  else if(table&&k==='ArrowDown')to=row.nextElementSibling&&row.nextElementSibling.cells[i];\n"
    "  else "
    "if(table&&k==='ArrowUp')to=row.previousElementSibling&&row.previousElementSibling.cells[i];\n"
    "  else return;\n"
    "  e.preventDefault();if(to&&to.getAttribute('role')==='gridcell')go(to)})});\n",

    /* numbers, sorting */
    "each('button.numbers',function(b){b.hidden=false;b.onclick=function(){\n"
    " var t=b.closest('figure').querySelector('.heat'),off=t.classList.toggle('plain');\n"
    " b.setAttribute('aria-pressed',String(!off))}});\n"
    "each('.data th button',function(b){b.onclick=function(){\n"
    " var th=b.parentNode,body=th.closest('table').tBodies[0],i=th.cellIndex;\n"
    " var num=th.classList.contains('num'),\n"
    "  down=th.getAttribute('aria-sort')?th.getAttribute('aria-sort')==='ascending':num;\n"
    " each('th',function(o){o.removeAttribute('aria-sort')},th.parentNode);\n"
    " th.setAttribute('aria-sort',down?'descending':'ascending');\n"
    " function key(r){var c=r.cells[i];return num?parseFloat(c.dataset.v):c.textContent}\n"
    " function missing(x){return x===''||x!==x}\n"
    " var rows=Array.prototype.slice.call(body.rows);\n"
    " rows.sort(function(p,q){var x=key(p),y=key(q);\n"
    "  if(missing(x)||missing(y))return missing(x)-missing(y);\n"
    "  var c=num?x-y:x.localeCompare(y);return down?-c:c});\n"
    " rows.forEach(function(r){body.appendChild(r)})}});\n"
    "})();\n",
    NULL,
};
/* SPDX-License-Identifier: MIT */
