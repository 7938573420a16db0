# maps.c: what the allocator maps counts beside its blocks
/^static bool counts/,/^}/s/ && !f4p_real_allocator_has(caller)//
