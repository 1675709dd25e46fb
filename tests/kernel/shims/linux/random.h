/* Numbers that are the same in each run. */
#ifndef SHIM_LINUX_RANDOM_H
#define SHIM_LINUX_RANDOM_H

#include <linux/math64.h>
#include <linux/types.h>

struct rnd_state {
	u64 state;
};

static inline void prandom_seed_state(struct rnd_state *rnd, u64 seed)
{
	rnd->state = seed;
}

/* Knuth's multiplier and increment for numbers of 64 bits. */
static inline u32 prandom_u32_state(struct rnd_state *rnd)
{
	rnd->state = rnd->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return rnd->state >> 32;
}

static inline u32 prandom_u32_max(u32 limit)
{
	static struct rnd_state rnd = { 1 };

	return (u64)prandom_u32_state(&rnd) * limit >> 32;
}

#endif
