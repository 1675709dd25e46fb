/* A signal that is sent, not caused by a wrong access, kills as it ever did. */
#include "check.h"
#include <signal.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit no_core = {0, 0};
    CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
    free(escape(malloc(100)));
    raise(SIGSEGV);
    CHECK(!"a signal that kills");
}
