/* From the bytes of a decompressed segment to their place in the output, row by row: undo the predictor (TIFF 6.0
section 14; 3 is Adobe's Technical Note 3), swap bytes, leave out the columns and samples that nobody asked for, take
apart what is interleaved.

A "unit" is what is swapped and differenced: a sample, or a component of a complex one. The units of one sample in one
row are a "line", and a line goes through at most three loops: `gather` takes it out of the row, `sum` undoes the
differences, `unplane` puts the byte planes of predictor 3 together. A line fits in the first-level cache, so three
simple loops that the compiler vectorises are faster than a single one that it can't.

Bytes are loaded and stored with memcpy, because neither side need be aligned. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *src; /* the first row of the box */
    unsigned char *dst;
    unsigned char *scratch;  /* for predictor 3: a line, `unit * width` bytes */
    const ptrdiff_t *select; /* which sample of the segment each sample of the output is */
    ptrdiff_t shape[4];      /* of the output: samples, depth, height, width */
    ptrdiff_t strides[4];    /* of the output, in bytes */
    ptrdiff_t height, width; /* of the segment, in pixels */
    ptrdiff_t skip;          /* columns left of the box */
    ptrdiff_t unit;          /* bytes: 1, 2, 4 or 8 */
    ptrdiff_t components;    /* units of a sample */
    ptrdiff_t units;         /* of a pixel of the segment */
    int predictor, swap;
} place_job;

/* Taking RGB apart is ten times faster with instructions younger than x86-64 itself: such a loop is compiled twice, and
the loader picks. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define PLACE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define PLACE_CLONES
#endif

/* Functions whose arguments become constants where they are called. */
#if defined(__GNUC__)
#define PLACE_TEMPLATE static inline __attribute__((always_inline))
#else
#define PLACE_TEMPLATE static inline
#endif

static inline uint8_t place_swap_8(uint8_t v) { return v; }
static inline uint16_t place_swap_16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }
static inline uint32_t place_swap_32(uint32_t v) {
    return v << 24 | (v & 0xff00) << 8 | (v >> 8 & 0xff00) | v >> 24;
}
static inline uint64_t place_swap_64(uint64_t v) {
    return (uint64_t)place_swap_32((uint32_t)v) << 32 | place_swap_32((uint32_t)(v >> 32));
}

/* Running sums within a vector of 16 bytes: each lane adds the one 1, 2, 4 and 8 below it. `last` spreads the sum of
all. Without vectors, and for the two lanes of 64 bits, the plain loop does everything. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PLACE_VECTORS
typedef uint8_t place_vector_8 __attribute__((vector_size(16)));
typedef uint16_t place_vector_16 __attribute__((vector_size(16)));
typedef uint32_t place_vector_32 __attribute__((vector_size(16)));

static inline place_vector_8 place_scan_8(place_vector_8 v) {
    const place_vector_8 z = {0};
    v += __builtin_shufflevector(z, v, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    v += __builtin_shufflevector(z, v, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
    v += __builtin_shufflevector(z, v, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
    return v + __builtin_shufflevector(z, v, 0, 0, 0, 0, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23);
}
static inline place_vector_16 place_scan_16(place_vector_16 v) {
    const place_vector_16 z = {0};
    v += __builtin_shufflevector(z, v, 0, 8, 9, 10, 11, 12, 13, 14);
    v += __builtin_shufflevector(z, v, 0, 0, 8, 9, 10, 11, 12, 13);
    return v + __builtin_shufflevector(z, v, 0, 0, 0, 0, 8, 9, 10, 11);
}
static inline place_vector_32 place_scan_32(place_vector_32 v) {
    const place_vector_32 z = {0};
    v += __builtin_shufflevector(z, v, 0, 4, 5, 6);
    return v + __builtin_shufflevector(z, v, 0, 0, 4, 5);
}
static inline place_vector_8 place_last_8(place_vector_8 v) {
    return __builtin_shufflevector(v, v, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
}
static inline place_vector_16 place_last_16(place_vector_16 v) {
    return __builtin_shufflevector(v, v, 7, 7, 7, 7, 7, 7, 7, 7);
}
static inline place_vector_32 place_last_32(place_vector_32 v) { return __builtin_shufflevector(v, v, 3, 3, 3, 3); }
#endif
#endif

/* The loops, once for each width of a unit. */
#define PLACE_NAME_(name, bits) place_##name##_##bits
#define PLACE_NAME(name, bits) PLACE_NAME_(name, bits)
#define BITS 8
#include "place_unit.h"
#define BITS 16
#include "place_unit.h"
#define BITS 32
#include "place_unit.h"
#define BITS 64
#include "place_unit.h"

static void place_all(const place_job *job) {
    const ptrdiff_t row_bytes = job->width * job->units * job->unit;
    for (ptrdiff_t z = 0; z < job->shape[1]; z++)
        for (ptrdiff_t y = 0; y < job->shape[2]; y++)
            for (ptrdiff_t i = 0; i < job->shape[0]; i++)
                for (ptrdiff_t c = 0; c < job->components; c++) {
                    /* Predictor 3 spreads a unit's bytes over the row: its line begins with the first of them. */
                    const ptrdiff_t at = job->select[i] * job->components + c;
                    const unsigned char *src = job->src + (z * job->height + y) * row_bytes +
                                               at * (job->predictor == 3 ? 1 : job->unit);
                    unsigned char *dst = job->dst + i * job->strides[0] + z * job->strides[1] +
                                         y * job->strides[2] + c * job->unit;
                    if (job->unit == 1) place_line_8(job, src, dst);
                    else if (job->unit == 2) place_line_16(job, src, dst);
                    else if (job->unit == 4) place_line_32(job, src, dst);
                    else place_line_64(job, src, dst);
                }
}
