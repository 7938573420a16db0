# sample.c: what a slow path did to errno stays
s/^    errno = \(error\|saved\);$/    errno = ENOTTY;/
