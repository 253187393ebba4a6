/* The ordinary invocations of a Lambda log's stream (sources/lambda_road.py).
 *
 * Lines are gathered into invocations as `LambdaRoad.feed_lines` gathers them. One that is certainly ordinary, and that
 * certainly nobody asks for, goes into columns; every other one is given to Python at its turn, with all its lines.
 * How far the stream was read is kept here for both.
 */
#include "common.h"

#include <stdlib.h>
#include <structmember.h>

#define STAMP_DIGITS 13
#define DAY 11 /* "2026-03-01T" */
#define ROOT_CHARS 35
#define ISO_CHARS 24
#define MOST_TEXTS 20000
#define LOOK_CHARS 400    /* of a text no more is looked at (attribution/calls.py) */
#define LONGEST_TEXT 2000 /* that is remembered, where it is not ASCII */
#define LONG_HEX 12
#define MOST_DIGITS 15 /* so many make a whole number that a double holds exactly */
#define LATE_MS 5.0
#define INIT_LEEWAY_MS 2000.0
#define ROOM_TO_KEEP ((size_t)1 << 22)

/* What streams read by one road share: who is asked for, and which texts announce a call. */
typedef struct {
    int users;
    uint64_t *idents; /* 0: no entry */
    size_t ident_room;
    bool zero;
    Table logged;
    Table texts; /* -> the number of the call's shape, NO_CALL */
} Known;

#define NO_CALL (-1)

typedef struct {
    const char *start; /* NULL: among what was kept of blocks before */
    size_t offset;
    Py_ssize_t length;
    long long number;
    PyObject *label; /* instead of the number */
} Line;

typedef struct {
    double at;
    Span text;
} App;

typedef struct {
    PyObject_HEAD
    Known *known;
    /* how far the stream was read */
    Py_ssize_t position;
    double last_start_at;
    double previous_ended_at; /* NaN: not known */
    char entangled;
    char running;
    char busy;
    /* times */
    Py_ssize_t column;
    bool stamped;
    char *rest; /* what stands between the milliseconds and the column, as on the first line */
    char day[DAY];
    double day_at;
    bool any_day;
    /* windows in which an invocation is asked for: of one without a trace id, of one with it */
    PyObject *windows[2];
    /* the lines at hand */
    Line *lines;
    size_t count, room, kept_count;
    Column kept;
    bool started, reported;
    bool folded; /* one of them goes on behind a line's end */
    char request_id[UUID_CHARS];
    Py_ssize_t id_length;
    char *start_front;
    Py_ssize_t start_front_length;
    /* what the function wrote in it */
    App *apps;
    size_t app_count, app_room;
    /* entered since they were taken */
    Column ident, begun_at, started_at, ended_at, duration_ms, own_ms, first, called, gaps;
    long long with_tail, silent_tail;
    double until;
    /* what counts as a silence at the end */
    double silent_from_ms, silent_share;
} Stream;

/* Python's part, while lines are read. */
typedef struct {
    PyObject *settle, *of, *shape_of;
} Ask;

/* One invocation that looks ordinary so far. */
typedef struct {
    size_t first, last; /* the lines of START and REPORT */
    Span trace;         /* empty: none */
    double begun_at, started_at, ended_at, duration_ms, billed_ms, init_ms;
    bool has_init;
} Course;

/* Known */

static void known_drop(Known *known)
{
    if (!known || --known->users)
        return;
    free(known->idents);
    table_clear(&known->logged);
    table_clear(&known->texts);
    free(known);
}

static size_t ident_place(const Known *known, uint64_t ident)
{
    size_t at = (size_t)((ident * 0x9E3779B97F4A7C15u) >> 20) & (known->ident_room - 1);
    while (known->idents[at] && known->idents[at] != ident)
        at = (at + 1) & (known->ident_room - 1);
    return at;
}

static bool ident_known(const Known *known, uint64_t ident)
{
    if (!ident)
        return known->zero;
    return known->ident_room && known->idents[ident_place(known, ident)] == ident;
}

static int take_idents(Known *known, PyObject *idents)
{
    if (!PyAnySet_Check(idents)) {
        PyErr_Format(PyExc_TypeError, "not a set: %R", idents);
        return -1;
    }
    Py_ssize_t count = PySet_Size(idents);
    known->ident_room = 16;
    while (known->ident_room < (size_t)count * 2)
        known->ident_room *= 2;
    known->idents = calloc(known->ident_room, sizeof(uint64_t));
    PyObject *items = known->idents ? PyObject_GetIter(idents) : PyErr_NoMemory();
    if (!items)
        return -1;
    for (PyObject *item; (item = PyIter_Next(items)); Py_DECREF(item)) {
        uint64_t ident = PyLong_AsUnsignedLongLong(item);
        if (ident == (uint64_t)-1 && PyErr_Occurred()) {
            Py_DECREF(item);
            break;
        }
        if (ident)
            known->idents[ident_place(known, ident)] = ident;
        else
            known->zero = true;
    }
    Py_DECREF(items);
    return PyErr_Occurred() ? -1 : 0;
}

static int take_logged(Known *known, PyObject *logged)
{
    PyObject *items = PyObject_GetIter(logged);
    if (!items)
        return -1;
    for (PyObject *item; (item = PyIter_Next(items)); Py_DECREF(item)) {
        Py_ssize_t length;
        if (!PyUnicode_Check(item) || !PyUnicode_IS_ASCII(item))
            continue; /* ids that are looked for in a log are ASCII */
        const char *text = PyUnicode_AsUTF8AndSize(item, &length);
        if (!text || table_set(&known->logged, text, length, 1) < 0) {
            Py_DECREF(item);
            break;
        }
    }
    Py_DECREF(items);
    return PyErr_Occurred() ? -1 : 0;
}

/* Lines at hand */

static Span line_at(const Stream *self, size_t at)
{
    const Line *line = &self->lines[at];
    return (Span){line->start ? line->start : self->kept.data + line->offset, line->length};
}

static void drop_unit(Stream *self)
{
    for (size_t at = 0; at < self->count; at++)
        Py_CLEAR(self->lines[at].label);
    self->count = self->kept_count = 0;
    self->kept.length = 0;
    self->folded = false;
    if (self->kept.room > ROOM_TO_KEEP)
        column_clear(&self->kept);
}

static int add_line(Stream *self, Span line, long long number, PyObject *label)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        Line *lines = realloc(self->lines, room * sizeof(Line));
        if (!lines) {
            PyErr_NoMemory();
            return -1;
        }
        self->lines = lines;
        self->room = room;
    }
    Py_XINCREF(label);
    self->lines[self->count++] = (Line){line.start, 0, line.length, number, label};
    return 0;
}

/* The block ends: what is at hand has to outlive it. */
static int keep_unit(Stream *self)
{
    for (; self->kept_count < self->count; self->kept_count++) {
        Line *line = &self->lines[self->kept_count];
        size_t offset = self->kept.length;
        /* one byte more, so that there is something to point at */
        if (line->length && column_add(&self->kept, line->start, (size_t)line->length) < 0)
            return -1;
        if (column_add(&self->kept, "", 1) < 0)
            return -1;
        line->offset = offset;
        line->start = NULL;
    }
    return 0;
}

/* Times */

static int two_digits(const char *text, int below)
{
    if (!is_digit(text[0]) || !is_digit(text[1]))
        return -1;
    int value = (text[0] - '0') * 10 + text[1] - '0';
    return value < below ? value : -1;
}

/* Milliseconds of the line's time since its day began; -1 where that is not plain. */
static double within_day(const char *line)
{
    const char *clock = line + DAY, *fraction = line + FRACTION;
    int hours = two_digits(clock, 24), minutes = two_digits(clock + 3, 60), seconds = two_digits(clock + 6, 60);
    if (hours < 0 || minutes < 0 || seconds < 0 || clock[2] != ':' || clock[5] != ':')
        return -1.0;
    if ((clock[8] != '.' && clock[8] != ',') || two_digits(fraction, 100) < 0 || !is_digit(fraction[2]))
        return -1.0;
    int milliseconds = two_digits(fraction, 100) * 10 + fraction[2] - '0';
    return ((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0 + milliseconds;
}

/* Ask `Moments.of`. */
static int ask_moment(Stream *self, Span line, const Ask *ask, double *at)
{
    Span front = {line.start, line.length < self->column ? line.length : self->column};
    PyObject *bytes = span_bytes(front);
    PyObject *found = bytes ? PyObject_CallOneArg(ask->of, bytes) : NULL;
    Py_XDECREF(bytes);
    if (!found)
        return -1;
    *at = found == Py_None ? NAN : PyFloat_AsDouble(found);
    bool none = found == Py_None;
    Py_DECREF(found);
    if (none)
        return 0;
    return *at == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* A new day: its beginning is remembered. */
static int first_of_day(Stream *self, Span line, const Ask *ask, double *at)
{
    if (ask_moment(self, line, ask, at) < 0)
        return -1;
    double within = line.length < self->column ? -1.0 : within_day(line.start);
    if (within < 0 || isnan(*at))
        return 0;
    size_t behind = (size_t)(self->column - FRACTION - 3);
    if (!self->rest) {
        self->rest = malloc(behind + 1);
        if (!self->rest) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(self->rest, line.start + FRACTION + 3, behind);
    } else if (memcmp(self->rest, line.start + FRACTION + 3, behind) != 0) {
        return 0;
    }
    memcpy(self->day, line.start, DAY);
    self->day_at = *at - within;
    self->any_day = true;
    return 0;
}

static int stamp_moment(Stream *self, Span line, const Ask *ask, double *at)
{
    if (line.length < STAMP_DIGITS)
        return ask_moment(self, line, ask, at);
    int64_t whole = 0;
    for (int place = 0; place < STAMP_DIGITS; place++) {
        if (!is_digit(line.start[place])) {
            *at = NAN;
            return 0;
        }
        whole = whole * 10 + line.start[place] - '0';
    }
    *at = (double)whole;
    return 0;
}

/* Epoch ms of the line's time, NaN when it has none. 0, or -1 with an exception. */
static int moment_of(Stream *self, Span line, const Ask *ask, double *at)
{
    if (self->stamped)
        return stamp_moment(self, line, ask, at);
    size_t behind = (size_t)(self->column - FRACTION - 3);
    if (!self->any_day || line.length < self->column || memcmp(self->day, line.start, DAY) != 0
        || memcmp(self->rest, line.start + FRACTION + 3, behind) != 0)
        return first_of_day(self, line, ask, at);
    double within = within_day(line.start);
    if (within < 0)
        return ask_moment(self, line, ask, at);
    *at = self->day_at + within;
    return 0;
}

/* Words */

/* Where one of the words of `_in_trouble` may begin: marked pairs of its first characters. */
static const char *const TROUBLE[] = {
    "rror",        "xception", "ejection",  "xited",     "raceback", "imed out",
    "INIT_REPORT", "RESTORE",  "EXTENSION", "TELEMETRY", "LOGS\t",   "platform.",
};
#define TROUBLES (sizeof(TROUBLE) / sizeof(*TROUBLE))

static uint8_t trouble_pairs[8192];

static void mark_pairs(void)
{
    for (size_t at = 0; at < TROUBLES; at++) {
        unsigned pair = (unsigned)(unsigned char)TROUBLE[at][0] << 8 | (unsigned char)TROUBLE[at][1];
        trouble_pairs[pair >> 3] |= (uint8_t)(1 << (pair & 7));
    }
}

static bool trouble_begins(Span text)
{
    for (size_t at = 0; at < TROUBLES; at++)
        if (span_begins(text, TROUBLE[at], (Py_ssize_t)strlen(TROUBLE[at])))
            return true;
    return false;
}

static bool in_trouble(Span text)
{
    for (Py_ssize_t at = 0; at + 1 < text.length; at++) {
        unsigned pair = (unsigned)(unsigned char)text.start[at] << 8 | (unsigned char)text.start[at + 1];
        if (trouble_pairs[pair >> 3] & (1 << (pair & 7)) && trouble_begins(span_from(text, at)))
            return true;
    }
    return false;
}

/* "race" in any case. */
static bool speaks_of_race(Span text)
{
    for (Py_ssize_t at = 0; at + 4 <= text.length; at++)
        if (lowered(text.start[at]) == 'r' && lowered(text.start[at + 1]) == 'a' && lowered(text.start[at + 2]) == 'c'
            && lowered(text.start[at + 3]) == 'e')
            return true;
    return false;
}

static bool contains(Span text, Span part)
{
    return !part.length
        || (text.length >= part.length
            && memmem(text.start, (size_t)text.length, part.start, (size_t)part.length) != NULL);
}

static Span own_id(const Stream *self)
{
    return (Span){self->request_id, self->id_length};
}

/* Reads on when the literal stands here. */
static bool skip(Span *text, const char *literal)
{
    Py_ssize_t length = (Py_ssize_t)strlen(literal);
    if (!span_begins(*text, literal, length))
        return false;
    *text = span_from(*text, length);
    return true;
}

/* Reads `\d{1,12}\.?\d{0,9}`, or without `point` `\d{1,12}`, as `float` does; false also where that is not certain. */
static bool skip_number(Span *text, bool point, double *value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    int64_t whole = 0;
    Py_ssize_t at = 0;
    for (; at < text->length && at < 12 && is_digit(text->start[at]); at++)
        whole = whole * 10 + text->start[at] - '0';
    Py_ssize_t digits = at, behind = 0;
    if (!digits)
        return false;
    if (point && at < text->length && text->start[at] == '.')
        for (at++; at < text->length && behind < 9 && is_digit(text->start[at]); at++, behind++) {
            if (digits + behind >= MOST_DIGITS)
                return false;
            whole = whole * 10 + text->start[at] - '0';
        }
    *value = (double)whole / powers[behind];
    *text = span_from(*text, at);
    return true;
}

/* The fields of `_FIELDS`. */
static bool read_report(const Stream *self, Span words, Course *course)
{
    double memory;
    if (!skip(&words, "REPORT RequestId: ") || !span_begins(words, self->request_id, UUID_CHARS))
        return false;
    words = span_from(words, UUID_CHARS);
    bool fits = skip(&words, "\tDuration: ") && skip_number(&words, true, &course->duration_ms)
        && skip(&words, " ms\tBilled Duration: ") && skip_number(&words, false, &course->billed_ms)
        && skip(&words, " ms\tMemory Size: ") && skip_number(&words, false, &memory)
        && skip(&words, " MB\tMax Memory Used: ") && skip_number(&words, false, &memory) && skip(&words, " MB");
    course->init_ms = 0.0;
    if (fits && skip(&words, "\tInit Duration: "))
        fits = skip_number(&words, true, &course->init_ms) && skip(&words, " ms");
    return fits && !span_stripped(words).length;
}

/* The root in an `XRAY TraceId: ` line, empty when it is none. */
static Span trace_of(Span line)
{
    const Span none = {line.start, 0};
    if (!skip(&line, "XRAY TraceId: ") || line.length <= ROOT_CHARS || line.start[ROOT_CHARS] != '\t')
        return none;
    for (int at = 0; at < ROOT_CHARS; at++) {
        char byte = line.start[at];
        bool fits = at == 0 ? byte == '1' : at == 1 || at == 10 ? byte == '-' : is_hex(byte) && byte == lowered(byte);
        if (!fits)
            return none;
    }
    return (Span){line.start, ROOT_CHARS};
}

/* The form of the platform's lines; false when the invocation has to be read closely. */
static bool read_frame(const Stream *self, Course *course)
{
    if (self->id_length < UUID_CHARS || !self->count)
        return false;
    for (int at = 0; at < UUID_CHARS; at++)
        if (!(is_digit(self->request_id[at]) || (self->request_id[at] >= 'a' && self->request_id[at] <= 'f')
              || self->request_id[at] == '-'))
            return false;
    Py_ssize_t column = self->column;
    course->has_init = BEGINS(span_from(line_at(self, 0), column), "INIT_START ");
    course->first = course->has_init ? 1 : 0;
    course->trace = trace_of(line_at(self, self->count - 1));
    size_t behind = course->trace.length ? 2 : 1;
    if (self->count < behind + course->first + 2)
        return false;
    course->last = self->count - behind;
    Span start = span_from(line_at(self, course->first), column);
    Span end = span_from(line_at(self, course->last - 1), column);
    if (!skip(&start, "START RequestId: ") || !skip(&end, "END RequestId: "))
        return false;
    start = span_from(start, UUID_CHARS);
    if (start.length && !is_blank(start.start[0]))
        return false; /* the id goes on */
    return span_begins(end, self->request_id, UUID_CHARS) && !span_stripped(span_from(end, UUID_CHARS)).length
        && read_report(self, span_from(line_at(self, course->last), column), course);
}

static bool is_iso(Span text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    if (text.length != ISO_CHARS)
        return false;
    for (int at = 0; at < ISO_CHARS; at++)
        if (form[at] == 'd' ? !is_digit(text.start[at]) : text.start[at] != form[at])
            return false;
    return true;
}

static bool is_level(Span text, bool python)
{
    if (python)
        return (text.length == 6 && BEGINS(text, "[INFO]")) || (text.length == 7 && BEGINS(text, "[DEBUG]"))
            || (text.length == 9 && BEGINS(text, "[WARNING]"));
    return (text.length == 4 && (BEGINS(text, "INFO") || BEGINS(text, "WARN")))
        || (text.length == 5 && (BEGINS(text, "DEBUG") || BEGINS(text, "TRACE")));
}

static bool skip_field(Span *text, Span *field)
{
    const char *tab = text->length ? memchr(text->start, '\t', (size_t)text->length) : NULL;
    if (!tab)
        return false;
    *field = (Span){text->start, tab - text->start};
    *text = span_from(*text, field->length + 1);
    return true;
}

/* What the function itself wrote, as `_texts` finds it. */
static bool read_text(const Stream *self, Span line, bool traced, Span *text)
{
    Span one, two, three, rest = span_from(line, self->column);
    if (!skip_field(&rest, &one) || !skip_field(&rest, &two) || !skip_field(&rest, &three) || !rest.length)
        return false;
    if (span_equals(three, own_id(self))) {
        if (!is_level(one, true) || !is_iso(two))
            return false;
    } else if (!span_equals(two, own_id(self)) || !is_level(three, false) || !is_iso(one)) {
        return false;
    }
    if (!traced && three.start[0] == 'T')
        return false; /* TRACE, which looks like a trace id's name */
    *text = rest;
    return memchr("{[( \t", rest.start[0], 5) == NULL && !in_trouble(rest) && (traced || !speaks_of_race(rest));
}

static int add_app(Stream *self, double at, Span text)
{
    if (self->app_count == self->app_room) {
        size_t room = self->app_room ? self->app_room * 2 : 64;
        App *apps = realloc(self->apps, room * sizeof(App));
        if (!apps) {
            PyErr_NoMemory();
            return -1;
        }
        self->apps = apps;
        self->app_room = room;
    }
    self->apps[self->app_count++] = (App){at, text};
    return 0;
}

/* 1 when all are of an ordinary form and have times, 0 when not, -1 with an exception. */
static int read_apps(Stream *self, const Course *course, const Ask *ask)
{
    self->app_count = 0;
    for (size_t at = course->first + 1; at + 1 < course->last; at++) {
        Span text, line = line_at(self, at);
        double moment;
        if (!read_text(self, line, course->trace.length > 0, &text))
            return 0;
        if (moment_of(self, line, ask, &moment) < 0 || add_app(self, moment, text) < 0)
            return -1;
        if (isnan(moment))
            return 0;
    }
    return 1;
}

/* The times of the platform's lines, 1 when they are ordinary. */
static int read_times(Stream *self, Course *course, const Ask *ask)
{
    double reported_at, init_at;
    if (moment_of(self, line_at(self, course->first), ask, &course->started_at) < 0
        || moment_of(self, line_at(self, course->last - 1), ask, &course->ended_at) < 0
        || moment_of(self, line_at(self, course->last), ask, &reported_at) < 0)
        return -1;
    if (isnan(course->started_at) || isnan(course->ended_at) || isnan(reported_at))
        return 0;
    course->begun_at = course->started_at - course->init_ms;
    if (!course->has_init)
        return 1;
    if (moment_of(self, line_at(self, 0), ask, &init_at) < 0)
        return -1;
    if (isnan(init_at) || init_at > course->started_at || init_at <= self->last_start_at + LATE_MS)
        return 0;
    if (course->started_at - init_at <= course->init_ms + INIT_LEEWAY_MS)
        course->begun_at = init_at;
    return 1;
}

/* A killed run of the old format says so by its durations. */
static bool was_killed(const Course *course)
{
    return course->duration_ms > course->billed_ms + 1.0 && course->billed_ms >= 1000.0
        && fmod(course->billed_ms, 1000.0) == 0.0 && course->init_ms == 0.0;
}

/* Who is asked for */

static bool is_word(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_base(char byte)
{
    return is_word(byte) || byte == '+' || byte == '/' || byte == '-';
}

/* One of the logged ids ends with this `=`: behind 11 to 22 characters, whichever of them begin it. */
static bool ends_logged(const Known *known, Span text, Py_ssize_t at)
{
    if (at + 1 < text.length && (is_word(text.start[at + 1]) || text.start[at + 1] == '='))
        return false;
    Py_ssize_t until = at;
    while (until && text.start[until - 1] == '=')
        until--;
    if (at - until > 1)
        return false;
    for (Py_ssize_t length = 1; length <= 22 && length <= until && is_base(text.start[until - length]); length++)
        if (length >= 11
            && table_get(&known->logged, text.start + until - length, length + at + 1 - until) != ABSENT)
            return true;
    return false;
}

/* The text may hold an id that a gateway has given. */
static bool names_logged(const Stream *self, Span text)
{
    const Known *known = self->known;
    if (!known->logged.used)
        return false;
    if (contains(text, own_id(self)))
        return true; /* it is left out before the others are looked for */
    for (Py_ssize_t at = 0; at < text.length; at++) {
        if (text.start[at] == '-' && at >= 8 && at - 8 + UUID_CHARS <= text.length) {
            Span id = {text.start + at - 8, UUID_CHARS};
            if (is_uuid(id.start) && table_get(&known->logged, id.start, id.length) != ABSENT)
                return true;
        } else if (text.start[at] == '=' && ends_logged(known, text, at)) {
            return true;
        }
    }
    return false;
}

#define BEGIN_FROM 0
#define BEGIN_TO 1
#define END_FROM 2
#define END_TO 3
#define BOUNDS 4

static double bound_of(const char *windows, Py_ssize_t number, int which)
{
    double value;
    memcpy(&value, windows + (size_t)(number * BOUNDS + which) * sizeof value, sizeof value);
    return value;
}

/* One of the windows, which are in order of `begin_to`, holds an invocation with these times. */
static bool in_window(PyObject *windows, double begun_at, double ended_at)
{
    const char *data = PyBytes_AS_STRING(windows);
    /* behind the windows stands how long the longest is */
    Py_ssize_t count = (PyBytes_GET_SIZE(windows) / (Py_ssize_t)sizeof(double) - 1) / BOUNDS;
    if (count <= 0)
        return false;
    double longest = bound_of(data, count, 0);
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (bound_of(data, middle, BEGIN_TO) < begun_at)
            low = middle + 1;
        else
            high = middle;
    }
    /* a millisecond more, as differences are rounded */
    for (; low < count && bound_of(data, low, BEGIN_TO) - longest - 1.0 <= begun_at; low++)
        if (bound_of(data, low, BEGIN_FROM) <= begun_at && bound_of(data, low, END_FROM) <= ended_at
            && ended_at <= bound_of(data, low, END_TO))
            return true;
    return false;
}

/* Its own id, or its trace, is asked for. */
static bool is_known(const Stream *self, const Course *course)
{
    return ident_known(self->known, id64_of(self->request_id, UUID_CHARS, false))
        || (course->trace.length && ident_known(self->known, id64_of(course->trace.start, ROOT_CHARS, false)));
}

/* It may be asked for in another way. */
static bool may_be_asked_for(const Stream *self, const Course *course)
{
    bool traced = course->trace.length > 0;
    for (size_t at = 0; at < self->app_count; at++)
        if (names_logged(self, self->apps[at].text))
            return true;
    return in_window(self->windows[traced], course->begun_at, course->ended_at);
}

/* Entering */

static int enter_columns(Stream *self, const Course *course)
{
    bool begins = course->has_init || course->init_ms != 0.0;
    uint8_t first = self->position ? 0 : begins ? 1 : 2;
    uint64_t ident = id64_of(self->request_id, UUID_CHARS, false);
    double own_ms = course->duration_ms + course->init_ms;
    if (course->started_at <= self->last_start_at)
        self->entangled = true;
    self->position++;
    self->last_start_at = course->started_at;
    self->previous_ended_at = course->ended_at;
    if (column_add(&self->ident, &ident, sizeof ident) < 0
        || column_add(&self->begun_at, &course->begun_at, sizeof(double)) < 0
        || column_add(&self->started_at, &course->started_at, sizeof(double)) < 0
        || column_add(&self->ended_at, &course->ended_at, sizeof(double)) < 0
        || column_add(&self->duration_ms, &course->duration_ms, sizeof(double)) < 0
        || column_add(&self->own_ms, &own_ms, sizeof own_ms) < 0 || column_add(&self->first, &first, 1) < 0)
        return -1;
    return 0;
}

/* Texts that differ only in ids and numbers announce the same call. The patterns of `calls.py` look into a number for
 * how many digits it has and whether the first is 1 to 5, and the digit behind a letter may be a name's (s3); of an id
 * they see only that it is one. So numbers are written with other digits, and ids with one letter.
 */

/* An id begins here: how long it is, 0 when none does. */
static Py_ssize_t id_chars(Span text, Py_ssize_t at)
{
    if (at && (is_word(text.start[at - 1]) || text.start[at - 1] == '.' || text.start[at - 1] == '-'))
        return 0;
    Py_ssize_t length = 0, letters = 0;
    for (; at + length < text.length && is_hex(text.start[at + length]); length++)
        letters += !is_digit(text.start[at + length]);
    bool uuid = length == 8 && at + UUID_CHARS <= text.length && is_uuid(text.start + at);
    if (!letters || !(uuid || length >= LONG_HEX))
        return 0;
    length = uuid ? UUID_CHARS : length;
    bool goes_on = at + length < text.length
        && (is_word(text.start[at + length]) || (uuid && text.start[at + length] == '-'));
    return goes_on ? 0 : length;
}

static Py_ssize_t digit_chars(Span text, Py_ssize_t at)
{
    Py_ssize_t length = 0;
    while (at + length < text.length && is_digit(text.start[at + length]))
        length++;
    return length;
}

/* The text with ids and numbers that stand for all of their kind; `written` has room for LOOK_CHARS. */
static Span alike(Span text, char *written)
{
    if (!span_is_ascii(text))
        return text;
    if (text.length > LOOK_CHARS)
        text.length = LOOK_CHARS;
    for (Py_ssize_t at = 0, length; at < text.length; at += length) {
        written[at] = text.start[at];
        length = 1;
        if (!is_hex(text.start[at]))
            continue;
        Py_ssize_t id = id_chars(text, at), digits = id ? 0 : digit_chars(text, at);
        for (Py_ssize_t place = 0; place < id; place++)
            written[at + place] = text.start[at + place] == '-' ? '-' : 'a';
        if (digits > 1 || (digits && !(at && is_word(text.start[at - 1])))) {
            memset(written + at, '0', (size_t)digits);
            written[at] = text.start[at] >= '1' && text.start[at] <= '5' ? '1' : '6';
        }
        length = id ? id : digits ? digits : 1;
    }
    return (Span){written, text.length};
}

static int remember(Table *texts, Span key, int64_t called)
{
    if (key.length > LONGEST_TEXT)
        return 0;
    if (texts->used >= MOST_TEXTS)
        table_clear(texts);
    return table_set(texts, key.start, key.length, called);
}

/* The number of the shape of the call that the text announces, NO_CALL, or ABSENT with an exception. */
static int64_t call_of(Stream *self, Span text, const Ask *ask)
{
    Known *known = self->known;
    char written[LOOK_CHARS];
    Span key = alike(text, written);
    int64_t called = table_get(&known->texts, key.start, key.length);
    if (called != ABSENT)
        return called;
    PyObject *bytes = span_bytes(text);
    PyObject *found = bytes ? PyObject_CallOneArg(ask->shape_of, bytes) : NULL;
    Py_XDECREF(bytes);
    if (!found)
        return ABSENT;
    called = PyLong_AsLong(found);
    Py_DECREF(found);
    if (called == -1 && PyErr_Occurred())
        return ABSENT;
    return remember(&known->texts, key, called) < 0 ? ABSENT : called;
}

/* How long every call took until anything followed. */
static int enter_calls(Stream *self, const Course *course, const Ask *ask)
{
    for (size_t at = 0; at < self->app_count; at++) {
        int64_t called = call_of(self, self->apps[at].text, ask);
        if (called == ABSENT)
            return -1;
        if (called < 0)
            continue;
        uint32_t number = (uint32_t)called;
        double gap = (at + 1 < self->app_count ? self->apps[at + 1].at : course->ended_at) - self->apps[at].at;
        if (column_add(&self->called, &number, sizeof number) < 0 || column_add(&self->gaps, &gap, sizeof gap) < 0)
            return -1;
    }
    return 0;
}

static int enter_told(Stream *self, const Course *course, const Ask *ask)
{
    if (!self->app_count)
        return 0;
    double last = self->apps[0].at;
    for (size_t at = 1; at < self->app_count; at++)
        if (self->apps[at].at > last)
            last = self->apps[at].at;
    double tail = course->ended_at - last;
    if (course->duration_ms != 0.0) {
        self->with_tail++;
        self->silent_tail += tail > self->silent_from_ms && tail > self->silent_share * course->duration_ms;
    }
    if (isnan(self->until) || last > self->until)
        self->until = last;
    return enter_calls(self, course, ask);
}

/* 1 when the invocation was entered, 0 when it has to be read closely, -1 with an exception; `*known` when that is
 * certain because it is asked for.
 */
static int enter(Stream *self, const Ask *ask, bool *known)
{
    Course course;
    if (self->folded || !read_frame(self, &course) || was_killed(&course))
        return 0;
    *known = is_known(self, &course);
    if (*known)
        return 0;
    int fits = read_times(self, &course, ask);
    if (fits > 0)
        fits = read_apps(self, &course, ask);
    if (fits <= 0)
        return fits;
    if (may_be_asked_for(self, &course))
        return 0;
    return enter_columns(self, &course) < 0 || enter_told(self, &course, ask) < 0 ? -1 : 1;
}

/* Python reads the lines at hand. */
static int hand_over(Stream *self, bool may_be_ordinary, const Ask *ask)
{
    PyObject *unit = PyList_New((Py_ssize_t)self->count);
    for (size_t at = 0; unit && at < self->count; at++) {
        Span line = line_at(self, at);
        PyObject *label = self->lines[at].label;
        PyObject *item = label ? Py_BuildValue("(Oy#)", label, line.start, line.length)
                               : Py_BuildValue("(Ly#)", self->lines[at].number, line.start, line.length);
        if (!item)
            Py_CLEAR(unit);
        else
            PyList_SET_ITEM(unit, (Py_ssize_t)at, item);
    }
    if (!unit)
        return -1;
    PyObject *done = PyObject_CallFunction(
        ask->settle, "OOy#", unit, may_be_ordinary ? Py_True : Py_False, self->request_id, self->id_length);
    Py_DECREF(unit);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* An invocation has ended. */
static int close_unit(Stream *self, const Ask *ask)
{
    bool started = self->started;
    self->entangled |= self->running;
    self->started = self->reported = false;
    bool known = false;
    int done = started ? enter(self, ask, &known) : 0;
    if (done == 0)
        done = hand_over(self, started && !known, ask);
    drop_unit(self);
    return done < 0 ? -1 : 0;
}

/* Gathering */

/* A line behind REPORT still speaks of that invocation: 1 yes, 0 no, -1 with an exception. */
static int belongs(Stream *self, Span line, const Ask *ask)
{
    if (BEGINS(line, "XRAY ") || contains(line, own_id(self)))
        return 1;
    double at, begun_at;
    if (moment_of(self, line, ask, &at) < 0)
        return -1;
    if (isnan(at) || !FIND(line, "imed out"))
        return isnan(at);
    Span start = {self->start_front, self->start_front_length};
    if (moment_of(self, start, ask, &begun_at) < 0)
        return -1;
    return at >= begun_at; /* never where the begin is not known */
}

static void begin_invocation(Stream *self, Span line, Span words)
{
    Span id = span_from(words, sizeof "START RequestId: " - 1);
    self->started = true;
    self->id_length = id.length < UUID_CHARS ? id.length : UUID_CHARS;
    memcpy(self->request_id, id.start, (size_t)self->id_length);
    self->start_front_length = line.length < self->column ? line.length : self->column;
    memcpy(self->start_front, line.start, (size_t)self->start_front_length);
}

static int take_line(Stream *self, Span line, long long number, PyObject *label, const Ask *ask)
{
    Span words = span_from(line, self->column);
    bool starts = BEGINS(words, "START");
    if (starts || BEGINS(words, "INIT_")) {
        if ((self->started || self->reported) && close_unit(self, ask) < 0)
            return -1;
        if (starts)
            begin_invocation(self, line, words);
    } else if (self->reported) {
        int stays = belongs(self, line, ask);
        if (stays < 0 || (!stays && close_unit(self, ask) < 0))
            return -1;
    }
    if (BEGINS(words, "REPOR") && (!self->started || contains(line, own_id(self))))
        self->reported = true;
    return add_line(self, line, number, label);
}

static int take_block(Stream *self, Span block, long long *number, const Ask *ask)
{
    while (block.length) {
        const char *end = memchr(block.start, '\n', (size_t)block.length);
        Span line = {block.start, end ? end - block.start : block.length};
        block = span_from(block, line.length + 1);
        while (line.length && line.start[line.length - 1] == '\r')
            line.length--;
        if (take_line(self, line, (*number)++, NULL, ask) < 0)
            return -1;
    }
    return keep_unit(self);
}

/* An event's message: what stands about the trace behind the report's line is a line of its own, as it is in text. */
static int take_event(Stream *self, Span line, PyObject *label, const Ask *ask)
{
    const char *end = line.length ? memchr(line.start, '\n', (size_t)line.length) : NULL;
    Span behind = end ? span_from(line, end - line.start) : (Span){line.start, 0};
    if (BEGINS(behind, "\nXRAY TraceId: ") && BEGINS(span_from(line, self->column), "REPORT")) {
        Span report = {line.start, end - line.start};
        if (take_line(self, report, 0, label, ask) < 0)
            return -1;
        line = span_from(behind, 1);
        end = line.length ? memchr(line.start, '\n', (size_t)line.length) : NULL;
    }
    if (take_line(self, line, 0, label, ask) < 0)
        return -1;
    self->folded |= end != NULL;
    return 0;
}

static int take_events(Stream *self, PyObject *labels, PyObject *lines, const Ask *ask)
{
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(lines); at++) {
        PyObject *item = PyList_GET_ITEM(lines, at);
        if (!PyBytes_Check(item) || at >= PyList_GET_SIZE(labels)) {
            PyErr_SetString(PyExc_TypeError, "a label and bytes for every line");
            return -1;
        }
        Span line = {PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item)};
        if (take_event(self, line, PyList_GET_ITEM(labels, at), ask) < 0)
            return -1;
    }
    return keep_unit(self);
}

/* The type */

static PyObject *refuse_again(void)
{
    PyErr_SetString(PyExc_RuntimeError, "lines are being read");
    return NULL;
}

static PyObject *stream_feed(Stream *self, PyObject *arguments)
{
    Ask ask;
    Span block;
    long long number;
    if (!PyArg_ParseTuple(arguments, "y#LOOO:feed", &block.start, &block.length, &number, &ask.settle, &ask.of,
                          &ask.shape_of))
        return NULL;
    if (self->busy || !self->start_front)
        return refuse_again();
    self->busy = true;
    int done = take_block(self, block, &number, &ask);
    if (done < 0)
        drop_unit(self); /* its lines may point into the block */
    self->busy = false;
    return done < 0 ? NULL : PyLong_FromLongLong(number);
}

static PyObject *stream_feed_lines(Stream *self, PyObject *arguments)
{
    Ask ask;
    PyObject *labels, *lines;
    if (!PyArg_ParseTuple(arguments, "O!O!OOO:feed_lines", &PyList_Type, &labels, &PyList_Type, &lines, &ask.settle,
                          &ask.of, &ask.shape_of))
        return NULL;
    if (self->busy || !self->start_front)
        return refuse_again();
    self->busy = true;
    int done = take_events(self, labels, lines, &ask);
    if (done < 0)
        drop_unit(self);
    self->busy = false;
    if (done < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *stream_alike(PyObject *Py_UNUSED(type), PyObject *text)
{
    char written[LOOK_CHARS];
    if (!PyBytes_Check(text))
        return PyErr_Format(PyExc_TypeError, "not bytes: %R", text);
    return span_bytes(alike((Span){PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)}, written));
}

static PyObject *stream_finish(Stream *self, PyObject *arguments)
{
    Ask ask;
    if (!PyArg_ParseTuple(arguments, "OOO:finish", &ask.settle, &ask.of, &ask.shape_of))
        return NULL;
    if (self->busy)
        return refuse_again();
    self->busy = true;
    int done = self->count ? close_unit(self, &ask) : 0;
    self->busy = false;
    if (done < 0)
        return NULL;
    Py_RETURN_NONE;
}

static void columns_of(Stream *self, Column **columns)
{
    Column *all[] = {&self->ident,       &self->begun_at, &self->started_at, &self->ended_at, &self->duration_ms,
                     &self->own_ms, &self->first,    &self->called,     &self->gaps};
    memcpy(columns, all, sizeof all);
}

#define COLUMNS 9

static void forget_entered(Stream *self)
{
    Column *columns[COLUMNS];
    columns_of(self, columns);
    for (int at = 0; at < COLUMNS; at++)
        columns[at]->length = 0;
    self->with_tail = self->silent_tail = 0;
    self->until = NAN;
}

static PyObject *stream_take(Stream *self, PyObject *Py_UNUSED(none))
{
    if (!self->ident.length)
        Py_RETURN_NONE;
    Column *columns[COLUMNS];
    columns_of(self, columns);
    PyObject *taken = PyTuple_New(COLUMNS + 3);
    for (int at = 0; taken && at < COLUMNS; at++) {
        PyObject *column = column_take(columns[at]);
        if (!column)
            Py_CLEAR(taken);
        else
            PyTuple_SET_ITEM(taken, at, column);
    }
    PyObject *until = isnan(self->until) ? Py_NewRef(Py_None) : PyFloat_FromDouble(self->until);
    PyObject *with_tail = PyLong_FromLongLong(self->with_tail), *silent = PyLong_FromLongLong(self->silent_tail);
    if (!taken || !until || !with_tail || !silent) {
        Py_XDECREF(taken), Py_XDECREF(until), Py_XDECREF(with_tail), Py_XDECREF(silent);
        return NULL;
    }
    PyTuple_SET_ITEM(taken, COLUMNS, with_tail);
    PyTuple_SET_ITEM(taken, COLUMNS + 1, silent);
    PyTuple_SET_ITEM(taken, COLUMNS + 2, until);
    forget_entered(self);
    return taken;
}

static int set_column(Stream *self, Py_ssize_t column, bool stamped)
{
    if (column < (stamped ? STAMP_DIGITS : FRACTION + 3)) {
        PyErr_SetString(PyExc_ValueError, "a line's time has milliseconds");
        return -1;
    }
    if (self->start_front && self->column == column && self->stamped == stamped)
        return 0;
    char *front = malloc((size_t)column);
    if (!front) {
        PyErr_NoMemory();
        return -1;
    }
    free(self->start_front);
    free(self->rest);
    self->start_front = front;
    self->rest = NULL;
    self->any_day = false;
    self->column = column;
    self->stamped = stamped;
    return 0;
}

static PyObject *stream_begin(Stream *self, PyObject *arguments)
{
    Py_ssize_t column;
    int stamped;
    PyObject *untraced, *traced;
    if (!PyArg_ParseTuple(arguments, "npSS:begin", &column, &stamped, &untraced, &traced))
        return NULL;
    if (self->busy)
        return refuse_again();
    if (set_column(self, column, stamped) < 0)
        return NULL;
    drop_unit(self);
    forget_entered(self);
    Py_INCREF(untraced), Py_INCREF(traced);
    Py_XSETREF(self->windows[0], untraced);
    Py_XSETREF(self->windows[1], traced);
    self->position = 0;
    self->last_start_at = 0.0;
    self->previous_ended_at = NAN;
    self->entangled = self->running = false;
    self->started = self->reported = false;
    self->id_length = self->start_front_length = 0;
    Py_RETURN_NONE;
}

static Known *known_from(PyObject *idents, PyObject *logged)
{
    Known *known = calloc(1, sizeof(Known));
    if (!known)
        return (Known *)PyErr_NoMemory();
    known->users = 1;
    if (take_idents(known, idents) < 0 || take_logged(known, logged) < 0) {
        known_drop(known);
        return NULL;
    }
    return known;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *idents, *logged, *like = Py_None;
    double silent_from_ms, silent_share;
    if (!PyArg_ParseTuple(arguments, "OOdd|O:Stream", &idents, &logged, &silent_from_ms, &silent_share, &like))
        return NULL;
    if (like != Py_None && !Py_IS_TYPE(like, type))
        return PyErr_Format(PyExc_TypeError, "not a stream: %R", like);
    Stream *self = (Stream *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    if (like == Py_None) {
        self->known = known_from(idents, logged);
    } else {
        self->known = ((Stream *)like)->known;
        self->known->users++;
    }
    if (!trouble_pairs['r' << 5 | 'r' >> 3])
        mark_pairs();
    self->silent_from_ms = silent_from_ms;
    self->silent_share = silent_share;
    self->previous_ended_at = self->until = NAN;
    if (!self->known)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void stream_dealloc(Stream *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Column *columns[COLUMNS];
    columns_of(self, columns);
    drop_unit(self);
    for (int at = 0; at < COLUMNS; at++)
        column_clear(columns[at]);
    column_clear(&self->kept);
    free(self->lines);
    free(self->apps);
    free(self->start_front);
    free(self->rest);
    Py_CLEAR(self->windows[0]);
    Py_CLEAR(self->windows[1]);
    known_drop(self->known);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_previous(Stream *self, void *Py_UNUSED(closure))
{
    return isnan(self->previous_ended_at) ? Py_NewRef(Py_None) : PyFloat_FromDouble(self->previous_ended_at);
}

static int set_previous(Stream *self, PyObject *value, void *Py_UNUSED(closure))
{
    double at = value == Py_None ? NAN : value ? PyFloat_AsDouble(value) : -1.0;
    if (!value)
        PyErr_SetString(PyExc_AttributeError, "it cannot be taken away");
    if (at == -1.0 && PyErr_Occurred())
        return -1;
    self->previous_ended_at = at;
    return 0;
}

static PyMemberDef members[] = {
    {"position", T_PYSSIZET, offsetof(Stream, position), 0, "How many invocations were read."},
    {"last_start_at", T_DOUBLE, offsetof(Stream, last_start_at), 0, "When the last one started."},
    {"entangled", T_BOOL, offsetof(Stream, entangled), 0, "Lines speak of other invocations than their own."},
    {"running", T_BOOL, offsetof(Stream, running), 0, "The end of the last one was not seen."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"previous_ended_at", (getter)get_previous, (setter)set_previous, "When the last one ended.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"begin", (PyCFunction)stream_begin, METH_VARARGS, "Begin with a stream."},
    {"feed", (PyCFunction)stream_feed, METH_VARARGS, "Read a block; the number after its last line."},
    {"feed_lines", (PyCFunction)stream_feed_lines, METH_VARARGS, "Read lines, each with its label."},
    {"finish", (PyCFunction)stream_finish, METH_VARARGS, "The stream has ended."},
    {"alike", stream_alike, METH_O | METH_STATIC, "The text that stands for all that differ only in ids and numbers."},
    {"take", (PyCFunction)stream_take, METH_NOARGS, "What was entered since the last time."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Reads the ordinary invocations of one stream after the other."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec stream_spec = {"apigw_doctor.sources._native.Stream", sizeof(Stream), 0, Py_TPFLAGS_DEFAULT, slots};
