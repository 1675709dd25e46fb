// An object that cannot be kept, since constructing it may throw; with RIGHT it does not.
#include <slubmalloc.hpp>

struct object {
#ifdef RIGHT
    object() noexcept {}
#else
    object() {}
#endif
};

void take() {
    slubmalloc::kept_cache<object> objects("objects");
    objects.put(objects.take());
}
