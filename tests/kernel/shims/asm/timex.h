/* A clock that nothing depends on. */
#ifndef SHIM_ASM_TIMEX_H
#define SHIM_ASM_TIMEX_H

typedef unsigned long long cycles_t;

static inline cycles_t get_cycles(void)
{
	static cycles_t calls;

	return ++calls;
}

#endif
