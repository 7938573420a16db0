# maps.c: reservations are taken for memory
/^static bool counts/,/^}/s/call->protection & PROT_WRITE &&/1 \&\&/
/^static bool counts/,/^}/s/flags & (MAP_NORESERVE | MAP_GROWSDOWN)/flags \& MAP_GROWSDOWN/
