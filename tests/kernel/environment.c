/* What kernel code needs beside its headers, and a main() for modules, whose tests have run when it is reached. */
#include <stdio.h>

int nr_allocated, preempt_count, test_verbose, kmalloc_verbose;

int lockdep_is_held(const void *lock)
{
	(void)lock;
	return 1;
}

int __attribute__((weak)) main(void)
{
	puts("ok");
	return 0;
}
