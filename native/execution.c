#include "common.h"

#include <stdlib.h>

/* The ordinary request of an execution log (sources/execution_road.py): its lines are found, and what they say goes
 * into columns. Every other request is handed to Python with its lines as they stand. */

#define BRACKETS 3 /* "(", ")" and the blank behind an id */
#define KIND_WIDTH 19
#define MOST_KINDS 5000
#define LONGEST_START 64
#define MOST_PLANS 5000
#define MOST_PLACES 20000
#define LONGEST_COURSE 200
#define MOST_HEADERS 8
#define UNKNOWN (-1)
#define OTHER 16
#define STAMP_DIGITS 13
#define FAILED 500
#define USUAL_MARKS (1 | 4 | 8 | 16) /* EXECUTION, INFO, TRACE, LATENCY of evidence/traffic.py */

typedef struct {
    Span span;
    int32_t next; /* the next line of the same request, -1 after the last */
    uint8_t kind;
    bool owned; /* it is among the lines of a request */
} Line;

typedef struct {
    Span id;
    uint64_t hash;
    int32_t first, last, count;
    bool apart; /* some of its lines do not stand where the layout says */
} Request;

/* Where the telling lines of a course stand among its lines; -1 where there is none. */
typedef struct {
    bool usual;
    int completed, received, sending, uri, first_uri, route, extended;
    int response_headers, response_body, lambda_id, trace_id;
    int header_count;
    int headers[MOST_HEADERS];
} Plan;

/* A kind, and what the words of a line have to begin with to be of it. */
typedef struct {
    uint8_t kind;
    uint8_t length;
    char start[LONGEST_START];
} Kind;

/* What tells where lines stood: the stretch of the assignment, and the number of the block's first line. */
typedef struct {
    unsigned int stretch;
    unsigned long long number;
} Origin;

enum { IDENT, EXTENDED, CLAIM, PLACE, ARRIVED, ENDED, TOOK, STATUS, MARKS, COLUMNS };

typedef struct {
    PyObject_HEAD
    PyObject *kind_of, *plan_of, *place_of, *names_invocation, *asks_for, *idents;
    double slow_from;
    bool stamped;
    Py_ssize_t column, words;
    Moments moments;
    Table kinds, plans, places;
    Kind *kind_list;
    int kind_count;
    bool busy; /* Python was asked something: it must not change the block meanwhile */
    Plan *plan_list;
    int plan_count;
    /* the block at hand */
    PyObject *owner; /* keeps its bytes */
    PyObject *joined; /* ids that Python gave */
    Line *lines;
    int32_t line_count, line_room;
    Request *requests;
    int32_t request_count, request_room;
    int32_t *slots; /* by hash: number of a request, -1 */
    size_t slot_count;
    int32_t latest; /* the request of the line before */
    int32_t last_event;
    struct { int32_t at, count, before; } run; /* odd lines one after the other, not noted yet */
    Column columns[COLUMNS];
    Py_ssize_t entered;
    /* requests so slow that their lines are kept: their numbers, the lengths of their packed lines, and these */
    Column slow_entries, slow_lengths, slow_packed;
} Execution;

/* The block */

static void forget(Execution *self)
{
    Py_CLEAR(self->owner);
    Py_CLEAR(self->joined);
    self->line_count = self->request_count = 0;
    self->latest = self->last_event = -1;
    self->run.count = 0;
    for (size_t at = 0; at < self->slot_count; at++)
        self->slots[at] = -1;
}

static int grow(void **data, int32_t *room, size_t width)
{
    int64_t wanted = *room ? (int64_t)*room * 2 : 1024;
    void *larger = wanted < INT32_MAX / 2 ? realloc(*data, (size_t)wanted * width) : NULL;
    if (!larger) {
        PyErr_NoMemory();
        return -1;
    }
    *data = larger;
    *room = (int32_t)wanted;
    return 0;
}

static int more_slots(Execution *self)
{
    size_t count = self->slot_count ? self->slot_count * 2 : 4096;
    int32_t *slots = malloc(count * sizeof(int32_t));
    if (!slots) {
        PyErr_NoMemory();
        return -1;
    }
    free(self->slots);
    self->slots = slots;
    self->slot_count = count;
    for (size_t at = 0; at < count; at++)
        slots[at] = -1;
    for (int32_t number = 0; number < self->request_count; number++) {
        size_t at = self->requests[number].hash & (count - 1);
        while (slots[at] >= 0)
            at = (at + 1) & (count - 1);
        slots[at] = number;
    }
    return 0;
}

/* The slot of a request's id: its own, or the empty one that it would get. */
static int32_t *slot_of(Execution *self, Span id, uint64_t hash)
{
    size_t at = hash & (self->slot_count - 1);
    while (self->slots[at] >= 0) {
        const Request *request = &self->requests[self->slots[at]];
        if (request->hash == hash && span_equals(request->id, id))
            break;
        at = (at + 1) & (self->slot_count - 1);
    }
    return &self->slots[at];
}

static int32_t begin_request(Execution *self, Span id, uint64_t hash)
{
    if (self->request_count == self->request_room
        && grow((void **)&self->requests, &self->request_room, sizeof(Request)) < 0)
        return -1;
    if ((size_t)self->request_count * 2 >= self->slot_count && more_slots(self) < 0)
        return -1;
    *slot_of(self, id, hash) = self->request_count;
    self->requests[self->request_count] = (Request){id, hash, -1, -1, 0, false};
    return self->request_count++;
}

static void append_line(Execution *self, int32_t number, int32_t line)
{
    Request *request = &self->requests[number];
    self->lines[line].next = -1;
    self->lines[line].owned = true;
    if (request->last >= 0)
        self->lines[request->last].next = line;
    else
        request->first = line;
    request->last = line;
    request->count++;
}

/* The number of the request whose key stands in the line; -1 for none, -2 with an exception. */
static int32_t request_of(Execution *self, Span line)
{
    const char *key = line.start + self->column;
    if (line.length < self->words || key[0] != '(' || key[UUID_CHARS + 1] != ')' || key[UUID_CHARS + 2] != ' ')
        return -1;
    Span id = {key + 1, UUID_CHARS};
    if (self->latest >= 0 && span_equals(self->requests[self->latest].id, id))
        return self->latest;
    uint64_t hash = hash_of(id.start, id.length);
    int32_t known = self->slot_count ? *slot_of(self, id, hash) : -1;
    if (known >= 0)
        return known;
    if (!is_uuid(id.start))
        return -1;
    known = begin_request(self, id, hash);
    return known < 0 ? -2 : known;
}

/* Remembers what Python said of words that begin so: the kind, and what makes it so (None: nothing to remember). */
static int keep_kind(Execution *self, Span key, bool is_new, PyObject *found)
{
    int kind;
    const char *start;
    Py_ssize_t length;
    if (!PyTuple_Check(found) || !PyArg_ParseTuple(found, "iz#", &kind, &start, &length)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a kind, and how its words begin");
        return -1;
    }
    if (kind < 0 || kind > UINT8_MAX) {
        PyErr_SetString(PyExc_ValueError, "no kind of a line");
        return -1;
    }
    if (!start || !is_new || length > LONGEST_START)
        return kind;
    if (!self->kind_list && !(self->kind_list = malloc(MOST_KINDS * sizeof(Kind)))) {
        PyErr_NoMemory();
        return -1;
    }
    if (self->kind_count == MOST_KINDS) {
        table_clear(&self->kinds);
        self->kind_count = 0;
    }
    Kind *kept = &self->kind_list[self->kind_count];
    kept->kind = (uint8_t)kind, kept->length = (uint8_t)length;
    memcpy(kept->start, start, (size_t)length);
    return table_set(&self->kinds, key.start, key.length, self->kind_count++) < 0 ? -1 : kind;
}

/* The kind of a line by its first words; -1 with an exception. */
static int kind_of(Execution *self, Span words)
{
    Py_ssize_t width = words.length < KIND_WIDTH ? words.length : KIND_WIDTH;
    int64_t known = table_get(&self->kinds, words.start, width);
    if (known != ABSENT && span_begins(words, self->kind_list[known].start, self->kind_list[known].length))
        return self->kind_list[known].kind;
    PyObject *text = span_bytes(words);
    PyObject *found = text ? PyObject_CallOneArg(self->kind_of, text) : NULL;
    Py_XDECREF(text);
    int kind = found ? keep_kind(self, (Span){words.start, width}, known == ABSENT, found) : -1;
    Py_XDECREF(found);
    return kind;
}

static bool all_blank(Span line)
{
    return span_stripped(line).length == 0;
}

static int end_run(Execution *self, PyObject *odd)
{
    if (!self->run.count)
        return 0;
    PyObject *item = Py_BuildValue("(iii)", self->run.at, self->run.count, self->run.before);
    int done = item ? PyList_Append(odd, item) : -1;
    Py_XDECREF(item);
    self->run.count = 0;
    return done;
}

static int note_odd(Execution *self, int32_t at, PyObject *odd)
{
    if (self->run.count && self->run.at + self->run.count == at && PyBytes_Check(self->owner)) {
        self->run.count++;
        return 0;
    }
    if (end_run(self, odd) < 0)
        return -1;
    self->run.at = at, self->run.count = 1, self->run.before = self->last_event;
    return 0;
}

static int gather_line(Execution *self, Span span, PyObject *odd)
{
    if (self->line_count == self->line_room && grow((void **)&self->lines, &self->line_room, sizeof(Line)) < 0)
        return -1;
    int32_t at = self->line_count++;
    self->lines[at] = (Line){span, -1, OTHER, false};
    int32_t request = request_of(self, span);
    if (request == -2)
        return -1;
    if (request < 0)
        return all_blank(span) ? 0 : note_odd(self, at, odd);
    int kind = kind_of(self, span_from(span, self->words));
    if (kind < 0)
        return -1;
    self->lines[at].kind = (uint8_t)kind;
    self->latest = request;
    self->last_event = at;
    append_line(self, request, at);
    return 0;
}

static int gather_block(Execution *self, PyObject *block, PyObject *odd)
{
    const char *at = PyBytes_AS_STRING(block), *end = at + PyBytes_GET_SIZE(block);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        Span line = {at, (stop ? stop : end) - at};
        while (line.length && line.start[line.length - 1] == '\r')
            line.length--;
        if (gather_line(self, line, odd) < 0)
            return -1;
        at = next;
    }
    return 0;
}

static int gather_list(Execution *self, PyObject *list, PyObject *odd)
{
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(list); at++) {
        PyObject *item = PyList_GET_ITEM(list, at);
        if (!PyBytes_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "lines are bytes");
            return -1;
        }
        if (gather_line(self, (Span){PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item)}, odd) < 0)
            return -1;
    }
    return 0;
}

/* With an exception when Python, being asked something, asks back. */
static bool is_busy(const Execution *self)
{
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "the gatherer is at work");
    return self->busy;
}

/* What was gathered, or NULL with an exception; `owner` holds the bytes of the lines and is taken over. */
static PyObject *gathered(Execution *self, PyObject *owner, int (*gather)(Execution *, PyObject *, PyObject *))
{
    if (is_busy(self)) {
        Py_DECREF(owner);
        return NULL;
    }
    forget(self);
    self->owner = owner;
    self->joined = PyList_New(0);
    PyObject *odd = PyList_New(0);
    self->busy = true;
    bool done = self->joined && odd && gather(self, owner, odd) == 0 && end_run(self, odd) == 0;
    self->busy = false;
    if (!done) {
        Py_XDECREF(odd);
        forget(self);
        return NULL;
    }
    return Py_BuildValue("(iiN)", self->line_count, self->last_event, odd);
}

static PyObject *execution_gather(Execution *self, PyObject *given)
{
    if (PyBytes_Check(given))
        return gathered(self, Py_NewRef(given), gather_block);
    if (!PyList_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a block of bytes or a list of lines");
        return NULL;
    }
    /* a list may be changed by others while it is read */
    PyObject *lines = PyList_GetSlice(given, 0, PyList_GET_SIZE(given));
    return lines ? gathered(self, lines, gather_list) : NULL;
}

/* The time in thirteen digits before a message; 0 when it is not so simple, -1 with an exception. */
static int write_stamp(PyObject *time, char *stamp)
{
    if (!PyFloat_CheckExact(time))
        return 0;
    double at = PyFloat_AS_DOUBLE(time);
    if (!(at >= 0 && at < 1e13) || at != floor(at))
        return 0;
    int64_t rest = (int64_t)at;
    for (int digit = STAMP_DIGITS - 1; digit >= 0; digit--, rest /= 10)
        stamp[digit] = (char)('0' + rest % 10);
    stamp[STAMP_DIGITS] = ' ';
    return 1;
}

/* The stamped line of every event as one list item, or NULL with an exception; None where Python has to stamp one. */
static PyObject *stamped_lines(PyObject *times, PyObject *messages)
{
    Py_ssize_t count = PyList_GET_SIZE(messages);
    PyObject *lines = PyList_New(count);
    for (Py_ssize_t at = 0; lines && at < count; at++) {
        char stamp[STAMP_DIGITS + 1];
        Py_ssize_t length;
        PyObject *message = PyList_GET_ITEM(messages, at);
        const char *text = PyUnicode_Check(message) ? PyUnicode_AsUTF8AndSize(message, &length) : NULL;
        if (!text || !write_stamp(PyList_GET_ITEM(times, at), stamp)) {
            PyErr_Clear();
            Py_DECREF(lines);
            return Py_NewRef(Py_None);
        }
        PyObject *line = PyBytes_FromStringAndSize(NULL, length + STAMP_DIGITS + 1);
        if (!line) {
            Py_CLEAR(lines);
            break;
        }
        memcpy(PyBytes_AS_STRING(line), stamp, sizeof stamp);
        memcpy(PyBytes_AS_STRING(line) + sizeof stamp, text, (size_t)length);
        PyList_SET_ITEM(lines, at, line);
    }
    return lines;
}

static PyObject *execution_gather_events(Execution *self, PyObject *args)
{
    PyObject *times, *messages;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &times, &PyList_Type, &messages))
        return NULL;
    if (PyList_GET_SIZE(times) != PyList_GET_SIZE(messages)) {
        PyErr_SetString(PyExc_ValueError, "a time for each message");
        return NULL;
    }
    PyObject *lines = stamped_lines(times, messages);
    if (!lines || lines == Py_None)
        return lines;
    return gathered(self, lines, gather_list);
}

static PyObject *execution_line(Execution *self, PyObject *number)
{
    long at = PyLong_AsLong(number);
    if (at == -1 && PyErr_Occurred())
        return NULL;
    if (at < 0 || at >= self->line_count) {
        PyErr_SetString(PyExc_IndexError, "no such line in the block");
        return NULL;
    }
    return span_bytes(self->lines[at].span);
}

static PyObject *execution_stretch(Execution *self, PyObject *args)
{
    int at, count;
    if (!PyArg_ParseTuple(args, "ii", &at, &count))
        return NULL;
    if (at < 0 || count < 1 || count > self->line_count - at || !PyBytes_Check(self->owner)) {
        PyErr_SetString(PyExc_IndexError, "no such lines in the block");
        return NULL;
    }
    Span first = self->lines[at].span, last = self->lines[at + count - 1].span;
    return span_bytes((Span){first.start, last.start + last.length - first.start});
}

/* The id in a key of Python's: what stands between "(" and ") ". */
static int id_in(PyObject *key, Span *id)
{
    if (!PyBytes_Check(key) || PyBytes_GET_SIZE(key) < BRACKETS) {
        PyErr_SetString(PyExc_ValueError, "no key of a request");
        return -1;
    }
    *id = (Span){PyBytes_AS_STRING(key) + 1, PyBytes_GET_SIZE(key) - BRACKETS};
    return 0;
}

static PyObject *execution_holds(Execution *self, PyObject *key)
{
    Span id;
    if (id_in(key, &id) < 0)
        return NULL;
    return PyBool_FromLong(self->slot_count && *slot_of(self, id, hash_of(id.start, id.length)) >= 0);
}

/* Puts a line among those of a request, in the order of the file. */
static void insert_line(Execution *self, Request *request, int32_t line)
{
    int32_t *link = &request->first;
    while (*link >= 0 && *link < line)
        link = &self->lines[*link].next;
    self->lines[line].next = *link;
    self->lines[line].owned = true;
    if (*link < 0)
        request->last = line;
    *link = line;
    request->count++;
    request->apart = true;
}

static PyObject *execution_join(Execution *self, PyObject *args)
{
    PyObject *key;
    int line;
    Span id;
    if (!PyArg_ParseTuple(args, "Si", &key, &line) || id_in(key, &id) < 0 || is_busy(self))
        return NULL;
    if (line < 0 || line >= self->line_count || !self->joined) {
        PyErr_SetString(PyExc_IndexError, "no such line in the block");
        return NULL;
    }
    if (self->lines[line].owned) {
        PyErr_SetString(PyExc_ValueError, "the line has its request");
        return NULL;
    }
    uint64_t hash = hash_of(id.start, id.length);
    int32_t number = self->slot_count ? *slot_of(self, id, hash) : -1;
    if (number < 0) {
        if (PyList_Append(self->joined, key) < 0 || (number = begin_request(self, id, hash)) < 0)
            return NULL;
    }
    self->lines[line].kind = OTHER;
    insert_line(self, &self->requests[number], line);
    Py_RETURN_NONE;
}

/* What a request says */

static int read_moment(Execution *self, Span line, double *at)
{
    if (!self->stamped)
        return moments_of(&self->moments, line, at);
    *at = NAN;
    double value = 0;
    for (int digit = 0; digit < STAMP_DIGITS; digit++) {
        if (!is_digit(line.start[digit]))
            return 0;
        value = value * 10 + (line.start[digit] - '0');
    }
    *at = value;
    return 0;
}

/* The status behind "Method completed with status:"; -1 where Python has to look. */
static int status_in(Span words)
{
    Span rest = span_from(words, (Py_ssize_t)sizeof("Method completed with status:") - 1);
    while (rest.length && is_blank(rest.start[0]))
        rest = span_from(rest, 1);
    if (rest.length < 3 || !is_digit(rest.start[0]) || !is_digit(rest.start[1]) || !is_digit(rest.start[2]))
        return -1;
    int status = (rest.start[0] - '0') * 100 + (rest.start[1] - '0') * 10 + (rest.start[2] - '0');
    return status < FAILED ? status : -1;
}

/* The integration's time in "Received response. Status: 200, Integration latency: 12 ms"; -1 where Python has to look. */
static double took_in(Span words)
{
    if (!BEGINS(words, "Received response."))
        return -1;
    Span rest = span_from(words, (Py_ssize_t)sizeof("Received response.") - 1);
    if (BEGINS(rest, " Status: ")) {
        rest = span_from(rest, (Py_ssize_t)sizeof(" Status: ") - 1);
        if (rest.length < 4 || !is_digit(rest.start[0]) || !is_digit(rest.start[1]) || !is_digit(rest.start[2])
            || rest.start[3] != ',')
            return -1;
        int status = (rest.start[0] - '0') * 100 + (rest.start[1] - '0') * 10 + (rest.start[2] - '0');
        if (status < 200 || status > 428)
            return -1;
        rest = span_from(rest, 4);
    }
    if (!BEGINS(rest, " Integration latency: "))
        return -1;
    rest = span_from(rest, (Py_ssize_t)sizeof(" Integration latency: ") - 1);
    double took = 0;
    int digits = 0;
    while (digits < rest.length && digits <= 12 && is_digit(rest.start[digits]))
        took = took * 10 + (rest.start[digits++] - '0');
    return digits && digits <= 12 && BEGINS(span_from(rest, digits), " ms") ? took : -1;
}

/* Some header of this name, in whatever capitals, stands in the line; `name` ends with its "=". */
static bool names_header(Span line, const char *name, Py_ssize_t length)
{
    const char *at = line.start, *end = line.start + line.length;
    while ((at = memchr(at, '=', (size_t)(end - at)))) {
        const char *start = ++at - length;
        if (start < line.start)
            continue;
        Py_ssize_t same = 0;
        while (same < length && lowered(start[same]) == name[same])
            same++;
        if (same == length)
            return true;
    }
    return false;
}

enum { NONE, FOUND, UNSURE, FAULT };

#define LAMBDA_HEADER "x-amzn-RequestId="
#define TRACE_HEADER "X-Amzn-Trace-Id="

static int claim_in_headers(Span line, uint64_t *claim)
{
    const char *at = FIND(line, LAMBDA_HEADER);
    if (!at)
        return names_header(line, "x-amzn-requestid=", sizeof(LAMBDA_HEADER) - 1) ? UNSURE : NONE;
    Span value = span_from(line, at - line.start + (Py_ssize_t)sizeof(LAMBDA_HEADER) - 1);
    if (value.length < UUID_CHARS || !is_uuid(value.start))
        return UNSURE;
    *claim = id64_of(value.start, UUID_CHARS, true);
    return FOUND;
}

static int claim_in_words(Span words, uint64_t *claim)
{
    for (Py_ssize_t at = 0; at + UUID_CHARS <= words.length; at++) {
        if (words.start[at + 8] == '-' && is_uuid(words.start + at)) {
            *claim = id64_of(words.start + at, UUID_CHARS, true);
            return FOUND;
        }
    }
    return NONE;
}

static int trace_in_headers(Span line, uint64_t *claim)
{
    const char *at = FIND(line, TRACE_HEADER);
    if (!at)
        return names_header(line, "x-amzn-trace-id=", sizeof(TRACE_HEADER) - 1) ? UNSURE : NONE;
    Span value = span_from(line, at - line.start + (Py_ssize_t)sizeof(TRACE_HEADER) - 1);
    Py_ssize_t length = 0;
    while (length < value.length && value.start[length] != ',' && value.start[length] != '}')
        length++;
    value.length = length;
    int found = length ? trace_ident(value, claim) : -1;
    return found < 0 ? UNSURE : found;
}

/* What Python says to a line: UNSURE for yes, NONE for no, FAULT with an exception. */
static int asks(PyObject *question, Span line)
{
    PyObject *text = span_bytes(line);
    PyObject *answer = text ? PyObject_CallOneArg(question, text) : NULL;
    Py_XDECREF(text);
    int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return yes < 0 ? FAULT : yes ? UNSURE : NONE;
}

/* The id that ties the request to its invocation, as `Ordinary._claim` finds it; 0 for none. */
static int claim_of(const Execution *self, const Plan *plan, const Span *lines, uint64_t *claim)
{
    int found = NONE;
    *claim = 0;
    if (plan->response_headers >= 0 && (found = claim_in_headers(lines[plan->response_headers], claim)) != NONE)
        return found;
    if (plan->response_body >= 0) {
        Span body = lines[plan->response_body];
        bool speaks = FIND(body, "Lambda request id: ") || FIND(body, "Task timed out") || FIND(body, "RequestId: ");
        if (speaks && (found = asks(self->names_invocation, body)) != NONE)
            return found;
    }
    if (plan->lambda_id >= 0) {
        Py_ssize_t from = self->words + (Py_ssize_t)sizeof("AWS Integration Endpoint RequestId") - 1;
        if ((found = claim_in_words(span_from(lines[plan->lambda_id], from), claim)) != NONE)
            return found;
    }
    if (plan->trace_id >= 0) {
        Py_ssize_t from = self->words + (Py_ssize_t)sizeof("X-ray Tracing ID") - 1;
        found = trace_ident(span_from(lines[plan->trace_id], from), claim);
        if (found)
            return found < 0 ? UNSURE : FOUND;
    }
    for (int header = 0; header < plan->header_count; header++)
        if ((found = trace_in_headers(lines[plan->headers[header]], claim)) != NONE)
            return found;
    return NONE;
}

/* What Python says is the place of a request of this course; UNKNOWN when it cannot be told so simply, or ABSENT with
 * an exception. */
static int64_t ask_for_place(const Execution *self, const char *course, const Span *lines, int count)
{
    PyObject *texts = PyTuple_New(count);
    for (int at = 0; texts && at < count; at++) {
        PyObject *line = span_bytes(lines[at]);
        if (!line)
            Py_CLEAR(texts);
        else
            PyTuple_SET_ITEM(texts, at, line);
    }
    PyObject *found = texts ? PyObject_CallFunction(self->place_of, "y#N", course, (Py_ssize_t)count, texts) : NULL;
    if (!found)
        return ABSENT;
    long long place = found == Py_None ? UNKNOWN : PyLong_AsLongLong(found);
    Py_DECREF(found);
    if (place == -1 && PyErr_Occurred())
        return ABSENT;
    return place >= 0 && place <= UINT32_MAX ? place : UNKNOWN;
}

/* The number of the place that the route's words and the endpoint stand for; UNKNOWN when the request has to be read
 * closely, ABSENT with an exception. */
static int64_t place_for(Execution *self, const Plan *plan, const char *course, const Span *lines, int count)
{
    char key[4096];
    Span route = span_from(lines[plan->route], self->words);
    Span endpoint = span_from(lines[plan->uri], self->words + (Py_ssize_t)sizeof("Endpoint request URI: ") - 1);
    bool called = FIND(endpoint, ":function:") != NULL;
    Py_ssize_t length = route.length + 1 + (called ? endpoint.length : 0);
    if (length > (Py_ssize_t)sizeof key)
        return UNKNOWN;
    memcpy(key, route.start, (size_t)route.length);
    key[route.length] = called ? '\n' : '\0';
    if (called)
        memcpy(key + route.length + 1, endpoint.start, (size_t)endpoint.length);
    int64_t place = table_get(&self->places, key, length);
    if (place != ABSENT)
        return place;
    if ((place = ask_for_place(self, course, lines, count)) == ABSENT)
        return ABSENT;
    if (self->places.used > MOST_PLACES)
        table_clear(&self->places);
    return table_set(&self->places, key, length, place) < 0 ? ABSENT : place;
}

/* 1 when somebody asks for the request, 0 when not, -1 with an exception. */
static int is_asked_for(const Execution *self, uint64_t ident, double arrived_at)
{
    if (PySet_GET_SIZE(self->idents)) {
        PyObject *number = PyLong_FromUnsignedLongLong(ident);
        int named = number ? PySet_Contains(self->idents, number) : -1;
        Py_XDECREF(number);
        if (named)
            return named;
    }
    if (self->asks_for == Py_None)
        return 0;
    PyObject *answer = PyObject_CallFunction(self->asks_for, "Kd", (unsigned long long)ident, arrived_at);
    int asked = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return asked;
}

static int add_entry(Execution *self, uint64_t ident, uint32_t extended, uint64_t claim, uint32_t place, double arrived,
                     double ended, double took, uint16_t status)
{
    uint8_t marks = USUAL_MARKS;
    Column *columns = self->columns;
    if (column_add(&columns[IDENT], &ident, sizeof ident) < 0 || column_add(&columns[EXTENDED], &extended, sizeof extended) < 0
        || column_add(&columns[CLAIM], &claim, sizeof claim) < 0 || column_add(&columns[PLACE], &place, sizeof place) < 0
        || column_add(&columns[ARRIVED], &arrived, sizeof arrived) < 0
        || column_add(&columns[ENDED], &ended, sizeof ended) < 0 || column_add(&columns[TOOK], &took, sizeof took) < 0
        || column_add(&columns[STATUS], &status, sizeof status) < 0
        || column_add(&columns[MARKS], &marks, sizeof marks) < 0)
        return -1;
    self->entered++;
    return 1;
}

static Span first_in_order(const Span *lines, int count)
{
    Span least = lines[0];
    for (int at = 1; at < count; at++) {
        Py_ssize_t shared = lines[at].length < least.length ? lines[at].length : least.length;
        int order = memcmp(lines[at].start, least.start, (size_t)shared);
        if (order < 0 || (order == 0 && lines[at].length < least.length))
            least = lines[at];
    }
    return least;
}

/* Enters a request of the usual course: 1 when it was, 0 when it has to be read closely, -1 with an exception.
 * `slow` tells whether it took so long that its lines have to be kept. */
static int enter(Execution *self, Span id, const Plan *plan, const char *course, const Span *lines, int count, bool *slow)
{
    Py_ssize_t words = self->words;
    Span sending = lines[plan->sending];
    Span endpoint = span_from(sending, words + (Py_ssize_t)sizeof("Sending request to ") - 1);
    Span uri = span_from(lines[plan->uri], words + (Py_ssize_t)sizeof("Endpoint request URI: ") - 1);
    int status = status_in(span_from(lines[plan->completed], words));
    double took = took_in(span_from(lines[plan->received], words));
    if (status < 0 || took < 0 || !span_equals(uri, endpoint))
        return 0;
    if (plan->first_uri >= 0 && memcmp(lines[plan->first_uri].start, sending.start, (size_t)self->column) >= 0)
        return 0; /* the authorizer's endpoint and the integration's at one moment */
    Span extended = span_stripped(
        span_from(lines[plan->extended], words + (Py_ssize_t)sizeof("Extended Request Id: ") - 1));
    uint64_t claim;
    int claimed = span_is_ascii(extended) ? claim_of(self, plan, lines, &claim) : UNSURE;
    if (claimed == UNSURE || claimed == FAULT)
        return claimed == FAULT ? -1 : 0;
    double arrived_at, ended_at, received_at;
    Span first = first_in_order(lines, count);
    if (read_moment(self, first, &arrived_at) < 0 || read_moment(self, lines[plan->completed], &ended_at) < 0
        || read_moment(self, lines[plan->received], &received_at) < 0)
        return -1;
    if (isnan(arrived_at) || isnan(ended_at) || isnan(received_at))
        return 0;
    uint64_t ident = id64_of(id.start, id.length, false);
    int asked = is_asked_for(self, ident, arrived_at);
    if (asked)
        return asked < 0 ? -1 : 0;
    int64_t place = place_for(self, plan, course, lines, count);
    if (place < 0)
        return place == ABSENT ? -1 : 0;
    *slow = took >= self->slow_from;
    return add_entry(self, ident, half_id_of(extended), claim, (uint32_t)place, arrived_at, ended_at, took,
                     (uint16_t)status);
}

/* Plans */

static int read_plan(PyObject *told, Py_ssize_t course, Plan *plan)
{
    *plan = (Plan){0};
    if (told == Py_None)
        return 0;
    int *const fields[] = {
        &plan->completed, &plan->received, &plan->sending, &plan->uri, &plan->first_uri, &plan->route, &plan->extended,
        &plan->response_headers, &plan->response_body, &plan->lambda_id, &plan->trace_id,
    };
    const Py_ssize_t fixed = (Py_ssize_t)(sizeof fields / sizeof *fields);
    if (!PyTuple_Check(told) || PyTuple_GET_SIZE(told) < fixed) {
        PyErr_SetString(PyExc_TypeError, "a plan is a tuple of places, or None");
        return -1;
    }
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(told); at++) {
        long value = PyLong_AsLong(PyTuple_GET_ITEM(told, at));
        if (value == -1 && PyErr_Occurred())
            return -1;
        if (value < -1 || value >= course || (value < 0 && (at < 4 || at == 5 || at == 6 || at >= fixed)))
            return 0;
        if (at < fixed)
            *fields[at] = (int)value;
        else if (plan->header_count < MOST_HEADERS)
            plan->headers[plan->header_count++] = (int)value;
        else
            return 0;
    }
    plan->usual = true;
    return 0;
}

/* The plan of a course; NULL with an exception. */
static const Plan *plan_for(Execution *self, const char *course, Py_ssize_t length)
{
    int64_t known = table_get(&self->plans, course, length);
    if (known != ABSENT)
        return &self->plan_list[known];
    if (self->plan_count == MOST_PLANS) {
        table_clear(&self->plans);
        self->plan_count = 0;
    }
    if (!self->plan_list && !(self->plan_list = malloc(MOST_PLANS * sizeof(Plan)))) {
        PyErr_NoMemory();
        return NULL;
    }
    PyObject *told = PyObject_CallFunction(self->plan_of, "y#", course, length);
    Plan *plan = &self->plan_list[self->plan_count];
    int done = told ? read_plan(told, length, plan) : -1;
    Py_XDECREF(told);
    if (done < 0 || table_set(&self->plans, course, length, self->plan_count) < 0)
        return NULL;
    self->plan_count++;
    return plan;
}

/* Settling */

static PyObject *key_of(Span id)
{
    PyObject *key = PyBytes_FromStringAndSize(NULL, id.length + BRACKETS);
    if (key) {
        char *text = PyBytes_AS_STRING(key);
        text[0] = '(';
        memcpy(text + 1, id.start, (size_t)id.length);
        memcpy(text + 1 + id.length, ") ", 2);
    }
    return key;
}

/* 1 when one of the containers holds the key, 0 when none does, -1 with an exception. */
static int is_in(PyObject *containers, Span id)
{
    PyObject *key = NULL;
    int found = 0;
    for (Py_ssize_t at = 0; !found && at < PyTuple_GET_SIZE(containers); at++) {
        PyObject *container = PyTuple_GET_ITEM(containers, at);
        Py_ssize_t size = PyObject_Size(container);
        if (size < 0)
            found = -1;
        if (size <= 0)
            continue;
        if (!key && !(key = key_of(id)))
            return -1;
        found = PySequence_Contains(container, key);
    }
    Py_XDECREF(key);
    return found;
}

/* Positions and lines of a request into the two; 0, or -1 with an exception. */
static int lines_of(const Execution *self, const Request *request, PyObject **positions, PyObject **lines)
{
    *positions = PyList_New(request->count);
    *lines = PyTuple_New(request->count);
    if (!*positions || !*lines)
        goto failed;
    int32_t at = request->first;
    for (Py_ssize_t number = 0; at >= 0; at = self->lines[at].next, number++) {
        PyObject *position = PyLong_FromLong(at);
        PyObject *line = span_bytes(self->lines[at].span);
        if (!position || !line) {
            Py_XDECREF(position);
            Py_XDECREF(line);
            goto failed;
        }
        PyList_SET_ITEM(*positions, number, position);
        PyTuple_SET_ITEM(*lines, number, line);
    }
    return 0;
failed:
    Py_CLEAR(*positions);
    Py_CLEAR(*lines);
    return -1;
}

static PyObject *course_of(const Execution *self, const Request *request)
{
    PyObject *course = PyTuple_New(request->count);
    int32_t at = request->first;
    for (Py_ssize_t number = 0; course && at >= 0; at = self->lines[at].next, number++) {
        PyObject *kind = PyLong_FromLong(self->lines[at].kind);
        if (!kind)
            Py_CLEAR(course);
        else
            PyTuple_SET_ITEM(course, number, kind);
    }
    return course;
}

static int hand_over(const Execution *self, const Request *request, PyObject *others)
{
    PyObject *positions, *lines;
    if (lines_of(self, request, &positions, &lines) < 0)
        return -1;
    PyObject *item = Py_BuildValue("(NNNN)", key_of(request->id), positions, lines, course_of(self, request));
    int done = item ? PyList_Append(others, item) : -1;
    Py_XDECREF(item);
    return done;
}

/* Adds a MessagePack head: the type's byte and a number of so many bytes, the highest first. */
static int pack(Column *packed, unsigned char type, uint64_t value, int width)
{
    unsigned char head[9] = {type};
    for (int at = 0; at < width; at++)
        head[1 + at] = (unsigned char)(value >> (8 * (width - 1 - at)));
    return column_add(packed, head, (size_t)width + 1);
}

/* Packs a request as `Slow` of sources/spool.py: the stretch, its lines with their numbers, no group. */
static int pack_request(const Execution *self, Column *packed, const Request *request, const Origin *origin)
{
    if (pack(packed, 0x93, 0, 0) < 0 || pack(packed, 0xce, origin->stretch, 4) < 0
        || pack(packed, 0xdd, (uint64_t)request->count, 4) < 0)
        return -1;
    for (int32_t at = request->first; at >= 0; at = self->lines[at].next) {
        Span line = self->lines[at].span;
        if (line.length > (Py_ssize_t)UINT32_MAX) {
            PyErr_SetString(PyExc_OverflowError, "a line is too long");
            return -1;
        }
        if (pack(packed, 0x92, 0, 0) < 0 || pack(packed, 0xcf, origin->number + (uint64_t)at, 8) < 0
            || pack(packed, 0xc6, (uint64_t)line.length, 4) < 0
            || column_add(packed, line.start, (size_t)line.length) < 0)
            return -1;
    }
    return pack(packed, 0xc0, 0, 0);
}

/* The request that was entered last took long: keep its lines, packed or (without an origin) as a list item. */
static int note_slow(Execution *self, const Request *request, const Origin *origin, PyObject *slow)
{
    uint64_t entry = (uint64_t)self->entered - 1;
    if (origin) {
        size_t before = self->slow_packed.length;
        if (pack_request(self, &self->slow_packed, request, origin) < 0)
            return -1;
        uint64_t length = self->slow_packed.length - before;
        return column_add(&self->slow_entries, &entry, sizeof entry) < 0
                   || column_add(&self->slow_lengths, &length, sizeof length) < 0
            ? -1
            : 0;
    }
    PyObject *positions, *lines;
    if (lines_of(self, request, &positions, &lines) < 0)
        return -1;
    PyObject *item = Py_BuildValue("(KNN)", (unsigned long long)entry, positions, lines);
    int done = item ? PyList_Append(slow, item) : -1;
    Py_XDECREF(item);
    return done;
}

/* 1 when the request was entered, 0 when not, -1 with an exception. */
static int settle_one(Execution *self, const Request *request, const Origin *origin, PyObject *apart, PyObject *slow_ones)
{
    char course[LONGEST_COURSE];
    Span lines[LONGEST_COURSE];
    if (request->apart || request->count < 2 || request->count > LONGEST_COURSE)
        return 0;
    int count = 0;
    for (int32_t at = request->first; at >= 0; at = self->lines[at].next, count++) {
        course[count] = (char)self->lines[at].kind;
        lines[count] = self->lines[at].span;
    }
    const Plan *plan = plan_for(self, course, count);
    if (!plan)
        return -1;
    if (!plan->usual)
        return 0;
    int known = is_in(apart, request->id);
    if (known)
        return known < 0 ? -1 : 0;
    bool slow = false;
    int entered = enter(self, request->id, plan, course, lines, count, &slow);
    if (entered > 0 && slow && note_slow(self, request, origin, slow_ones) < 0)
        return -1;
    return entered;
}

static PyObject *taken_columns(Execution *self)
{
    PyObject *columns = PyTuple_New(COLUMNS);
    for (int at = 0; columns && at < COLUMNS; at++) {
        PyObject *column = column_take(&self->columns[at]);
        if (!column)
            Py_CLEAR(columns);
        else
            PyTuple_SET_ITEM(columns, at, column);
    }
    self->entered = 0;
    return columns;
}

/* The slow ones as columns: their numbers, the lengths of what was packed, and that. */
static PyObject *taken_slow(Execution *self)
{
    PyObject *entries = column_take(&self->slow_entries), *lengths = column_take(&self->slow_lengths);
    PyObject *packed = column_take(&self->slow_packed);
    if (entries && lengths && packed)
        return Py_BuildValue("(NNN)", entries, lengths, packed);
    Py_XDECREF(entries);
    Py_XDECREF(lengths);
    Py_XDECREF(packed);
    return NULL;
}

static PyObject *execution_settle(Execution *self, PyObject *args)
{
    PyObject *apart, *told, *others = NULL, *slow = NULL, *columns;
    Origin origin;
    if (!PyArg_ParseTuple(args, "O!O", &PyTuple_Type, &apart, &told))
        return NULL;
    bool is_packed = told != Py_None;
    if ((is_packed && !PyArg_ParseTuple(told, "IK", &origin.stretch, &origin.number)) || is_busy(self))
        return NULL;
    self->busy = true;
    others = PyList_New(0), slow = PyList_New(0);
    if (!others || !slow)
        goto failed;
    for (int32_t number = 0; number < self->request_count; number++) {
        int entered = settle_one(self, &self->requests[number], is_packed ? &origin : NULL, apart, slow);
        if (entered < 0 || (!entered && hand_over(self, &self->requests[number], others) < 0))
            goto failed;
    }
    if (is_packed)
        Py_SETREF(slow, taken_slow(self));
    columns = slow ? taken_columns(self) : NULL;
    if (!columns)
        goto failed;
    self->busy = false;
    forget(self);
    return Py_BuildValue("(NNN)", columns, slow, others);
failed:
    self->busy = false;
    Py_XDECREF(others);
    Py_XDECREF(slow);
    return NULL;
}

/* The type */

static PyObject *execution_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *keywords[] = {"column", "words", "stamped", "slow_from_ms",
                               "moment_of", "kind_of", "plan_of", "place_of",
                               "names_invocation", "idents", "asks_for", NULL};
    Py_ssize_t column, words;
    int stamped;
    double slow_from;
    PyObject *moment_of, *kinds, *plans, *places, *names, *idents, *asks_for;
    if (!PyArg_ParseTupleAndKeywords(args, named, "nnpdOOOOOO!O", keywords, &column, &words, &stamped, &slow_from, &moment_of,
                                     &kinds, &plans, &places, &names, &PyFrozenSet_Type, &idents, &asks_for))
        return NULL;
    if (words != column + UUID_CHARS + BRACKETS || column < (stamped ? STAMP_DIGITS : FRACTION + 3)) {
        PyErr_SetString(PyExc_ValueError, "no layout with times");
        return NULL;
    }
    Execution *self = (Execution *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->column = column, self->words = words, self->stamped = stamped, self->slow_from = slow_from;
    self->kind_of = Py_NewRef(kinds), self->plan_of = Py_NewRef(plans), self->place_of = Py_NewRef(places);
    self->names_invocation = Py_NewRef(names);
    self->idents = Py_NewRef(idents), self->asks_for = Py_NewRef(asks_for);
    self->latest = self->last_event = -1;
    if (!stamped && moments_begin(&self->moments, moment_of, column) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int execution_traverse(Execution *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->kind_of);
    Py_VISIT(self->plan_of);
    Py_VISIT(self->place_of);
    Py_VISIT(self->names_invocation);
    Py_VISIT(self->asks_for);
    Py_VISIT(self->idents);
    Py_VISIT(self->moments.of);
    Py_VISIT(self->owner);
    Py_VISIT(self->joined);
    return 0;
}

static int execution_clear(Execution *self)
{
    Py_CLEAR(self->kind_of);
    Py_CLEAR(self->plan_of);
    Py_CLEAR(self->place_of);
    Py_CLEAR(self->names_invocation);
    Py_CLEAR(self->asks_for);
    Py_CLEAR(self->idents);
    Py_CLEAR(self->moments.of);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->joined);
    return 0;
}

static void execution_dealloc(Execution *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    execution_clear(self);
    moments_end(&self->moments);
    table_clear(&self->kinds);
    table_clear(&self->plans);
    table_clear(&self->places);
    for (int at = 0; at < COLUMNS; at++)
        column_clear(&self->columns[at]);
    column_clear(&self->slow_entries);
    column_clear(&self->slow_lengths);
    column_clear(&self->slow_packed);
    free(self->plan_list);
    free(self->kind_list);
    free(self->lines);
    free(self->requests);
    free(self->slots);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"gather", (PyCFunction)execution_gather, METH_O,
     "Sort the lines of a block, or of a list, to their requests: how many lines, the last that begins as the layout "
     "says (-1: none), and of odd lines in a row the first one's place, how many they are, and the place of the line "
     "before them that begins so."},
    {"gather_events", (PyCFunction)execution_gather_events, METH_VARARGS,
     "The same with messages of events behind their stamps; None when a time or a message is not so simple."},
    {"line", (PyCFunction)execution_line, METH_O, "A line of the block at hand."},
    {"stretch", (PyCFunction)execution_stretch, METH_VARARGS, "Lines of the block at hand as they stand in it."},
    {"holds", (PyCFunction)execution_holds, METH_O, "Whether the request with this key has lines in the block."},
    {"join", (PyCFunction)execution_join, METH_VARARGS, "Give an odd line to the request with this key."},
    {"settle", (PyCFunction)execution_settle, METH_VARARGS,
     "Enter the ordinary requests whose keys none of the containers holds: their columns, the slow ones (packed where "
     "their stretch and the first line's number are told), and all others (key, places, lines, kinds). The block is "
     "forgotten."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Gathers the lines of a uniform execution log by request."},
    {Py_tp_new, execution_new},
    {Py_tp_dealloc, execution_dealloc},
    {Py_tp_traverse, execution_traverse},
    {Py_tp_clear, execution_clear},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec execution_spec = {
    "apigw_doctor.sources._native.Execution", sizeof(Execution), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots,
};
