// Prints a return address within functions whose names a profiler has to find, and waits. As C++ they are in a namespace.
#include <stdio.h>
#include <unistd.h>

#ifdef __cplusplus
#define INLINE inline
namespace server {
#else
#define INLINE static inline
#endif

__attribute__((noinline)) void *return_address(void)
{
	return __builtin_return_address(0);
}

INLINE __attribute__((always_inline)) void *inlined(void)
{
	void *found = return_address();
	__asm__ volatile("" : "+r"(found));
	return found;
}

__attribute__((noinline)) void *outer(int depth)
{
	void *found = inlined();
	__asm__ volatile("" : "+r"(found) : "r"(depth));
	return found;
}

#ifdef __cplusplus
}
using namespace server;
#endif

int main(void)
{
	printf("%p\n", outer(1));
	fflush(stdout);
	pause();
}
