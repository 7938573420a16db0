# session.c: an estimate earns a file, however uncertain it is
s/^#define STANDARD_ERRORS 2.0 /#define STANDARD_ERRORS 0.0 /
