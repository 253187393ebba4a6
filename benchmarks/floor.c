/* The floor: what one core needs for the same extraction when nothing stands between it and the bytes.
 *
 * `floor FOLDER` reads execution/, lambda/ and access/ of a plain reference set: newlines by memchr, the kind of a line
 * by the eight bytes at its fixed column, requests and invocations in hash tables with the facts that a diagnosis rests
 * on. The order of lines is not trusted (no export promises it), so every line may be the first or the last of its
 * request. It joins and judges nothing. It prints counts, which are checked against the truth of the set.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ID = 36, STAMP = 24, ID_AT = 26, MESSAGE = 64, KINDS = 64 };

typedef struct {
    char id[ID];
    char extended[16], method_and_route[48], stage[32], client_ip[16], user_agent[64];
    char trace[35], lambda_id[ID], endpoint[128], failure[96], body[80];
    int64_t first_at, last_at, started_at, sent_at, received_at, failed_at, completed_at;
    int64_t authorizer_started_at, authorizer_completed_at;
    int status, received_status, integration_ms, function_error, completed_well, info, traced;
} Request;

typedef struct {
    char id[ID];
    char trace[35], last_line[120];
    int64_t started_at, ended_at, last_line_at, longest_gap_ms;
    double duration_ms, init_ms;
    int memory_mb, max_memory_mb, killed, lines;
} Invocation;

typedef struct {
    char id[ID];
    char extended[16], ip[40], method[8], path[48], error_type[32], error[64], lambda_id[ID], trace[35];
    int64_t arrived_at;
    int status, response_ms, integration_ms, own_status, service_status;
} Access;

/* Rows that begin with their 36-character id: in the order of arrival, found by hash. */
typedef struct {
    char *rows;
    uint32_t *slots;
    size_t row_size, count, capacity, mask;
} Table;

static Table requests = {.row_size = sizeof(Request)};
static Table invocations = {.row_size = sizeof(Invocation)};
static Table accesses = {.row_size = sizeof(Access)};

static uint64_t word(const char *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t hash(const char *id)
{
    uint64_t h = word(id) * 0x9E3779B97F4A7C15u ^ word(id + 19) * 0xC2B2AE3D27D4EB4Fu ^ word(id + 28);
    return (h ^ h >> 29) * 0xBF58476D1CE4E5B9u >> 20;
}

static void grow(Table *t)
{
    t->capacity = t->capacity ? t->capacity * 2 : 1 << 12;
    t->mask = t->capacity * 2 - 1;
    t->rows = realloc(t->rows, t->capacity * t->row_size);
    free(t->slots);
    t->slots = calloc(t->mask + 1, sizeof *t->slots);
    for (size_t row = 0; row < t->count; row++) {
        size_t slot = hash(t->rows + row * t->row_size) & t->mask;
        while (t->slots[slot]) slot = (slot + 1) & t->mask;
        t->slots[slot] = row + 1;
    }
}

static void *row_of(Table *t, const char *id)
{
    if (t->count == t->capacity) grow(t);
    size_t slot = hash(id) & t->mask;
    for (; t->slots[slot]; slot = (slot + 1) & t->mask) {
        char *row = t->rows + (t->slots[slot] - 1) * t->row_size;
        if (memcmp(row, id, ID) == 0) return row;
    }
    char *row = t->rows + t->count * t->row_size;
    memset(row, 0, t->row_size);
    memcpy(row, id, ID);
    t->slots[slot] = ++t->count;
    return row;
}

static int64_t number(const char *p, const char *end)
{
    int64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) value = value * 10 + *p - '0';
    return value;
}

/* 2026-03-01T10:00:00.250Z as epoch milliseconds; the day is worked out when it changes. */
static int64_t moment(const char *p)
{
    static char day[10];
    static int64_t day_ms;
    if (memcmp(day, p, sizeof day) != 0) {
        struct tm tm = {.tm_year = number(p, p + 4) - 1900, .tm_mon = number(p + 5, p + 7) - 1, .tm_mday = number(p + 8, p + 10)};
        day_ms = (int64_t)timegm(&tm) * 1000;
        memcpy(day, p, sizeof day);
    }
#define TWO(at) ((p[at] - '0') * 10 + p[at + 1] - '0')
    return day_ms + ((TWO(11) * 60 + TWO(14)) * 60 + TWO(17)) * 1000 + (p[20] - '0') * 100 + TWO(21);
}

/* Texts are kept with their first bytes; what is there already stays. */
static void keep(char *target, size_t size, const char *from, const char *end)
{
    if (!*target && from < end) memcpy(target, from, (size_t)(end - from) < size ? (size_t)(end - from) : size);
}
#define KEEP(target, from, end) keep(target, sizeof(target), from, end)

static const char *find(const char *from, const char *end, const char *words)
{
    size_t length = strlen(words);
    const char *at = memmem(from, end - from, words, length);
    return at ? at + length : NULL;
}

static const char *until(const char *from, const char *end, char stop)
{
    const char *at = memchr(from, stop, end - from);
    return at ? at : end;
}

/* The kinds of lines of the execution log; `p` is what follows the words. */
typedef void Read(Request *r, const char *p, const char *end, int64_t at);

static void extended_id(Request *r, const char *p, const char *end, int64_t at) { (void)at, KEEP(r->extended, p, end); }
static void started(Request *r, const char *p, const char *end, int64_t at) { (void)p, (void)end, r->started_at = at, r->info = 1; }
static void sending(Request *r, const char *p, const char *end, int64_t at) { KEEP(r->endpoint, p, end), r->sent_at = at; }
static void uri(Request *r, const char *p, const char *end, int64_t at) { (void)at, KEEP(r->endpoint, p, end), r->traced = 1; }
static void body(Request *r, const char *p, const char *end, int64_t at) { (void)at, KEEP(r->body, p, end); }
static void lambda_id(Request *r, const char *p, const char *end, int64_t at) { (void)at, KEEP(r->lambda_id, p, end); }
static void trace(Request *r, const char *p, const char *end, int64_t at) { (void)at, KEEP(r->trace, p, end); }
static void well(Request *r, const char *p, const char *end, int64_t at) { (void)p, (void)end, (void)at, r->completed_well = 1; }
static void failed(Request *r, const char *p, const char *end, int64_t at) { KEEP(r->failure, p, end), r->failed_at = at; }
static void traced(Request *r, const char *p, const char *end, int64_t at) { (void)p, (void)end, (void)at, r->traced = 1; }
static void asked(Request *r, const char *p, const char *end, int64_t at) { (void)p, (void)end, r->authorizer_started_at = at; }
static void allowed(Request *r, const char *p, const char *end, int64_t at) { (void)p, (void)end, r->authorizer_completed_at = at; }

static void usage(Request *r, const char *p, const char *end, int64_t at)
{
    (void)at;
    if ((p = find(p, end, "API Stage: "))) KEEP(r->stage, p, end);
}

static void route(Request *r, const char *p, const char *end, int64_t at)
{
    (void)at;
    if ((p = find(p, end, "method '"))) KEEP(r->method_and_route, p, until(p, end, '\''));
}

static void headers(Request *r, const char *p, const char *end, int64_t at)
{
    const char *found;
    (void)at;
    if ((found = find(p, end, "User-Agent="))) KEEP(r->user_agent, found, until(found, end, ','));
    if ((found = find(p, end, "X-Amzn-Trace-Id=Root="))) KEEP(r->trace, found, end);
    if ((found = find(p, end, "X-Forwarded-For="))) KEEP(r->client_ip, found, until(found, end, ','));
}

static void received(Request *r, const char *p, const char *end, int64_t at)
{
    const char *found;
    r->received_at = at;
    if ((found = find(p, end, "Status: "))) r->received_status = number(found, end);
    if ((found = find(p, end, "latency: "))) r->integration_ms = number(found, end);
}

static void response_headers(Request *r, const char *p, const char *end, int64_t at)
{
    const char *found;
    (void)at;
    if ((found = find(p, end, "x-amzn-RequestId="))) KEEP(r->lambda_id, found, end);
    r->function_error |= find(p, end, "X-Amz-Function-Error=") != NULL;
}

static void completed(Request *r, const char *p, const char *end, int64_t at)
{
    r->status = number(p, end), r->completed_at = at;
}

static const struct Kind { const char *words; Read *read; } kinds[] = {
    {"Extended Request Id: ", extended_id},
    {"Starting authorizer: ", asked},
    {"Successfully completed authorizer execution", allowed},
    {"Unauthorized request: ", allowed},
    {"Verifying Usage Plan for request: ", usage},
    {"API Key  authorized because ", route},
    {"Starting execution for request: ", started},
    {"Method request headers: ", headers},
    {"Endpoint request URI: ", uri},
    {"Endpoint request body after transformations: ", traced},
    {"Sending request to ", sending},
    {"Received response.", received},
    {"Endpoint response headers: ", response_headers},
    {"Endpoint response body before transformations: ", body},
    {"Execution failed due to ", failed},
    {"Lambda execution failed with status ", failed},
    {"Lambda invocation failed with status: ", failed},
    {"Key throttle limit exceeded ", failed},
    {"Successfully completed execution", well},
    {"Method completed with status: ", completed},
    {"AWS Integration Endpoint RequestId : ", lambda_id},
    {"X-ray Tracing ID : ", trace},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* Kinds by their first eight bytes; those that share them stand in one chain. */
static struct { uint64_t key; int first; } by_key[KINDS];
static int next_kind[KIND_COUNT + 1];
static size_t lengths[KIND_COUNT];

static size_t key_slot(uint64_t key)
{
    size_t slot = key * 0x9E3779B97F4A7C15u >> 58;
    while (by_key[slot].first && by_key[slot].key != key) slot = (slot + 1) % KINDS;
    return slot;
}

static void index_kinds(void)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        uint64_t key = word(kinds[kind].words);
        size_t slot = key_slot(key);
        lengths[kind] = strlen(kinds[kind].words);
        next_kind[kind + 1] = by_key[slot].first;
        by_key[slot].key = key, by_key[slot].first = kind + 1;
    }
}

static void execution_line(const char *line, const char *end)
{
    if (end - line < MESSAGE + 8 || line[STAMP - 1] != 'Z' || line[ID_AT - 1] != '(' || line[MESSAGE - 2] != ')') return;
    const char *message = line + MESSAGE;
    Request *r = row_of(&requests, line + ID_AT);
    int64_t at = moment(line);
    if (!r->first_at || at < r->first_at) r->first_at = at;
    if (at > r->last_at) r->last_at = at;
    for (int kind = by_key[key_slot(word(message))].first; kind; kind = next_kind[kind]) {
        size_t length = lengths[kind - 1];
        if ((size_t)(end - message) < length || memcmp(message, kinds[kind - 1].words, length) != 0) continue;
        kinds[kind - 1].read(r, message + length, end, at);
        return;
    }
}

static double value(const char *from, const char *end, const char *name)
{
    const char *at = find(from, end, name);
    return at ? strtod(at, NULL) : 0.0;
}

/* One file is one log stream, so START, the function's lines, END, REPORT and its trace come behind each other. */
static void lambda_line(const char *line, const char *end)
{
    static Invocation *now;
    if (end - line > 49 && memcmp(line, "XRAY TraceId: ", 14) == 0) {
        if (now) KEEP(now->trace, line + 14, end);
        return;
    }
    const char *message = line + STAMP + 1, *p;
    if (end - message < 40 || line[STAMP - 1] != 'Z') return;
    int64_t at = moment(line);
#define AFTER(words) (memcmp(message, words, sizeof words - 1) == 0 ? message + sizeof words - 1 : NULL)
    if ((p = AFTER("START RequestId: "))) {
        now = row_of(&invocations, p);
        now->started_at = now->last_line_at = at;
    } else if ((p = AFTER("END RequestId: "))) {
        now = row_of(&invocations, p);
        now->ended_at = at;
        if (at - now->last_line_at > now->longest_gap_ms) now->longest_gap_ms = at - now->last_line_at;
    } else if ((p = AFTER("REPORT RequestId: "))) {
        now = row_of(&invocations, p);
        now->duration_ms = value(p, end, "\tDuration: ");
        now->memory_mb = value(p, end, "Memory Size: ");
        now->max_memory_mb = value(p, end, "Max Memory Used: ");
        now->init_ms = value(p, end, "Init Duration: ");
        now->killed = find(p, end, "Status: timeout") != NULL;
    } else if (now) {
        now->lines++;
        if (at - now->last_line_at > now->longest_gap_ms) now->longest_gap_ms = at - now->last_line_at;
        now->last_line_at = at, now->last_line[0] = 0;
        KEEP(now->last_line, message, end);
    }
}

/* What stands behind a key, with or without quotes; keys come in the order of the format. */
static const char *field(const char **from, const char *end, const char *key)
{
    const char *at = find(*from, end, key);
    if (at) *from = at;
    return at ? at + (*at == '"') : end;
}

static void access_line(const char *line, const char *end)
{
    static const char start[] = "{\"requestId\": \"";
    const char *from = line + sizeof start - 1, *p;
    if (end - line < 200 || memcmp(line, start, sizeof start - 1) != 0) return;
    Access *a = row_of(&accesses, from);
#define TEXT(target, key) (p = field(&from, end, "\"" key "\": "), KEEP(target, p, until(p, end, '"')))
#define NUMBER(key) number(field(&from, end, "\"" key "\": "), end)
    TEXT(a->extended, "extendedRequestId");
    a->arrived_at = NUMBER("requestTimeEpoch");
    TEXT(a->ip, "ip");
    TEXT(a->method, "httpMethod");
    TEXT(a->path, "resourcePath");
    a->status = NUMBER("status");
    a->response_ms = NUMBER("responseLatency");
    a->integration_ms = NUMBER("integrationLatency");
    a->own_status = NUMBER("integration.status");
    a->service_status = NUMBER("integrationStatus");
    TEXT(a->lambda_id, "integration.requestId");
    TEXT(a->error_type, "error.responseType");
    TEXT(a->error, "error");
    TEXT(a->trace, "xrayTraceId");
}

static int read_file(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)where;
    if (type != FTW_F || !info->st_size) return 0;
    void (*read_line)(const char *, const char *) = strstr(path, "/execution/") ? execution_line
        : strstr(path, "/lambda/") ? lambda_line : access_line;
    int file = open(path, O_RDONLY);
    char *data = mmap(NULL, info->st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (file < 0 || data == MAP_FAILED) return perror(path), 1;
    madvise(data, info->st_size, MADV_SEQUENTIAL);
    const char *line = data, *end = data + info->st_size, *newline;
    for (; line < end && (newline = memchr(line, '\n', end - line)); line = newline + 1) read_line(line, newline);
    munmap(data, info->st_size);
    return close(file);
}

static void print_counts(void)
{
    long failed_count = 0, status = 0, latency = 0, routes = 0, traces = 0, reports = 0, killed = 0, access_failed = 0;
    for (size_t n = 0; n < requests.count; n++) {
        const Request *r = (Request *)requests.rows + n;
        failed_count += r->status >= 500, status += r->status, latency += r->integration_ms;
        routes += r->method_and_route[0] != 0, traces += r->trace[0] != 0;
    }
    for (size_t n = 0; n < invocations.count; n++) {
        const Invocation *i = (Invocation *)invocations.rows + n;
        reports += i->duration_ms > 0, killed += i->killed;
    }
    for (size_t n = 0; n < accesses.count; n++) access_failed += ((Access *)accesses.rows + n)->status >= 500;
    printf("{\"requests\": %zu, \"failed\": %ld, \"status_sum\": %ld, \"integration_ms_sum\": %ld, \"routed\": %ld,"
           " \"traced\": %ld, \"invocations\": %zu, \"reports\": %ld, \"killed\": %ld, \"access\": %zu,"
           " \"access_failed\": %ld}\n",
           requests.count, failed_count, status, latency, routes, traces, invocations.count, reports, killed,
           accesses.count, access_failed);
}

int main(int count, char **arguments)
{
    index_kinds();
    if (count != 2 || nftw(arguments[1], read_file, 16, FTW_PHYS) != 0) return 2;
    print_counts();
    return 0;
}
