/* 200,000 blocks of 1 KiB, all written to, of which one in 60 stays. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *kept[200000];

int main(void)
{
    for (int index = 0; index < 200000; index++) {
        kept[index] = malloc(1024);
        if (kept[index] == NULL) return 2;
        memset(kept[index], 1, 1024);
    }
    for (int index = 0; index < 200000; index++)
        if (index % 60 != 0) free(kept[index]);
    malloc_trim(0);
    if (write(1, "ready\n", 6) != 6) return 3;
    for (;;) pause();
}
