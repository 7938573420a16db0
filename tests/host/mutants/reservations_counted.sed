# maps.c: reservations are taken for memory
/^static bool counts/,/^}/s/protection & PROT_WRITE &&//
/^static bool counts/,/^}/s/flags & (MAP_NORESERVE | MAP_GROWSDOWN)/flags \& MAP_GROWSDOWN/
