/* What the native roads share: ids as numbers, tables keyed by bytes, growing columns, times of log lines.
 *
 * Everything here says what the Python module named beside it says; tests compare the two.
 */
#ifndef APIGW_DOCTOR_COMMON_H
#define APIGW_DOCTOR_COMMON_H

#define PY_SSIZE_T_CLEAN
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <Python.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A stretch of bytes that somebody else owns. */
typedef struct {
    const char *start;
    Py_ssize_t length;
} Span;

static inline Span span_from(Span whole, Py_ssize_t from)
{
    if (from > whole.length)
        from = whole.length;
    return (Span){whole.start + from, whole.length - from};
}

static inline bool span_equals(Span left, Span right)
{
    return left.length == right.length && memcmp(left.start, right.start, (size_t)left.length) == 0;
}

static inline bool span_begins(Span whole, const char *text, Py_ssize_t length)
{
    return whole.length >= length && memcmp(whole.start, text, (size_t)length) == 0;
}

/* Begins with a literal. */
#define BEGINS(span, literal) span_begins((span), (literal), (Py_ssize_t)sizeof(literal) - 1)

/* Where a literal stands, NULL when it does not. */
#define FIND(span, literal) \
    ((const char *)memmem((span).start, (size_t)(span).length, (literal), sizeof(literal) - 1))

static inline PyObject *span_bytes(Span span)
{
    return PyBytes_FromStringAndSize(span.start, span.length);
}

/* Bytes that `bytes.strip()` takes away. */
static inline bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static inline Span span_stripped(Span span)
{
    while (span.length && is_blank(span.start[0]))
        span.start++, span.length--;
    while (span.length && is_blank(span.start[span.length - 1]))
        span.length--;
    return span;
}

static inline bool span_is_ascii(Span span)
{
    for (Py_ssize_t at = 0; at < span.length; at++)
        if ((unsigned char)span.start[at] >= 0x80)
            return false;
    return true;
}

static inline bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Looked up: no branch tells the digits of random ids apart well. */
static const bool HEXADECIMAL[256] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true,
    ['8'] = true, ['9'] = true, ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true,
    ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true,
};

static inline bool is_hex(char byte)
{
    return HEXADECIMAL[(unsigned char)byte];
}

static inline char lowered(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte;
}

/* Ids (model/ids.py, evidence/traffic.py) */

#define UUID_CHARS 36

/* A UUID of either case begins here; the caller knows that so many bytes are there. */
static inline bool is_uuid(const char *text)
{
    for (int at = 0; at < UUID_CHARS; at++) {
        bool dash = at == 8 || at == 13 || at == 18 || at == 23;
        if (dash ? text[at] != '-' : !is_hex(text[at]))
            return false;
    }
    return true;
}

#define ID_PRIME (((uint64_t)1 << 61) - 1)

/* Every byte of a word in lower case, as `lowered` has it. */
static inline uint64_t lowered_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, low = word & (ones * 0x7F);
    uint64_t from_a = low + ones * (0x80 - 'A'), behind_z = low + ones * (0x7F - 'Z');
    return word | ((~word & (from_a ^ behind_z) & (ones * 0x80)) >> 2);
}

/* So many bytes, at most eight, as a little-endian number. */
static inline uint64_t word_of(const char *text, Py_ssize_t length)
{
    uint64_t word = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&word, text, (size_t)length);
#else
    for (Py_ssize_t at = length - 1; at >= 0; at--)
        word = word << 8 | (unsigned char)text[at];
#endif
    return word;
}

/* `id64` of the bytes: the little-endian number modulo 2**61 - 1. */
static inline uint64_t id64_of(const char *text, Py_ssize_t length, bool lower)
{
    uint64_t rest = 0;
    for (Py_ssize_t at = length ? (length - 1) / 8 * 8 : -1; at >= 0; at -= 8) {
        uint64_t word = length - at < 8 ? word_of(text + at, length - at) : word_of(text + at, 8);
        word = lower ? lowered_word(word) : word;
        /* times 2**64 is a rotation of the 61 bits by 3 */
        rest = ((rest << 3) & ID_PRIME) | (rest >> 58);
        rest += (word & ID_PRIME) + (word >> 61);
        rest = rest >= ID_PRIME ? rest - ID_PRIME : rest;
        rest = rest >= ID_PRIME ? rest - ID_PRIME : rest;
    }
    return rest;
}

/* `half_id` of ASCII text: its CRC-32, never 0. */
uint32_t half_id_of(Span text);

/* `id64(trace_root(text))` into *ident where the text holds one root as AWS writes it. Returns 1 when found, 0 when
 * there certainly is none, -1 when Python has to look. */
int trace_ident(Span text, uint64_t *ident);

/* Tables: bytes -> a number */

typedef struct {
    uint64_t hash;
    char *key;
    Py_ssize_t length;
    int64_t value;
} Entry;

typedef struct {
    Entry *entries;
    size_t size; /* a power of two, 0 before the first entry */
    size_t used;
} Table;

#define ABSENT INT64_MIN

uint64_t hash_of(const char *key, Py_ssize_t length);
int64_t table_get(const Table *table, const char *key, Py_ssize_t length);
/* 0, or -1 with MemoryError. The key is copied. */
int table_set(Table *table, const char *key, Py_ssize_t length, int64_t value);
void table_clear(Table *table);

/* Columns: values of one type, one after the other */

typedef struct {
    char *data;
    size_t length;
    size_t room;
} Column;

/* 0, or -1 with MemoryError. */
int column_add(Column *column, const void *value, size_t width);
/* The column as bytes, and empty again. */
PyObject *column_take(Column *column);
void column_clear(Column *column);

/* Times of lines that all begin alike (sources/layout.py, Moments) */

#define FRACTION 20 /* "2026-03-01T10:00:00." */

typedef struct {
    PyObject *of; /* Moments.of, asked about seconds that were not met yet */
    Py_ssize_t column;
    char *rest; /* what stands between the milliseconds and the column on the lines met so far */
    Table seconds;
    char last[FRACTION];
    double last_at;
    bool any;
} Moments;

int moments_begin(Moments *moments, PyObject *of, Py_ssize_t column);
void moments_end(Moments *moments);
/* Epoch ms of the line's time into *at, NaN when it is not written as the others are. 0, or -1 with an exception. */
int moments_of(Moments *moments, Span line, double *at);

/* The types of the module. */
extern PyType_Spec execution_spec;
extern PyType_Spec stream_spec;
extern PyType_Spec records_spec;

#endif
