#include "common.h"

#include <stdlib.h>

/* Ids */

static uint32_t crc_table[256];

static void make_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? (value >> 1) ^ 0xEDB88320u : value >> 1;
        crc_table[byte] = value;
    }
}

uint32_t half_id_of(Span text)
{
    if (!crc_table[1])
        make_crc_table();
    uint32_t value = 0xFFFFFFFFu;
    for (Py_ssize_t at = 0; at < text.length; at++)
        value = crc_table[(value ^ (unsigned char)text.start[at]) & 0xFF] ^ (value >> 8);
    value ^= 0xFFFFFFFFu;
    return value ? value : 1;
}

#define ROOT_CHARS 35 /* 1-8hex-24hex */

static bool is_root(const char *text)
{
    if (text[0] != '1' || text[1] != '-' || text[10] != '-')
        return false;
    for (int at = 2; at < ROOT_CHARS; at++)
        if (at != 10 && !is_hex(text[at]))
            return false;
    return true;
}

int trace_ident(Span text, uint64_t *ident)
{
    for (Py_ssize_t at = 0; at + ROOT_CHARS <= text.length; at++) {
        if (text.start[at] != '1' || !is_root(text.start + at))
            continue;
        if ((at && is_hex(text.start[at - 1])) || (at + ROOT_CHARS < text.length && is_hex(text.start[at + ROOT_CHARS])))
            return -1;
        *ident = id64_of(text.start + at, ROOT_CHARS, true);
        return 1;
    }
    /* 32 hexadecimal digits alone are a root too, with whatever Python's text calls blank around them */
    for (Py_ssize_t at = 0; at < text.length; at++)
        if (text.start[at] >= 0x1c && text.start[at] <= 0x1f)
            return -1;
    return span_stripped(text).length == 32 || !span_is_ascii(text) ? -1 : 0;
}

/* Tables */

uint64_t hash_of(const char *key, Py_ssize_t length)
{
    uint64_t hash = 0x9E3779B97F4A7C15u ^ (uint64_t)length;
    uint64_t part;
    while (length >= 8) {
        memcpy(&part, key, 8);
        hash = (hash ^ part) * 0xFF51AFD7ED558CCDu;
        hash ^= hash >> 32;
        key += 8, length -= 8;
    }
    part = 0;
    memcpy(&part, key, (size_t)length);
    hash = (hash ^ part) * 0xC4CEB9FE1A85EC53u;
    return hash ^ (hash >> 29);
}

static Entry *place_in(const Table *table, uint64_t hash, const char *key, Py_ssize_t length)
{
    for (size_t at = hash & (table->size - 1);; at = (at + 1) & (table->size - 1)) {
        Entry *entry = &table->entries[at];
        bool same = entry->hash == hash && entry->length == length;
        if (!entry->key || (same && memcmp(entry->key, key, (size_t)length) == 0))
            return entry;
    }
}

int64_t table_get(const Table *table, const char *key, Py_ssize_t length)
{
    if (!table->used)
        return ABSENT;
    const Entry *entry = place_in(table, hash_of(key, length), key, length);
    return entry->key ? entry->value : ABSENT;
}

static int table_grow(Table *table)
{
    Table larger = {NULL, table->size ? table->size * 2 : 64, table->used};
    larger.entries = calloc(larger.size, sizeof(Entry));
    if (!larger.entries) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at < table->size; at++) {
        Entry *entry = &table->entries[at];
        if (entry->key)
            *place_in(&larger, entry->hash, entry->key, entry->length) = *entry;
    }
    free(table->entries);
    *table = larger;
    return 0;
}

int table_set(Table *table, const char *key, Py_ssize_t length, int64_t value)
{
    if (table->used * 2 >= table->size && table_grow(table) < 0)
        return -1;
    uint64_t hash = hash_of(key, length);
    Entry *entry = place_in(table, hash, key, length);
    if (!entry->key) {
        char *copy = malloc(length ? (size_t)length : 1);
        if (!copy) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(copy, key, (size_t)length);
        *entry = (Entry){hash, copy, length, 0};
        table->used++;
    }
    entry->value = value;
    return 0;
}

void table_clear(Table *table)
{
    for (size_t at = 0; at < table->size; at++)
        free(table->entries[at].key);
    free(table->entries);
    *table = (Table){NULL, 0, 0};
}

/* Columns */

int column_add(Column *column, const void *value, size_t width)
{
    if (column->length + width > column->room) {
        size_t room = column->room ? column->room * 2 : 4096;
        while (room < column->length + width)
            room *= 2;
        char *data = realloc(column->data, room);
        if (!data) {
            PyErr_NoMemory();
            return -1;
        }
        column->data = data;
        column->room = room;
    }
    memcpy(column->data + column->length, value, width);
    column->length += width;
    return 0;
}

PyObject *column_take(Column *column)
{
    PyObject *taken = PyBytes_FromStringAndSize(column->data, (Py_ssize_t)column->length);
    if (taken)
        column->length = 0;
    return taken;
}

void column_clear(Column *column)
{
    free(column->data);
    *column = (Column){NULL, 0, 0};
}

/* Times */

#define MOST_SECONDS 100000

int moments_begin(Moments *moments, PyObject *of, Py_ssize_t column)
{
    if (column < FRACTION + 3) {
        PyErr_SetString(PyExc_ValueError, "a line's time has milliseconds");
        return -1;
    }
    Py_INCREF(of);
    moments->of = of;
    moments->column = column;
    return 0;
}

void moments_end(Moments *moments)
{
    Py_CLEAR(moments->of);
    free(moments->rest);
    moments->rest = NULL;
    table_clear(&moments->seconds);
    moments->any = false;
}

/* A second that was not met yet, or a line that is written otherwise. */
static int moments_ask(Moments *moments, Span line, double milliseconds, double *at)
{
    size_t behind = (size_t)(moments->column - FRACTION - 3);
    PyObject *front = PyBytes_FromStringAndSize(line.start, moments->column);
    PyObject *found = front ? PyObject_CallOneArg(moments->of, front) : NULL;
    Py_XDECREF(front);
    if (!found)
        return -1;
    if (found == Py_None) {
        Py_DECREF(found);
        return 0;
    }
    *at = PyFloat_AsDouble(found);
    Py_DECREF(found);
    if (*at == -1.0 && PyErr_Occurred())
        return -1;
    if (!moments->rest) {
        moments->rest = malloc(behind + 1);
        if (!moments->rest) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(moments->rest, line.start + FRACTION + 3, behind);
    } else if (memcmp(moments->rest, line.start + FRACTION + 3, behind) != 0) {
        return 0;
    }
    if (moments->seconds.used > MOST_SECONDS)
        table_clear(&moments->seconds);
    memcpy(moments->last, line.start, FRACTION);
    moments->last_at = *at - milliseconds;
    moments->any = true;
    /* whole milliseconds stay exact in a double, and in a table of integers */
    return table_set(&moments->seconds, line.start, FRACTION, (int64_t)moments->last_at);
}

int moments_of(Moments *moments, Span line, double *at)
{
    *at = NAN;
    if (line.length < moments->column)
        return 0;
    const char *digits = line.start + FRACTION;
    if (!is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2]))
        return 0;
    double milliseconds = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    size_t behind = (size_t)(moments->column - FRACTION - 3);
    if (moments->rest && memcmp(moments->rest, digits + 3, behind) == 0) {
        if (!moments->any || memcmp(moments->last, line.start, FRACTION) != 0) {
            int64_t second = table_get(&moments->seconds, line.start, FRACTION);
            if (second == ABSENT)
                return moments_ask(moments, line, milliseconds, at);
            memcpy(moments->last, line.start, FRACTION);
            moments->last_at = (double)second;
            moments->any = true;
        }
        *at = moments->last_at + milliseconds;
        return 0;
    }
    return moments_ask(moments, line, milliseconds, at);
}
