/* As the tests' linux/kernel.h has it. */
#include <linux/kernel.h>
