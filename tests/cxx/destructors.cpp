// thread_local and static objects whose destructors allocate and free; order against the heap's own end.
#include "../c/check.h"
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> ended;

struct Noisy {
    std::vector<std::string> lines;
    ~Noisy() {
        lines.emplace_back(3000, 'd');
        std::map<int, std::string> parting;
        for (int i = 0; i < 100; i++) parting[i] = std::string(i * 10, 'p');
        CHECK(parting[99].size() == 990 && lines.back().size() == 3000);
        delete[] static_cast<char *>(escape(new char[6 * MIB]));
        ended++;
    }
};

thread_local Noisy first, second;
thread_local std::string untouched_until_the_end;

struct WakesAnother {
    // A thread_local whose first use is in another one's destructor.
    ~WakesAnother() { untouched_until_the_end.assign(500, 'w'); }
};
thread_local WakesAnother last;

struct AtStaticEnd {
    std::map<std::string, std::vector<int>> kept;
    AtStaticEnd() {
        for (int i = 0; i < 1000; i++) kept[std::to_string(i)].resize(i);
    }
    ~AtStaticEnd() {
        CHECK(kept["999"].size() == 999);
        kept["a new one"].resize(100000);
        // Threads still come and go while statics end.
        std::thread([] { first.lines.emplace_back(200, 'x'); }).join();
    }
};
AtStaticEnd static_object;

} // namespace

int main() {
    slubmalloc_is_in_charge();
    for (int round = 0; round < 200; round++) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; t++)
            threads.emplace_back([t] {
                first.lines.emplace_back(t * 100, 'a');
                second.lines.assign(50, std::string(77, 'b'));
                escape(&last);
            });
        for (auto &thread : threads) thread.join();
    }
    CHECK(ended >= 2 * 3 * 200);
    first.lines.emplace_back("the main thread has them too");
    return done();
}
