/* Never names malloc: only the C library allocates. The linker must take the allocator all the same. */
#include <stdio.h>
#include <string.h>

int main(void) {
    char line[100];
    FILE *self = fopen("/proc/self/comm", "r");
    int read = self != NULL && fgets(line, sizeof line, self) != NULL && fclose(self) == 0;
    puts(read ? "ok" : "cannot read");
    return !read;
}
