#include "common.h"

#include <stdlib.h>

/* Access-log records: what `AccessRoad._entered` does with the ordinary one (sources/access_road.py).
 *
 * A record is taken when it is one flat object of plain ASCII texts, whole numbers and nulls, with its keys in the
 * layout's order, and of a well-answered request. Every other one is handed back, untouched and in its turn.
 */

/* What keys stand for, in the order of `_ATTRIBUTES`. */
enum {
    REQUEST_ID, EXTENDED_ID, EPOCH, TIME, STATUS, INTEGRATION_STATUS, SERVICE_STATUS, AUTHORIZER_STATUS,
    INTEGRATION_LATENCY, RESPONSE_LATENCY, AUTHORIZER_LATENCY, WAF_LATENCY, LAMBDA_ID, TRACE,
    RESPONSE_TYPE, ERROR_MESSAGE, ERROR_STRING, INTEGRATION_ERROR, AUTHORIZER_ERROR, CONNECTION, EVENT,
    METHOD, RESOURCE, ROUTE_KEY, PATH, API, STAGE, ENDPOINT_TYPE, URI,
    ATTRIBUTES,
    /* what the whole record may be about, and what nobody asks for */
    MESSAGE = ATTRIBUTES, OTHER
};

/* Of a record that tells of no trouble these are empty; and these are, or say what Python knows for no failure. */
static const int TROUBLE[] = {ERROR_STRING, INTEGRATION_ERROR, AUTHORIZER_ERROR, CONNECTION, EVENT};
static const int WORDS[] = {RESPONSE_TYPE, ERROR_MESSAGE};
/* The other statuses beside the answer's. */
static const int STATUSES[] = {INTEGRATION_STATUS, SERVICE_STATUS, AUTHORIZER_STATUS};
/* What tells the place, the path only where there is no route. */
static const int PLACE[] = {METHOD, RESOURCE, ROUTE_KEY, PATH, API, STAGE, ENDPOINT_TYPE, URI};
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define FAILED 500
#define THROTTLED 429
#define MARK_ACCESS 2
#define MARK_LATENCY 16
#define MOST_CACHED 20000
#define MOST_DIGITS 15 /* whole numbers of so many are exact as doubles, and below 1e15 */
#define EPOCH_DIGITS 13
#define HTTP_ID_CHARS 24
#define NEVER_TOLD (INT64_MIN + 1)

typedef enum { NONE, TEXT, NUMBER } Kind;

typedef struct {
    Span text; /* without quotes */
    Kind kind;
} Value;

typedef struct {
    Span key; /* with its quotes */
    int target;
} Field;

enum { IDENT, EXTENDED, CLAIM, PLACE_NUMBER, ARRIVED, ENDED, INTEGRATION, STATUS_CODE, MARKS, COLUMNS };
enum { SLOW_ENTRY, SLOW_NUMBER, SLOW_LENGTH, SLOW_LINES, SLOW_COLUMNS };

typedef struct {
    PyObject_HEAD
    bool busy; /* Python was asked something: it must not read another record meanwhile */
    PyObject *keys; /* owns the bytes of the fields' keys */
    Field *fields;
    Py_ssize_t count;
    PyObject *idents, *windows; /* own what the next ones point into */
    const uint64_t *asked;
    size_t asked_count;
    const double *starts; /* begins of windows, and behind them their ends */
    size_t window_count;
    double slow_from;
    Table places, times, calm;
    Column place_key, calm_key;
    Value values[ATTRIBUTES + 2];
    Column columns[COLUMNS];
    Column slow[SLOW_COLUMNS];
} Records;

/* Where a record came from, and what was said of it there. */
typedef struct {
    Span record;
    Span line;      /* what is kept of a slow one */
    int64_t number; /* and by what it is cited */
    double at;      /* when the event was written that held it, NaN for none */
    bool own_time;  /* what the record says of the time goes before that */
    PyObject *ask;
    int64_t first; /* number of the first entry of the columns */
} Source;

typedef enum { BROKEN = -1, ODD = 0, TAKEN = 1 } Fate;

/* Values */

static const char *behind_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define EVERY(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The high bits of bytes that are no plain text; above the lowest of them there may be too many. */
static inline uint64_t no_plain(uint64_t word)
{
    uint64_t quote = word ^ EVERY('"'), escape = word ^ EVERY('\\');
    uint64_t found = (quote - EVERY(1)) & ~quote;
    found |= (escape - EVERY(1)) & ~escape;
    found |= (word - EVERY(' ')) & ~word;
    return (found | word) & EVERY(0x80);
}

static inline const char *behind_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t found = no_plain(word);
        if (found)
            return at + (__builtin_ctzll(found) >> 3);
        at += 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= ' ')
        at++;
    return at;
}
#else
static inline const char *behind_plain(const char *at, const char *end)
{
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ' && (unsigned char)*at < 0x80)
        at++;
    return at;
}
#endif

static const char *behind_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Behind a whole number that is written as JSON wants it, NULL when there is none. */
static const char *behind_number(const char *at, const char *end)
{
    const char *behind = behind_digits(at, end);
    bool zeros = behind - at > 1 && *at == '0';
    return behind == at || zeros ? NULL : behind;
}

static const char *behind_word(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

/* Behind a value that nobody asks for: also decimals and truths. */
static const char *behind_other(const char *at, const char *end)
{
    if (*at == 't')
        return behind_word(at, end, "true");
    if (*at == 'f')
        return behind_word(at, end, "false");
    const char *behind = behind_number(*at == '-' ? at + 1 : at, end);
    if (!behind || behind == end || *behind != '.')
        return behind;
    const char *fraction = behind + 1;
    behind = behind_digits(fraction, end);
    return behind == fraction ? NULL : behind;
}

/* Behind the value that begins here, NULL for one that is not plain. */
static const char *value_at(const char *at, const char *end, bool other, Value *value)
{
    if (at == end)
        return NULL;
    if (*at == '"') {
        const char *behind = behind_plain(at + 1, end);
        if (behind == end || *behind != '"')
            return NULL;
        *value = (Value){{at + 1, behind - at - 1}, TEXT};
        return behind + 1;
    }
    if (*at == 'n') {
        value->kind = NONE;
        return behind_word(at, end, "null");
    }
    const char *behind = other ? behind_other(at, end) : behind_number(at, end);
    if (!behind || (!other && behind - at > MOST_DIGITS))
        return NULL;
    *value = (Value){{at, behind - at}, NUMBER};
    return behind;
}

/* What stands for no value (`_NOTHING`). */
static bool is_nothing(const Value *value)
{
    Span text = value->text;
    if (value->kind != TEXT)
        return value->kind == NONE;
    switch (text.length) {
    case 0:
        return true;
    case 1:
        return text.start[0] == '-';
    case 4:
        return BEGINS(text, "null") || BEGINS(text, "none") || BEGINS(text, "None");
    case 6:
        return BEGINS(text, "(none)");
    }
    return false;
}

/* Records */

/* The field whose key stands here, of those that may still come; `count` when there is none. */
static Py_ssize_t field_at(const Records *self, Py_ssize_t field, const char *at, const char *end)
{
    for (; field < self->count; field++) {
        Span key = self->fields[field].key;
        if (end - at >= key.length && memcmp(at, key.start, (size_t)key.length) == 0)
            break;
    }
    return field;
}

/* Behind the next key with its value, NULL when it is not plain. */
static const char *pair_at(Records *self, Py_ssize_t *field, const char *at, const char *end)
{
    *field = field_at(self, *field, at, end);
    if (*field == self->count)
        return NULL;
    const Field *found = &self->fields[*field];
    at = behind_spaces(at + found->key.length, end);
    if (at == end || *at != ':')
        return NULL;
    Value *value = &self->values[found->target];
    /* one place serves all messages: where one is not empty the record is handed back */
    if (found->target == MESSAGE && !is_nothing(value))
        return NULL;
    return value_at(behind_spaces(at + 1, end), end, found->target == OTHER, value);
}

/* Behind a record that begins here, its values taken; NULL when it is not plain. */
static const char *record_at(Records *self, const char *at, const char *end)
{
    for (size_t target = 0; target < COUNT(self->values); target++)
        self->values[target].kind = NONE;
    if (at == end || *at != '{')
        return NULL;
    for (Py_ssize_t field = 0;; field++) {
        at = pair_at(self, &field, behind_spaces(at + 1, end), end);
        if (!at)
            return NULL;
        at = behind_spaces(at, end);
        if (at == end || (*at != ',' && *at != '}'))
            return NULL;
        if (*at == '}')
            return at + 1;
    }
}

/* A status that is no failure; 0 where there is none, -1 for all else. */
static int status_of(const Value *value)
{
    if (is_nothing(value))
        return 0;
    const char *text = value->text.start;
    if (value->text.length != 3 || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2]))
        return -1;
    int status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    return status >= 100 && status < FAILED ? status : -1;
}

/* The digits as a number; false when it is anything but so many digits as are exact. */
static bool whole_number(const Value *value, double *number)
{
    Span text = value->text;
    int64_t found = 0;
    if (!text.length || text.length > MOST_DIGITS)
        return false;
    for (Py_ssize_t at = 0; at < text.length; at++) {
        if (!is_digit(text.start[at]))
            return false;
        found = found * 10 + (text.start[at] - '0');
    }
    *number = (double)found;
    return true;
}

/* A number of milliseconds, NaN where there is none; false for all else. */
static bool duration_of(const Value *value, double *duration)
{
    *duration = NAN;
    return is_nothing(value) || whole_number(value, duration);
}

/* The time that counts against the limit, NaN where no latency was told. */
static bool integration_ms(const Records *self, double *took)
{
    double response, authorizer, waf;
    const Value *values = self->values;
    if (!duration_of(&values[INTEGRATION_LATENCY], took) || !duration_of(&values[RESPONSE_LATENCY], &response))
        return false;
    if (!isnan(*took) || isnan(response))
        return true;
    if (!duration_of(&values[AUTHORIZER_LATENCY], &authorizer) || !duration_of(&values[WAF_LATENCY], &waf))
        return false;
    *took = response - ((isnan(authorizer) ? 0.0 : authorizer) + (isnan(waf) ? 0.0 : waf));
    if (*took < 0.0)
        *took = 0.0;
    return true;
}

static bool is_whole_uuid(Span text)
{
    return text.length == UUID_CHARS && is_uuid(text.start);
}

static Span unspaced(Span text)
{
    while (text.length && text.start[0] == ' ')
        text.start++, text.length--;
    while (text.length && text.start[text.length - 1] == ' ')
        text.length--;
    return text;
}

/* The id that ties the request to its invocation, 0 for none; false when Python has to look. */
static bool claim_of(const Records *self, uint64_t *claim)
{
    const Value *lambda = &self->values[LAMBDA_ID], *trace = &self->values[TRACE];
    *claim = 0;
    if (lambda->kind == NUMBER || trace->kind == NUMBER)
        return false;
    if (!is_nothing(lambda) && is_whole_uuid(unspaced(lambda->text))) {
        *claim = id64_of(unspaced(lambda->text).start, UUID_CHARS, true);
        return true;
    }
    return is_nothing(trace) || trace_ident(trace->text, claim) >= 0;
}

/* Half of the extended id; where an API has one id for both, of that. False when Python has to look. */
static bool extended_of(const Records *self, Span request_id, uint32_t *extended)
{
    const Value *told = &self->values[EXTENDED_ID];
    if (told->kind == NUMBER)
        return false;
    if (!is_nothing(told))
        *extended = half_id_of(unspaced(told->text));
    else
        *extended = is_whole_uuid(request_id) ? 0 : half_id_of(request_id);
    return true;
}

/* Places and arrivals, which Python tells once each */

static void append(Column *key, const void *data, size_t length)
{
    if (length)
        memcpy(key->data + key->length, data, length);
    key->length += length;
}

static int make_room(Column *key, size_t room)
{
    key->length = 0;
    if (key->room >= room)
        return 0;
    char *data = realloc(key->data, room);
    if (!data) {
        PyErr_NoMemory();
        return -1;
    }
    key->data = data;
    key->room = room;
    return 0;
}

/* Marks and values as bytes: kinds and lengths keep them apart. */
static int make_key(Column *key, const char *marks, size_t mark_count, const Value *const *parts, size_t count)
{
    size_t room = mark_count;
    for (size_t at = 0; at < count; at++)
        room += 1 + sizeof(Py_ssize_t) + (parts[at]->kind == NONE ? 0 : (size_t)parts[at]->text.length);
    if (make_room(key, room) < 0)
        return -1;
    append(key, marks, mark_count);
    for (size_t at = 0; at < count; at++) {
        char kind = (char)parts[at]->kind;
        Span text = kind == NONE ? (Span){NULL, 0} : parts[at]->text;
        append(key, &kind, 1);
        append(key, &text.length, sizeof(text.length));
        append(key, text.start, (size_t)text.length);
    }
    return 0;
}

/* What tells the place, as `_place` has it. */
static int make_place_key(Records *self, Span request_id)
{
    const Value *values = self->values, *id = &values[REQUEST_ID];
    const Value *parts[COUNT(PLACE)];
    static const Value nothing = {{NULL, 0}, NONE};
    for (size_t at = 0; at < COUNT(PLACE); at++) {
        bool left_out = PLACE[at] == PATH && !(is_nothing(&values[RESOURCE]) && is_nothing(&values[ROUTE_KEY]));
        parts[at] = left_out ? &nothing : &values[PLACE[at]];
    }
    char marks[4] = {is_whole_uuid(request_id), is_nothing(&values[TRACE]), 0, 0};
    if (!marks[0]) {
        marks[2] = is_nothing(id);
        if (id->kind == TEXT)
            marks[3] = (char)(1 + 2 * (id->text.length && id->text.start[id->text.length - 1] == '=')
                              + 4 * (id->text.length <= HTTP_ID_CHARS));
    }
    return make_key(&self->place_key, marks, sizeof(marks), parts, COUNT(PLACE));
}

/* What the gateway says of the answer, as `_is_calm` has it; empty where it says nothing. */
static int make_calm_key(Records *self)
{
    const Value *parts[COUNT(WORDS)] = {&self->values[WORDS[0]], &self->values[WORDS[1]]};
    self->calm_key.length = 0;
    if (is_nothing(parts[0]) && is_nothing(parts[1]))
        return 0;
    return make_key(&self->calm_key, NULL, 0, parts, COUNT(WORDS));
}

static int remember(Table *table, Span key, int64_t value)
{
    if (table->used > MOST_CACHED)
        table_clear(table);
    return table_set(table, key.start, key.length, value);
}

/* Ask Python for the place and the arrival that the record tells; ODD where it has to be read closely. */
static Fate ask(const Source *source, int64_t *place, double *told)
{
    PyObject *record = span_bytes(source->record);
    PyObject *answer = record ? PyObject_CallOneArg(source->ask, record) : NULL;
    Py_XDECREF(record);
    if (!answer)
        return BROKEN;
    Fate fate = ODD;
    if (answer != Py_None) {
        long long number;
        fate = PyArg_ParseTuple(answer, "Ld", &number, told) ? TAKEN : BROKEN;
        *place = fate == TAKEN ? number : 0;
    }
    Py_DECREF(answer);
    return fate;
}

/* The record's own time where it needs no asking; false when Python has to look. `*key` is what has to be asked for. */
static bool own_time(const Records *self, double *told, Span *key)
{
    const Value *epoch = &self->values[EPOCH], *time = &self->values[TIME];
    *told = NAN;
    *key = (Span){NULL, 0};
    if (!is_nothing(epoch))
        return epoch->text.length == EPOCH_DIGITS && epoch->text.start[0] != '0' && whole_number(epoch, told);
    if (time->kind == NUMBER)
        return false;
    if (!is_nothing(time))
        *key = time->text;
    return true;
}

static Span key_of(const Column *column)
{
    return (Span){column->data, (Py_ssize_t)column->length};
}

/* Keep what Python answered. */
static int keep_answer(Records *self, Fate fate, int64_t place, Span time, double told)
{
    if (self->calm_key.length && remember(&self->calm, key_of(&self->calm_key), fate == TAKEN) < 0)
        return -1;
    if (fate != TAKEN)
        return 0;
    if (remember(&self->places, key_of(&self->place_key), place) < 0)
        return -1;
    bool whole = isnan(told) || (fabs(told) < 1e15 && told == floor(told));
    return time.start && whole ? remember(&self->times, time, isnan(told) ? NEVER_TOLD : (int64_t)told) : 0;
}

/* Place and told time, from the tables or from Python, which also knows what is no failure. */
static Fate known_or_asked(Records *self, const Source *source, Span time, uint32_t *place, double *told)
{
    Span place_key = key_of(&self->place_key), calm_key = key_of(&self->calm_key);
    int64_t calm = calm_key.length ? table_get(&self->calm, calm_key.start, calm_key.length) : 1;
    if (!calm)
        return ODD;
    int64_t number = table_get(&self->places, place_key.start, place_key.length);
    int64_t moment = time.start ? table_get(&self->times, time.start, time.length) : 0;
    if (time.start && moment != ABSENT)
        *told = moment == NEVER_TOLD ? NAN : (double)moment;
    if (number == ABSENT || moment == ABSENT || calm == ABSENT) {
        double answered = NAN;
        Fate fate = ask(source, &number, &answered);
        if (fate == BROKEN || keep_answer(self, fate, number, time, answered) < 0)
            return BROKEN;
        if (fate == ODD)
            return ODD;
        if (time.start)
            *told = answered;
    }
    *place = (uint32_t)number;
    return TAKEN;
}

#define SAME_MS 1500.0

/* The arrival of a record that came with the time of an event (sources/access_events.py). */
static double arrived_at(const Records *self, const Source *source, double told)
{
    if (isnan(source->at) || !is_nothing(&self->values[EPOCH]))
        return told;
    return isnan(told) || (fabs(source->at - told) < SAME_MS && !source->own_time) ? source->at : told;
}

/* The last window that begins at that time or before holds it; an unknown time is in none. */
static bool is_in_window(const Records *self, double at)
{
    size_t low = 0, high = self->window_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->starts[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && at <= self->starts[self->window_count + low - 1];
}

/* Somebody spoke of the request (sources/wanted.py). */
static bool is_asked_for(const Records *self, uint64_t ident, double at)
{
    size_t low = 0, high = self->asked_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->asked[middle] == ident)
            return true;
        if (self->asked[middle] < ident)
            low = middle + 1;
        else
            high = middle;
    }
    return is_in_window(self, at);
}

static bool tells_of_trouble(const Records *self)
{
    int status;
    for (size_t at = 0; at < COUNT(TROUBLE); at++)
        if (!is_nothing(&self->values[TROUBLE[at]]))
            return true;
    for (size_t at = 0; at < COUNT(STATUSES); at++)
        if ((status = status_of(&self->values[STATUSES[at]])) < 0 || status == THROTTLED)
            return true;
    return !is_nothing(&self->values[MESSAGE]);
}

static int keep_slow(Records *self, const Source *source)
{
    uint64_t entry = (uint64_t)source->first + self->columns[MARKS].length;
    uint64_t length = (uint64_t)source->line.length;
    if (column_add(&self->slow[SLOW_ENTRY], &entry, 8) < 0
        || column_add(&self->slow[SLOW_NUMBER], &source->number, 8) < 0
        || column_add(&self->slow[SLOW_LENGTH], &length, 8) < 0)
        return -1;
    return length ? column_add(&self->slow[SLOW_LINES], source->line.start, length) : 0;
}

typedef struct {
    uint64_t ident, claim;
    uint32_t extended, place;
    double arrived, took;
    uint16_t status;
} Entered;

static int add_entry(Records *self, const Entered *entry)
{
    double never = NAN;
    unsigned char marks = isnan(entry->took) ? MARK_ACCESS : MARK_ACCESS | MARK_LATENCY;
    if (column_add(&self->columns[IDENT], &entry->ident, 8) < 0
        || column_add(&self->columns[EXTENDED], &entry->extended, 4) < 0
        || column_add(&self->columns[CLAIM], &entry->claim, 8) < 0
        || column_add(&self->columns[PLACE_NUMBER], &entry->place, 4) < 0
        || column_add(&self->columns[ARRIVED], &entry->arrived, 8) < 0
        || column_add(&self->columns[ENDED], &never, 8) < 0
        || column_add(&self->columns[INTEGRATION], &entry->took, 8) < 0
        || column_add(&self->columns[STATUS_CODE], &entry->status, 2) < 0)
        return -1;
    return column_add(&self->columns[MARKS], &marks, 1);
}

/* What `_entered` does with a record whose values are taken. */
static Fate enter(Records *self, const Source *source)
{
    const Value *id = &self->values[is_nothing(&self->values[REQUEST_ID]) ? EXTENDED_ID : REQUEST_ID];
    int status = status_of(&self->values[STATUS]);
    Entered entry = {0};
    Span time;
    if (status <= 0 || tells_of_trouble(self) || id->kind != TEXT || is_nothing(id))
        return ODD;
    bool plain = integration_ms(self, &entry.took) && extended_of(self, id->text, &entry.extended)
                 && claim_of(self, &entry.claim) && own_time(self, &entry.arrived, &time);
    if (!plain)
        return ODD;
    if (make_calm_key(self) < 0 || make_place_key(self, id->text) < 0)
        return BROKEN;
    Fate fate = known_or_asked(self, source, time, &entry.place, &entry.arrived);
    if (fate != TAKEN)
        return fate;
    entry.status = (uint16_t)status;
    entry.ident = id64_of(id->text.start, id->text.length, false);
    entry.arrived = arrived_at(self, source, entry.arrived);
    if (is_asked_for(self, entry.ident, entry.arrived))
        return ODD;
    if (entry.took >= self->slow_from && keep_slow(self, source) < 0)
        return BROKEN;
    return add_entry(self, &entry) < 0 ? BROKEN : TAKEN;
}

/* What Python calls */

static const char *line_end(const char *at, const char *end)
{
    const char *found = memchr(at, '\n', (size_t)(end - at));
    return found ? found : end;
}

static bool is_empty_line(Span line)
{
    return span_stripped(line).length == 0;
}

static Fate read_line(Records *self, Source *source, const char *at, const char *end, const char **behind)
{
    const char *record_end = record_at(self, at, end);
    *behind = record_end;
    while (*behind && *behind < end && **behind == '\r')
        (*behind)++;
    if (record_end && (*behind == end || **behind == '\n')) {
        source->record = source->line = (Span){at, record_end - at};
        return enter(self, source);
    }
    *behind = line_end(at, end);
    return is_empty_line((Span){at, *behind - at}) ? TAKEN : ODD;
}

PyDoc_STRVAR(lines_doc,
             "lines(block, start, number, entry, ask) -> (start, end, number)\n\n"
             "Read lines from there on, of which the first has this number, up to one that Python has to read: where it\n"
             "stands and its number. Behind the last line: its end twice, and the number of the next one.");

static PyObject *records_lines(Records *self, PyObject *args)
{
    Py_buffer block;
    Py_ssize_t start;
    long long number, first;
    Source source = {.at = NAN};
    if (!PyArg_ParseTuple(args, "y*nLLO", &block, &start, &number, &first, &source.ask))
        return NULL;
    const char *text = block.buf, *end = text + block.len, *behind = NULL;
    const char *at = start >= 0 && start < block.len ? text + start : end;
    Fate fate = TAKEN;
    source.first = first;
    for (source.number = number; at < end; source.number++) {
        fate = read_line(self, &source, at, end, &behind);
        if (fate != TAKEN)
            break;
        at = behind < end ? behind + 1 : end;
    }
    Py_ssize_t from = at - text, to = at < end ? behind - text : from;
    PyBuffer_Release(&block);
    return fate == BROKEN ? NULL : Py_BuildValue("nnL", from, to, (long long)source.number);
}

/* The event's time: None is none. */
static int time_in(PyObject *times, Py_ssize_t index, double *at)
{
    *at = NAN;
    if (index >= PyList_GET_SIZE(times) || PyList_GET_ITEM(times, index) == Py_None)
        return 0;
    *at = PyFloat_AsDouble(PyList_GET_ITEM(times, index));
    return *at == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static Fate read_text(Records *self, Source *source, PyObject *text)
{
    if (!PyUnicode_Check(text) || !PyUnicode_IS_COMPACT_ASCII(text))
        return ODD;
    const char *at = (const char *)PyUnicode_1BYTE_DATA(text), *end = at + PyUnicode_GET_LENGTH(text);
    source->record = (Span){at, end - at};
    return record_at(self, at, end) == end ? enter(self, source) : ODD;
}

PyDoc_STRVAR(texts_doc,
             "texts(texts, times, own, start, entry, ask) -> index\n\n"
             "Read records that came as events with these times, from that index on, up to one that Python has to read.\n"
             "A byte of `own` is not 0 where the time that a record tells goes before the event's, however near they are.\n"
             "Slow ones are cited by their indexes, and kept without their lines.");

static PyObject *records_texts(Records *self, PyObject *args)
{
    PyObject *texts, *times, *own;
    Py_ssize_t index;
    long long first;
    Source source = {.at = NAN};
    if (!PyArg_ParseTuple(args, "O!O!SnLO", &PyList_Type, &texts, &PyList_Type, &times, &own, &index, &first,
                          &source.ask))
        return NULL;
    source.first = first;
    for (index = index < 0 ? 0 : index; index < PyList_GET_SIZE(texts); index++) {
        PyObject *text = PyList_GET_ITEM(texts, index);
        if (time_in(times, index, &source.at) < 0)
            return NULL;
        source.number = index;
        source.own_time = index < PyBytes_GET_SIZE(own) && PyBytes_AS_STRING(own)[index];
        Py_INCREF(text);
        Fate fate = read_text(self, &source, text);
        Py_DECREF(text);
        if (fate == BROKEN)
            return NULL;
        if (fate == ODD)
            break;
    }
    return PyLong_FromSsize_t(index);
}

/* One reading at a time: it goes on with what it found when Python has answered. */
static PyObject *alone(Records *self, PyObject *args, PyObject *(*work)(Records *, PyObject *))
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "a record is being read");
        return NULL;
    }
    self->busy = true;
    PyObject *result = work(self, args);
    self->busy = false;
    return result;
}

static PyObject *records_lines_alone(Records *self, PyObject *args)
{
    return alone(self, args, records_lines);
}

static PyObject *records_texts_alone(Records *self, PyObject *args)
{
    return alone(self, args, records_texts);
}

static PyObject *take_all(Column *columns, Py_ssize_t count)
{
    PyObject *taken = PyTuple_New(count);
    for (Py_ssize_t at = 0; taken && at < count; at++) {
        PyObject *column = column_take(&columns[at]);
        if (!column)
            Py_CLEAR(taken);
        else
            PyTuple_SET_ITEM(taken, at, column);
    }
    return taken;
}

PyDoc_STRVAR(take_doc, "take() -> the columns of the requests since the last time, in the order of `COLUMNS`.");

static PyObject *records_take(Records *self, PyObject *Py_UNUSED(ignored))
{
    return take_all(self->columns, COLUMNS);
}

PyDoc_STRVAR(take_slow_doc, "take_slow() -> of the slow ones: entries, numbers, lengths of their lines, and these.");

static PyObject *records_take_slow(Records *self, PyObject *Py_UNUSED(ignored))
{
    return take_all(self->slow, SLOW_COLUMNS);
}

/* Making and unmaking */

static int set_fields(Records *self, PyObject *keys, PyObject *targets)
{
    self->count = PyTuple_GET_SIZE(keys);
    self->fields = calloc((size_t)self->count + 1, sizeof(Field));
    if (!self->fields) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t at = 0; at < self->count; at++) {
        PyObject *key = PyTuple_GET_ITEM(keys, at);
        long target = at < PyTuple_GET_SIZE(targets) ? PyLong_AsLong(PyTuple_GET_ITEM(targets, at)) : -1;
        if (!PyBytes_Check(key) || target < 0 || target > OTHER) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "every key is bytes and has a target");
            return -1;
        }
        self->fields[at] = (Field){{PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)}, (int)target};
    }
    return 0;
}

static int records_init(Records *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"keys", "targets", "idents", "windows", "slow_from_ms", NULL};
    PyObject *keys, *targets, *idents, *windows;
    if (self->keys) {
        PyErr_SetString(PyExc_TypeError, "made already");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!SSd", names, &PyTuple_Type, &keys, &PyTuple_Type, &targets,
                                     &idents, &windows, &self->slow_from))
        return -1;
    self->keys = Py_NewRef(keys);
    self->idents = Py_NewRef(idents);
    self->windows = Py_NewRef(windows);
    self->asked = (const uint64_t *)PyBytes_AS_STRING(idents);
    self->asked_count = (size_t)PyBytes_GET_SIZE(idents) / sizeof(uint64_t);
    self->starts = (const double *)PyBytes_AS_STRING(windows);
    self->window_count = (size_t)PyBytes_GET_SIZE(windows) / sizeof(double) / 2;
    return set_fields(self, keys, targets);
}

static void records_dealloc(Records *self)
{
    PyTypeObject *type = Py_TYPE(self);
    for (size_t at = 0; at < COLUMNS; at++)
        column_clear(&self->columns[at]);
    for (size_t at = 0; at < SLOW_COLUMNS; at++)
        column_clear(&self->slow[at]);
    column_clear(&self->place_key);
    column_clear(&self->calm_key);
    table_clear(&self->places);
    table_clear(&self->times);
    table_clear(&self->calm);
    free(self->fields);
    Py_XDECREF(self->keys);
    Py_XDECREF(self->idents);
    Py_XDECREF(self->windows);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"lines", (PyCFunction)(void *)records_lines_alone, METH_VARARGS, lines_doc},
    {"texts", (PyCFunction)(void *)records_texts_alone, METH_VARARGS, texts_doc},
    {"take", (PyCFunction)(void *)records_take, METH_NOARGS, take_doc},
    {"take_slow", (PyCFunction)(void *)records_take_slow, METH_NOARGS, take_slow_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Reads the ordinary records of one access log."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, records_init},
    {Py_tp_dealloc, records_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec records_spec = {"apigw_doctor.sources._native.Records", sizeof(Records), 0, Py_TPFLAGS_DEFAULT, slots};
