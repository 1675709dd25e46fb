// Leaks at three places while memory passes through at others and some was allocated long ago.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *volatile kept;

__attribute__((noinline)) static void keep(void *block)
{
	kept = block;
}

__attribute__((noinline)) void leak_small(void)
{
	for (int count = 0; count < 64; count++)
		keep(malloc(64));
}

static inline __attribute__((always_inline)) void *inlined_copy(const char *text)
{
	char *copy = calloc(1, 1000);
	strcpy(copy, text);
	return copy;
}

__attribute__((noinline)) void leak_medium(void)
{
	for (int count = 0; count < 4; count++)
		keep(inlined_copy("text"));
}

__attribute__((noinline)) void leak_large(int turn)
{
	if (turn % 32 == 0)
		keep(malloc(100000));
}

__attribute__((noinline)) void pass(void)
{
	void *blocks[64];
	for (int index = 0; index < 64; index++)
		keep(blocks[index] = malloc(500 + index));
	for (int index = 0; index < 64; index++)
		free(blocks[index]);
}

__attribute__((noinline)) void begin(void)
{
	for (int count = 0; count < 1000; count++)
		keep(malloc(2000));
}

int main(void)
{
	begin();
	puts("ready");
	fflush(stdout);
	for (int turn = 0;; turn++) {
		leak_small();
		leak_medium();
		leak_large(turn);
		pass();
		usleep(1000);
	}
}
