/* Part of the tests' linux/kernel.h. */
#include <linux/kernel.h>
