/* page -- see page.h.  Colours, and text made harmless. */
#include "render/page.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- text ---- */

void page_text(str *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '&': str_puts(s, "&amp;"); break;
        case '<': str_puts(s, "&lt;"); break;
        case '>': str_puts(s, "&gt;"); break;
        case '"': str_puts(s, "&quot;"); break;
        case '\'': str_puts(s, "&#39;"); break;
        default: str_add(s, p + i, 1);
        }
    }
}

void page_string(str *s, const char *text) { page_text(s, text, strlen(text)); }

/* ---- colours ---- */

/* From the centre outwards, five stops a side; between stops linear in sRGB.  Orange-red against
 * blue: told apart with any colour vision, and by lightness alone within a side. */
typedef struct ramp {
    uint32_t warm[5], cool[5];
} ramp;

static const ramp light = { { 0xf4f2ed, 0xf7cdb3, 0xe88a61, 0xbf3d2c, 0x7d1023 },
                            { 0xf4f2ed, 0xc1dcec, 0x74b1d6, 0x3174b4, 0x143f7a } };
static const ramp dark = { { 0x272b32, 0x5e3029, 0xab4731, 0xec855e, 0xffd4b8 },
                           { 0x272b32, 0x27435f, 0x3072aa, 0x6fb6e8, 0xd2ecff } };

static uint32_t mix(const uint32_t stop[5], double x)
{
    int i = x >= 1 ? 3 : (int)(x * 4);
    double part = x * 4 - i;
    uint32_t rgb = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double a = stop[i] >> shift & 255, b = stop[i + 1] >> shift & 255;
        rgb |= (uint32_t)lround(a + part * (b - a)) << shift;
    }
    return rgb;
}

/* Relative luminance, as WCAG 2 defines it. */
static double luminance(uint32_t rgb)
{
    static const double share[] = { 0.0722, 0.7152, 0.2126 };
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double c = (rgb >> 8 * i & 255) / 255.0;
        sum += share[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static void rules(str *s, const char *scope, const ramp *r)
{
    for (int side = 0; side < 2; side++) {
        for (int i = 1; i <= PAGE_STEPS; i++) {
            uint32_t rgb = mix(side ? r->cool : r->warm, (double)i / PAGE_STEPS);
            str_printf(s, "%s .%c%d{background:#%06x;color:#%s}\n", scope, side ? 'n' : 'p', i, rgb,
                       luminance(rgb) > 0.18 ? "111" : "fff");
        }
    }
    str_printf(s, "%s{--zero:#%06x;--up:linear-gradient(90deg", scope, r->warm[0]);
    for (int i = 0; i < 5; i++) str_printf(s, ",#%06x", r->warm[i]);
    str_puts(s, ");--down:linear-gradient(270deg");
    for (int i = 0; i < 5; i++) str_printf(s, ",#%06x", r->cool[i]);
    str_printf(s, ");--barup:#%06x;--bardown:#%06x}\n", mix(r->warm, 0.6), mix(r->cool, 0.6));
}

void page_colours(str *s)
{
    rules(s, ":root", &light);
    str_puts(s, "@media (prefers-color-scheme:dark){\n");
    rules(s, ":root:not([data-theme=light])", &dark);
    str_puts(s, "}\n");
    rules(s, ":root[data-theme=dark]", &dark);
}
/* SPDX-License-Identifier: MIT */
