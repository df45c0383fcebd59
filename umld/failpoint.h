/*
 * Named places where a test may end the daemon as `kill -9` would (tests/umld/survival). Here it is
 * a weak function that does nothing; the program that dies is linked by the tests only.
 */
#ifndef UMLD_FAILPOINT_H
#define UMLD_FAILPOINT_H

struct guest;

void failpoint(const char *name);
/* `POINT:STATE`, of internal guests `probe-POINT:STATE`. */
void failpoint_guest(const char *point, const struct guest *g);

#endif
