// single-threaded: also run on aarch64 under emulation.
// When memory is out: the new_handler is asked, may free and let the retry succeed, may throw, may give up.
#include "../c/check.h"
#include <new>
#include <sys/resource.h>
#include <vector>

namespace {

struct OutOfQuota : std::bad_alloc {
    const char *what() const noexcept override { return "quota"; }
};

int calls;
char *reserve;

void gives_up() {
    calls++;
    std::set_new_handler(nullptr);
}

void throws_its_own() {
    calls++;
    throw OutOfQuota();
}

void frees_the_reserve() {
    calls++;
    CHECK(reserve != nullptr);
    delete[] reserve;
    reserve = nullptr;
}

template <class Body> bool throws_bad_alloc(Body body) {
    try {
        body();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

template <class Body> bool throws_out_of_quota(Body body) {
    try {
        body();
    } catch (const OutOfQuota &quota) {
        return strcmp(quota.what(), "quota") == 0;
    } catch (...) {
    }
    return false;
}

void handlers_of_impossible_requests() {
    volatile std::size_t impossible = std::size_t(PTRDIFF_MAX) + 1;
    std::align_val_t align{64};
    std::set_new_handler(gives_up);
    CHECK(throws_bad_alloc([&] { escape(::operator new(impossible)); }) && calls == 1);
    std::set_new_handler(gives_up);
    CHECK(escape(::operator new(impossible, std::nothrow)) == nullptr && calls == 2);
    std::set_new_handler(gives_up);
    CHECK(throws_bad_alloc([&] { escape(::operator new[](impossible, align)); }) && calls == 3);

    std::set_new_handler(throws_its_own);
    CHECK(throws_out_of_quota([&] { escape(::operator new(impossible)); }));
    CHECK(throws_out_of_quota([&] { escape(::operator new[](impossible)); }));
    CHECK(throws_out_of_quota([&] { escape(::operator new(impossible, align)); }));
    CHECK(throws_out_of_quota([&] { escape(::operator new[](impossible, align)); }));
    CHECK(calls == 7);
    CHECK(escape(::operator new(impossible, std::nothrow)) == nullptr);
    CHECK(escape(::operator new[](impossible, std::nothrow)) == nullptr);
    CHECK(escape(::operator new(impossible, align, std::nothrow)) == nullptr);
    CHECK(escape(::operator new[](impossible, align, std::nothrow)) == nullptr);
    CHECK(calls == 11);
    CHECK(std::get_new_handler() == throws_its_own);
    std::set_new_handler(nullptr);
    calls = 0;
}

// The address space itself ends; until then nothing is refused.
void handlers_under_a_limit() {
    reserve = new char[48 * MIB];
    std::vector<char *> held;
    held.reserve(1000);

    std::set_new_handler(frees_the_reserve);
    while (calls == 0) {
        CHECK(held.size() < 900);
        held.push_back(new char[8 * MIB]);
        held.back()[0] = 1;
    }
    CHECK(calls == 1 && reserve == nullptr);
    std::set_new_handler(nullptr);

    bool refused = false;
    while (!refused) {
        CHECK(held.size() < 900);
        refused = throws_bad_alloc([&] { held.push_back(static_cast<char *>(escape(new char[8 * MIB]))); });
    }
    // Out of memory, yet exceptions and small blocks work.
    CHECK(throws_bad_alloc([] { std::vector<char> too_big(200 * MIB); }));
    CHECK(escape(new (std::nothrow) char[100 * MIB]) == nullptr);
    delete new int(5);
    for (char *block : held) delete[] block;
    delete[] static_cast<char *>(escape(new char[64 * MIB]));
}

} // namespace

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    handlers_of_impossible_requests();
    if (argc == 1) {
        // Once more, limited from the start.
        rlimit limit{256 * MIB, 256 * MIB};
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        execl("/proc/self/exe", argv[0], "limited", nullptr);
        if (errno == ENOEXEC) return done(); // an emulated program cannot start itself anew
        CHECK(!"exec");
    }
    handlers_under_a_limit();
    return done();
}
