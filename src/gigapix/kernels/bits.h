/* Samples of 1 to 64 bits, packed one behind the other with the highest bit first, to whole integers. Each row begins
at a byte (TIFF 6.0, BitsPerSample). `rows * row_bytes` bytes of source are there: the caller has seen to that. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *src;
    unsigned char *dst;
    const unsigned char *widths; /* bits of each sample of a pixel, over and over */
    ptrdiff_t period;            /* how many there are */
    ptrdiff_t rows, samples;     /* samples of a row, of all pixels */
    ptrdiff_t row_bytes, item;   /* item: bytes of an output sample */
} bits_job;

static inline uint64_t bits_load_8(const unsigned char *p) {
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
           (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

/* The 64 bits from `bit` on, which may lie in nine bytes; 0 for those beyond the end. */
static inline uint64_t bits_load(const unsigned char *row, uint64_t bit, ptrdiff_t row_bytes) {
    const unsigned char *p = row + (bit >> 3);
    const ptrdiff_t left = row_bytes - (ptrdiff_t)(bit >> 3);
    unsigned char bytes[9] = {0};
    memcpy(bytes, p, left < 9 ? (size_t)left : 9);
    return bits_load_8(bytes) << (bit & 7) | (uint64_t)bytes[8] >> (8 - (bit & 7));
}

/* Where all samples have one width of at most 57 bits, eight bytes hold any of them, and all but the last few are
loaded without asking whether the row ends. */
#define BITS_UNPACK(name, T)                                                                                          \
    static void bits_unpack_##name(const bits_job *job, const unsigned char *src, unsigned char *dst) {               \
        const ptrdiff_t bytes = job->row_bytes, samples = job->samples, period = job->period;                         \
        const unsigned char *widths = job->widths;                                                                    \
        uint64_t bit = 0;                                                                                             \
        ptrdiff_t i = 0;                                                                                              \
        if (period == 1 && widths[0] <= 57 && bytes >= 8) {                                                           \
            const unsigned width = widths[0];                                                                         \
            const uint64_t last = 8 * (uint64_t)(bytes - 8);                                                          \
            for (; i < samples && bit <= last; i++, bit += width) {                                                   \
                const T v = (T)(bits_load_8(src + (bit >> 3)) << (bit & 7) >> (64 - width));                          \
                memcpy(dst + i * (ptrdiff_t)sizeof v, &v, sizeof v);                                                  \
            }                                                                                                         \
        }                                                                                                             \
        for (ptrdiff_t k = 0; i < samples; i++) {                                                                     \
            const T v = (T)(bits_load(src, bit, bytes) >> (64 - widths[k]));                                          \
            memcpy(dst + i * (ptrdiff_t)sizeof v, &v, sizeof v);                                                      \
            bit += widths[k];                                                                                         \
            if (++k == period) k = 0;                                                                                 \
        }                                                                                                             \
    }
BITS_UNPACK(8, uint8_t)
BITS_UNPACK(16, uint16_t)
BITS_UNPACK(32, uint32_t)
BITS_UNPACK(64, uint64_t)

/* 1, 2 and 4 bits to bytes, where the compiler sees the width. A product lays copies of the byte side by side, each
shifted so that the sample wanted of it comes to lie at the bottom of a byte. */
static inline void bits_unpack_small(const unsigned char *restrict src, unsigned char *restrict dst, ptrdiff_t samples,
                                     int width) {
    const int each = 8 / width, mask = (1 << width) - 1;
    const uint64_t copies = width == 1 ? 0x8040201008040201 : width == 2 ? 0x40100401 : 0x1001;
    for (; samples >= each; samples -= each, dst += each) {
        const uint64_t v = *src++ * copies >> (8 - width) & 0x0101010101010101 * (uint64_t)mask;
        for (int k = 0; k < each; k++) dst[k] = (unsigned char)(v >> 8 * k);
    }
    for (int k = 0; k < samples; k++) dst[k] = (unsigned char)(*src >> (8 - width - k * width) & mask);
}

static void bits_unpack(const bits_job *job) {
    for (ptrdiff_t row = 0; row < job->rows; row++) {
        const unsigned char *src = job->src + row * job->row_bytes;
        unsigned char *dst = job->dst + row * job->samples * job->item;
        const int small = job->period == 1 && job->item == 1 ? job->widths[0] : 0;
        if (small == 1) bits_unpack_small(src, dst, job->samples, 1);
        else if (small == 2) bits_unpack_small(src, dst, job->samples, 2);
        else if (small == 4) bits_unpack_small(src, dst, job->samples, 4);
        else if (job->item == 1) bits_unpack_8(job, src, dst);
        else if (job->item == 2) bits_unpack_16(job, src, dst);
        else if (job->item == 4) bits_unpack_32(job, src, dst);
        else bits_unpack_64(job, src, dst);
    }
}
