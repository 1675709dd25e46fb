/* The allocators' flags, in place of the kernel's. */
#include <linux/types.h>
