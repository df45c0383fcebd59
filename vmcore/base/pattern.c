/*
 * The pattern becomes a program of steps with relative jumps, so that a repeated part is a copy of
 * its steps. Matching runs all possibilities at once (Thompson): a set of places in the program,
 * moved on with each byte.
 */
#include "vmcore/base/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SETS_MAX = UM_PATTERN_MAX / 2, REPEAT_MAX = 255 };

enum op {
    OP_BYTE, /* x: which */
    OP_ANY,
    OP_SET, /* x: index of the set */
    OP_BEGIN,
    OP_END,
    OP_FORK, /* both x and y steps on */
    OP_JUMP, /* x steps on */
    OP_FOUND
};

struct step {
    enum op op;
    int x, y;
};

struct places {
    uint16_t at[UM_PATTERN_STEPS]; /* steps that wait for the next byte */
    int count;
};

struct um_pattern {
    struct step steps[UM_PATTERN_STEPS];
    int count;
    uint8_t sets[SETS_MAX][32];
    int set_count;
    struct places now, next;
    uint32_t seen[UM_PATTERN_STEPS]; /* in which move a step was last reached */
    uint32_t move;
};

/* ---- compiling ---- */

struct compiler {
    struct um_pattern *p;
    const char *at;
    int depth;
    const char *fault; /* NULL: none so far */
};

static void fault(struct compiler *c, const char *what)
{
    if (!c->fault)
        c->fault = what;
}

static void emit(struct compiler *c, enum op op, int x, int y)
{
    if (c->p->count == UM_PATTERN_STEPS)
        fault(c, "is too large: its repetitions are multiplied out");
    else
        c->p->steps[c->p->count++] = (struct step){op, x, y};
}

/* One step in front of those from start on. */
static void emit_before(struct compiler *c, int start, enum op op, int x, int y)
{
    struct step *steps = c->p->steps;

    emit(c, op, x, y);
    if (c->fault)
        return;
    memmove(&steps[start + 1], &steps[start], (size_t)(c->p->count - 1 - start) * sizeof(*steps));
    steps[start] = (struct step){op, x, y};
}

static void emit_copy(struct compiler *c, const struct step *block, int len)
{
    for (int i = 0; i < len && !c->fault; i++)
        emit(c, block[i].op, block[i].x, block[i].y);
}

static uint8_t *new_set(struct compiler *c)
{
    uint8_t *set = c->p->sets[c->p->set_count]; /* a set takes two bytes of the pattern at least */

    emit(c, OP_SET, c->p->set_count++, 0);
    return set;
}

static void set_add(uint8_t *set, int byte)
{
    set[byte >> 3] |= (uint8_t)(1u << (byte & 7));
}

static void set_invert(uint8_t *set)
{
    for (int i = 0; i < 32; i++)
        set[i] = (uint8_t)~set[i];
}

/* As isalpha() and its like are in the C locale. */
static const struct {
    const char *name, *ranges;
} classes[] = {
    {"alpha", "azAZ"},     {"digit", "09"},      {"alnum", "azAZ09"}, {"upper", "AZ"},
    {"lower", "az"},       {"xdigit", "09afAF"}, {"space", "\t\r  "}, {"blank", "\t\t  "},
    {"punct", "!/:@[`{~"}, {"print", " ~"},      {"graph", "!~"},     {"cntrl", "\001\037\177\177"},
    {"word", "azAZ09__"}, /* what \w is; no name of POSIX */
};

static bool set_add_class(uint8_t *set, const char *name, size_t len)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(classes); i++) {
        if (strlen(classes[i].name) != len || strncmp(classes[i].name, name, len) != 0)
            continue;
        for (const char *r = classes[i].ranges; *r; r += 2)
            for (int byte = (unsigned char)r[0]; byte <= (unsigned char)r[1]; byte++)
                set_add(set, byte);
        return true;
    }
    return false;
}

/* `[:alpha:]` within brackets. */
static void parse_class(struct compiler *c, uint8_t *set)
{
    const char *name = c->at + 2, *end = c->at[1] == ':' ? strstr(name, ":]") : NULL;

    if (!end || !set_add_class(set, name, (size_t)(end - name)))
        fault(c, "has a [:class:] that is not known");
    else
        c->at = end + 2;
}

static void parse_range(struct compiler *c, uint8_t *set)
{
    int from = (unsigned char)*c->at++, to = from;

    if (c->at[0] == '-' && c->at[1] && c->at[1] != ']') {
        to = (unsigned char)c->at[1];
        c->at += 2;
    }
    if (to < from)
        fault(c, "has a range whose end is before its beginning");
    for (int byte = from; byte <= to; byte++)
        set_add(set, byte);
}

static void parse_brackets(struct compiler *c)
{
    bool inverted = *++c->at == '^', first = true;
    uint8_t *set = new_set(c);

    c->at += inverted;
    for (; !c->fault && (*c->at != ']' || first); first = false) {
        if (!*c->at)
            fault(c, "has a [ without its ]");
        else if (*c->at == '[' && c->at[1] && strchr(":.=", c->at[1]))
            parse_class(c, set);
        else
            parse_range(c, set);
    }
    if (!c->fault)
        c->at++;
    if (inverted)
        set_invert(set);
}

static bool is_letter_or_digit(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static void parse_escape(struct compiler *c)
{
    char ch = *++c->at;
    uint8_t *set;

    if (ch && strchr("wWsS", ch)) {
        set = new_set(c);
        set_add_class(set, ch == 'w' || ch == 'W' ? "word" : "space",
                      ch == 'w' || ch == 'W' ? 4 : 5);
        if (ch == 'W' || ch == 'S')
            set_invert(set);
    } else if (!ch || is_letter_or_digit(ch)) {
        fault(
            c,
            "has a backslash before something it does not go with (there are no back-references)");
        return;
    } else {
        emit(c, OP_BYTE, (unsigned char)ch, 0);
    }
    c->at++;
}

static void parse_alternatives(struct compiler *c);

static void parse_group(struct compiler *c)
{
    c->at++;
    c->depth++;
    parse_alternatives(c);
    c->depth--;
    if (*c->at == ')')
        c->at++;
    else
        fault(c, "has a ( without its )");
}

static void parse_atom(struct compiler *c)
{
    switch (*c->at) {
    case '(':
        parse_group(c);
        return;
    case '[':
        parse_brackets(c);
        return;
    case '\\':
        parse_escape(c);
        return;
    case '.':
        emit(c, OP_ANY, 0, 0);
        break;
    case '^':
        emit(c, OP_BEGIN, 0, 0);
        break;
    case '$':
        emit(c, OP_END, 0, 0);
        break;
    case '*':
    case '+':
    case '?':
        fault(c, "has a repetition of nothing");
        return;
    default:
        emit(c, OP_BYTE, (unsigned char)*c->at, 0);
    }
    c->at++;
}

static void optional(struct compiler *c, int start)
{
    emit_before(c, start, OP_FORK, 1, c->p->count - start + 1);
}

static void endless(struct compiler *c, int start)
{
    emit(c, OP_FORK, start - c->p->count, 1);
}

/* `{m}`, `{m,}`, `{,n}`, `{m,n}`; at its `{`. max -1: no limit. False: an ordinary brace. */
static bool parse_interval(struct compiler *c, int *ret_min, int *ret_max)
{
    char *end = NULL;
    long min, max;

    if ((c->at[1] < '0' || c->at[1] > '9') && c->at[1] != ',')
        return false;
    min = max = strtol(c->at + 1, &end, 10);
    if (c->at[1] == ',')
        end = (char *)(uintptr_t)(c->at + 1);
    if (*end == ',') {
        const char *number = end + 1;

        max = strtol(number, &end, 10);
        if (end == number)
            max = -1;
    }
    if (*end != '}' || min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && max < min))
        fault(c, "has a {m,n} that is none, or with numbers over 255");
    c->at = end + 1;
    *ret_min = (int)min;
    *ret_max = (int)max;
    return true;
}

static void repeat(struct compiler *c, int start, int min, int max)
{
    struct step block[UM_PATTERN_STEPS];
    int len = c->p->count - start;

    memcpy(block, &c->p->steps[start], (size_t)len * sizeof(*block));
    c->p->count = start;
    for (int i = 0; i < min || (max < 0 && i == 0); i++) {
        start = c->p->count;
        emit_copy(c, block, len);
    }
    if (max < 0) {
        endless(c, start);
        if (min == 0)
            optional(c, start);
    }
    for (int i = min; i < max && !c->fault; i++) {
        start = c->p->count;
        emit_copy(c, block, len);
        optional(c, start);
    }
}

static void parse_repetitions(struct compiler *c, int start)
{
    while (!c->fault) {
        int min = *c->at == '+', max = *c->at == '?' ? 1 : -1;

        if (*c->at && strchr("*+?", *c->at))
            c->at++;
        else if (*c->at != '{' || !parse_interval(c, &min, &max))
            return;
        if (!c->fault)
            repeat(c, start, min, max);
    }
}

static void parse_branch(struct compiler *c)
{
    while (!c->fault && *c->at && *c->at != '|' && (*c->at != ')' || c->depth == 0)) {
        int start = c->p->count;

        parse_atom(c);
        parse_repetitions(c, start);
    }
}

static void parse_alternatives(struct compiler *c)
{
    int start = c->p->count;

    parse_branch(c);
    while (!c->fault && *c->at == '|') {
        int len = c->p->count - start, behind;

        c->at++;
        emit_before(c, start, OP_FORK, 1, len + 2);
        emit(c, OP_JUMP, 0, 0);
        behind = c->p->count;
        parse_branch(c);
        /* What stands before is one alternative now, whatever follows another. */
        if (!c->fault)
            c->p->steps[behind - 1].x = c->p->count - behind + 1;
    }
}

enum um_code um_pattern_new(const char *text, const char *object, const char *field,
                            struct um_pattern **ret, struct um_error *err)
{
    struct compiler c = {.at = text};

    if (!text[0] || strlen(text) > UM_PATTERN_MAX)
        return um_fail(err, UM_E_INVALID, object, field, "the pattern is %s",
                       text[0] ? "longer than 256 bytes" : "empty");
    c.p = calloc(1, sizeof(*c.p));
    if (!c.p)
        return um_fail(err, UM_E_NO_RESOURCES, object, field, "out of memory");
    parse_alternatives(&c);
    emit(&c, OP_FOUND, 0, 0);
    if (!c.fault) {
        *ret = c.p;
        return UM_OK;
    }
    um_pattern_free(c.p);
    um_fail(err, UM_E_INVALID, object, field, "\"%.80s\" %s", text, c.fault);
    um_hint(err, "use an extended regular expression, as grep -E does");
    return UM_E_INVALID; /* err may be NULL */
}

void um_pattern_free(struct um_pattern *p)
{
    free(p);
}

/* ---- matching ---- */

struct position {
    bool begin, end; /* of the line, as far as ^ and $ are concerned */
};

/* All steps reached from this one without a byte. True: found. */
static bool reach(struct um_pattern *p, struct places *to, int at, struct position pos)
{
    const struct step *s = &p->steps[at];

    if (p->seen[at] == p->move)
        return false;
    p->seen[at] = p->move;
    switch (s->op) {
    case OP_FOUND:
        return true;
    case OP_JUMP:
        return reach(p, to, at + s->x, pos);
    case OP_FORK:
        return reach(p, to, at + s->x, pos) || reach(p, to, at + s->y, pos);
    case OP_BEGIN:
        return pos.begin && reach(p, to, at + 1, pos);
    case OP_END:
        return pos.end && reach(p, to, at + 1, pos);
    case OP_BYTE:
    case OP_ANY:
    case OP_SET:
        to->at[to->count++] = (uint16_t)at;
    }
    return false;
}

static bool takes(const struct um_pattern *p, const struct step *s, unsigned char byte)
{
    if (s->op == OP_SET)
        return p->sets[s->x][byte >> 3] & 1u << (byte & 7);
    return s->op == OP_ANY || s->x == byte;
}

static void new_move(struct um_pattern *p)
{
    if (++p->move)
        return;
    memset(p->seen, 0, sizeof(p->seen));
    p->move = 1;
}

bool um_pattern_matches(struct um_pattern *p, const char *line, size_t len, unsigned flags)
{
    struct position pos = {.begin = !(flags & UM_PATTERN_NO_BEGIN)};
    struct places *now = &p->now, *next = &p->next;

    now->count = 0;
    new_move(p);
    for (size_t i = 0;; i++, pos.begin = false) {
        struct places *old = now;

        pos.end = i == len && !(flags & UM_PATTERN_NO_END);
        if (reach(p, now, 0, pos)) /* it may begin at any place */
            return true;
        if (i == len)
            return false;
        new_move(p);
        next->count = 0;
        pos.begin = false;
        pos.end = i + 1 == len && !(flags & UM_PATTERN_NO_END);
        for (int k = 0; k < now->count; k++)
            if (takes(p, &p->steps[now->at[k]], (unsigned char)line[i]) &&
                reach(p, next, now->at[k] + 1, pos))
                return true;
        now = next;
        next = old;
    }
}
