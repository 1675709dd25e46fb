/* Opens by way of a library in another folder what only that one can find: by its RUNPATH, and by $ORIGIN. */
#include "check.h"

void *middle_opens(const char *name, int mode);
void *middle_opens_in_base(const char *name, int mode);

static void is_leaf(void *leaf) {
    CHECK_DL(leaf != NULL);
    void *(*gives)(void) = (void *(*)(void))dlsym(leaf, "plugin_gives");
    CHECK_DL(gives != NULL);
    free(gives());
    CHECK_DL(dlclose(leaf) == 0);
}

int main(void) {
    slubmalloc_is_in_charge();
    int modes[] = {RTLD_NOW, RTLD_NOW | RTLD_DEEPBIND, RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            CHECK(dlopen("libleaf.so", modes[i]) == NULL);
            CHECK(dlopen("$ORIGIN/leaves/libleaf.so", modes[i]) == NULL);
            is_leaf(middle_opens("libleaf.so", modes[i]));
            is_leaf(middle_opens("$ORIGIN/leaves/libleaf.so", modes[i]));
            is_leaf(middle_opens_in_base("libleaf.so", modes[i]));
            is_leaf(middle_opens_in_base("$ORIGIN/leaves/libleaf.so", modes[i]));
        }
    }
    return done();
}
