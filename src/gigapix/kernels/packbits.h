/* PackBits (TIFF 6.0, section 9), stopping and going on at any byte: a header n of 0 to 127 is followed by n + 1 bytes as
they are, one of -1 to -127 by a byte that is repeated 1 - n times; -128 is nothing. */

#include <stddef.h>
#include <string.h>

typedef struct {
    unsigned char left;   /* bytes that the last header still makes */
    unsigned char repeat; /* whether they are all the same one */
    unsigned char known;  /* whether that one is known yet */
    unsigned char value;  /* that one */
} packbits_state;

/* Decodes until `dst` is full or the source ends; returns the bytes written, and in `used` those taken of the source. */
static ptrdiff_t packbits_run(packbits_state *state, const unsigned char *src, ptrdiff_t n, unsigned char *dst,
                              ptrdiff_t room, ptrdiff_t *used) {
    packbits_state s = *state;
    const unsigned char *p = src, *const stop = src + n;
    unsigned char *to = dst, *const end = dst + room;
    while (to < end) {
        if (!s.left) {
            if (p == stop) break;
            const unsigned char header = *p++;
            if (header == 128) continue;
            s.repeat = header > 128, s.known = 0;
            s.left = s.repeat ? (unsigned char)(257 - header) : (unsigned char)(header + 1);
        }
        ptrdiff_t count = s.left < end - to ? s.left : end - to;
        if (s.repeat) {
            if (!s.known) {
                if (p == stop) break;
                s.value = *p++, s.known = 1;
            }
            memset(to, s.value, (size_t)count);
        } else {
            if (count > stop - p) count = stop - p;
            if (!count) break;
            memcpy(to, p, (size_t)count);
            p += count;
        }
        to += count;
        s.left = (unsigned char)(s.left - count);
    }
    *state = s;
    *used = p - src;
    return to - dst;
}
