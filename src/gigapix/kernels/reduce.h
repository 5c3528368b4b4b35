/* Windows of an array, each to one value.

An array of up to eight axes is cut into windows of `factors` from its origin; those at the far edges may be smaller.
Sums, minima and maxima go through the source row by row, and put each row to the row of the output that it belongs to,
which is in the cache: so the row is the only loop that matters. Ranks and modes collect the values of one window at a
time, because they must be sorted.

Values that mean "nothing" are left out: NaN always, and one marker where there is one. A window of nothing else becomes
`empty`, or a sum of 0. Pointers and strides are aligned to the values. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define REDUCE_TEMPLATE static inline __attribute__((always_inline)) /* arguments become constants where it is called */
#else
#define REDUCE_TEMPLATE static inline
#endif
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define REDUCE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define REDUCE_CLONES
#endif

enum { REDUCE_AXES = 8 };
enum { REDUCE_SUM, REDUCE_MIN, REDUCE_MAX, REDUCE_RANK, REDUCE_MODE };

typedef struct {
    const char *source;
    char *out;
    void *scratch;      /* room for the values of a window */
    const void *marker; /* NULL where there is none */
    const void *empty;
    double rank; /* 0 the lowest value of a window, 1 the highest */
    int axes, operation;
    ptrdiff_t shape[REDUCE_AXES], factors[REDUCE_AXES];    /* of the source */
    ptrdiff_t strides[REDUCE_AXES], steps[REDUCE_AXES];    /* of source and output, in bytes */
} reduce_job;

/* The next index of the first `axes` axes, the last one fastest; 0 when all have been. */
static inline int reduce_next(ptrdiff_t *index, const ptrdiff_t *shape, int axes) {
    for (int a = axes - 1; a >= 0; a--) {
        if (++index[a] < shape[a]) return 1;
        index[a] = 0;
    }
    return 0;
}

#define REDUCE_JOIN_(a, b) a##_##b
#define REDUCE_JOIN(a, b) REDUCE_JOIN_(a, b)
#define NAME(name) REDUCE_JOIN(SUFFIX, name)

#define S uint8_t
#define D uint32_t
#define SUFFIX reduce_u1_u4
#include "reduce_sum.h"
#define S int8_t
#define D int32_t
#define SUFFIX reduce_i1_i4
#include "reduce_sum.h"
#define S uint16_t
#define D uint32_t
#define SUFFIX reduce_u2_u4
#include "reduce_sum.h"
#define S int16_t
#define D int32_t
#define SUFFIX reduce_i2_i4
#include "reduce_sum.h"
#define S uint32_t
#define D uint32_t
#define SUFFIX reduce_u4_u4
#include "reduce_sum.h"
#define S int32_t
#define D int32_t
#define SUFFIX reduce_i4_i4
#include "reduce_sum.h"
#define S uint32_t
#define D uint64_t
#define SUFFIX reduce_u4_u8
#include "reduce_sum.h"
#define S int32_t
#define D int64_t
#define SUFFIX reduce_i4_i8
#include "reduce_sum.h"
#define S uint64_t
#define D uint64_t
#define SUFFIX reduce_u8_u8
#include "reduce_sum.h"
#define S int64_t
#define D int64_t
#define SUFFIX reduce_i8_i8
#include "reduce_sum.h"
#define S float
#define D double
#define SUFFIX reduce_f4_f8
#include "reduce_sum.h"
#define S double
#define D double
#define SUFFIX reduce_f8_f8
#include "reduce_sum.h"

#define S uint8_t
#define SUFFIX reduce_u1
#include "reduce_same.h"
#define S int8_t
#define SUFFIX reduce_i1
#include "reduce_same.h"
#define S uint16_t
#define SUFFIX reduce_u2
#include "reduce_same.h"
#define S int16_t
#define SUFFIX reduce_i2
#include "reduce_same.h"
#define S uint32_t
#define SUFFIX reduce_u4
#include "reduce_same.h"
#define S int32_t
#define SUFFIX reduce_i4
#include "reduce_same.h"
#define S uint64_t
#define SUFFIX reduce_u8
#include "reduce_same.h"
#define S int64_t
#define SUFFIX reduce_i8
#include "reduce_same.h"
#define S float
#define SUFFIX reduce_f4
#include "reduce_same.h"
#define S double
#define SUFFIX reduce_f8
#include "reduce_same.h"

/* Types by their code: 'u', 'i' or 'f' and bytes. Returns 0 where a pair has no loop. */
static int reduce(const reduce_job *job, int kind, int bytes, int wide) {
#define REDUCE_CASE(k, s, d, function) \
    if (kind == k && bytes == s && wide == d) return function(job), 1
    if (job->operation == REDUCE_SUM) {
        REDUCE_CASE('u', 1, 4, reduce_u1_u4_run);
        REDUCE_CASE('u', 2, 4, reduce_u2_u4_run);
        REDUCE_CASE('u', 4, 4, reduce_u4_u4_run);
        REDUCE_CASE('u', 4, 8, reduce_u4_u8_run);
        REDUCE_CASE('u', 8, 8, reduce_u8_u8_run);
        REDUCE_CASE('i', 1, 4, reduce_i1_i4_run);
        REDUCE_CASE('i', 2, 4, reduce_i2_i4_run);
        REDUCE_CASE('i', 4, 4, reduce_i4_i4_run);
        REDUCE_CASE('i', 4, 8, reduce_i4_i8_run);
        REDUCE_CASE('i', 8, 8, reduce_i8_i8_run);
        REDUCE_CASE('f', 4, 8, reduce_f4_f8_run);
        REDUCE_CASE('f', 8, 8, reduce_f8_f8_run);
        return 0;
    }
    REDUCE_CASE('u', 1, 1, reduce_u1_run);
    REDUCE_CASE('u', 2, 2, reduce_u2_run);
    REDUCE_CASE('u', 4, 4, reduce_u4_run);
    REDUCE_CASE('u', 8, 8, reduce_u8_run);
    REDUCE_CASE('i', 1, 1, reduce_i1_run);
    REDUCE_CASE('i', 2, 2, reduce_i2_run);
    REDUCE_CASE('i', 4, 4, reduce_i4_run);
    REDUCE_CASE('i', 8, 8, reduce_i8_run);
    REDUCE_CASE('f', 4, 4, reduce_f4_run);
    REDUCE_CASE('f', 8, 8, reduce_f8_run);
    return 0;
}
