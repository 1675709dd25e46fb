/* The C library's. */
#include <stddef.h>
