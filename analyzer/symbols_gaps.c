/* What has no name, and why: for whoever wonders at "+0x1234" in a report. */
#include <stdlib.h>
#include <string.h>

#include "symbols_private.h"

#define HEX_BYTES ((F4P_BUILD_ID_TEXT - 1) / 2)

const char *f4p_symbols_build_id(char out[F4P_BUILD_ID_TEXT], const struct f4p_module_view *module)
{
    static const char digits[] = "0123456789abcdef";
    size_t bytes = module->build_id_bytes < HEX_BYTES ? module->build_id_bytes : HEX_BYTES;
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[module->build_id[i] >> 4];
        out[2 * i + 1] = digits[module->build_id[i] & 15];
    }
    out[2 * bytes] = '\0';
    return out;
}

const char *f4p_symbols_why(enum f4p_symbol_why why)
{
    static const char *const texts[] = {
#define X(name, text) text,
        F4P_SYMBOL_WHYS(X)
#undef X
    };
    return texts[why];
}

static enum f4p_symbol_why why_of(const struct f4p_trace *trace, const struct f4p_symbols *symbols, uint32_t module,
                                  bool some_named)
{
    if (trace->modules[module].path[0] != '/')
        return F4P_SYMBOL_WHY_NO_PATH;
    if (some_named && trace->header->compatible & F4P_COMPAT_PACKED)
        return F4P_SYMBOL_WHY_PACKED;
    return f4p_symbols_nothing(symbols, module);
}

static int by_nameless(const void *a, const void *b)
{
    const struct f4p_symbol_gap *x = a, *y = b;
    if (x->nameless != y->nameless)
        return x->nameless > y->nameless ? -1 : 1;
    return x->module < y->module ? -1 : x->module > y->module;
}

struct f4p_symbol_gap *f4p_symbols_gaps(const struct f4p_trace *trace, const struct f4p_symbols *symbols, size_t *count)
{
    size_t addresses, nameless;
    struct f4p_symbol_address *all = f4p_symbols_addresses(trace, false, &addresses);
    struct f4p_symbol_address *rest = f4p_symbols_addresses(trace, true, &nameless);
    struct f4p_symbol_gap *gaps = calloc(trace->module_count + 1, sizeof *gaps);
    *count = 0;
    if (!all || !rest || !gaps)
        goto out;
    for (size_t i = 0; i < addresses; i++)
        gaps[all[i].module].addresses++;
    for (size_t i = 0; i < nameless; i++)
        gaps[rest[i].module].nameless++;
    for (uint32_t i = 0; i < trace->module_count; i++)
        if (gaps[i].nameless) {
            struct f4p_symbol_gap gap = gaps[i];
            gap.module = i;
            gap.why = why_of(trace, symbols, i, gap.nameless < gap.addresses);
            gaps[(*count)++] = gap;
        }
    qsort(gaps, *count, sizeof *gaps, by_nameless);
out:
    free(all);
    free(rest);
    if (!*count) {
        free(gaps);
        gaps = NULL;
    }
    return gaps;
}
