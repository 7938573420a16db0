# real.c: a program's own malloc counts as the one that stands behind ours, so that what it maps is left out
s/if (search\.behind)/if (f4p_real.malloc)/
