#include "tests/support_sketch.h"

#include <stdlib.h>
#include <string.h>

void f4p_sketch_start(struct f4p_sketch *s, uint64_t interval, int python)
{
    memset(s, 0, sizeof *s);
    f4p_fixture_make(&s->f, NULL, 1 << 20, interval, 1, 7);
    f4p_writer_fact(&s->f.w, F4P_FACT_ID_CWD, F4P_FACT_TEXT, "/job", 4);
    f4p_writer_fact(&s->f.w, F4P_FACT_ID_EXE, F4P_FACT_TEXT, "/bin/prog", 9);
    if (python)
        f4p_writer_fact(&s->f.w, F4P_FACT_ID_PYTHON, F4P_FACT_TEXT, "3.11.2", 6);
}

static uint32_t put_string(struct f4p_sketch *s, const char *text)
{
    return f4p_writer_record(&s->f.w, F4P_RECORD_STRING, 8, text, strlen(text), NULL, 0);
}

uint32_t f4p_sketch_code(struct f4p_sketch *s, const char *function, const char *file, uint32_t line)
{
    struct f4p_code code = {.first_line = line, .lines = F4P_LINES_NONE};
    code.name = code.qualname = put_string(s, function);
    code.file = put_string(s, file);
    return f4p_writer_record(&s->f.w, F4P_RECORD_CODE, 0, &code, sizeof code, NULL, 0);
}

uint32_t f4p_sketch_module(struct f4p_sketch *s, const char *path)
{
    struct f4p_module module = {.start = 0x1000, .end = 0x9000, .path_bytes = (uint32_t)strlen(path)};
    return F4P_NODE_NATIVE +
           f4p_writer_record(&s->f.w, F4P_RECORD_MODULE, 0, &module, sizeof module, path, strlen(path));
}

uint32_t f4p_sketch_site(struct f4p_sketch *s, uint32_t thread, uint32_t offset, size_t count, const uint32_t *objects)
{
    uint32_t node = F4P_NONE;
    for (size_t i = 0; i < count; i++)
        node = f4p_writer_node(&s->f.w, node, objects[i], offset);
    return f4p_writer_site(&s->f.w, node, thread);
}

const struct f4p_trace *f4p_sketch_open(struct f4p_sketch *s, enum f4p_status status)
{
    struct f4p_error error;
    f4p_writer_finish(&s->f.w, status, F4P_PASSIVE_NONE, s->f.t_ns);
    if (f4p_trace_open_memory(s->f.base, s->f.header.file_bytes, &s->trace, &error))
        abort();
    return s->trace;
}

void f4p_sketch_free(struct f4p_sketch *s)
{
    f4p_trace_close(s->trace);
    f4p_fixture_free(&s->f);
    free(s->f.base);
}
