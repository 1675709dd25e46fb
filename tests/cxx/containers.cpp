// A heavy, ordinary C++ program: strings, vectors, maps and lists in several threads, moved between them.
#include "../c/check.h"
#include <algorithm>
#include <deque>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

using Index = std::map<std::string, std::vector<std::string>>;

Index build(unsigned seed, int entries) {
    Index index;
    std::uint64_t state = seed;
    for (int i = 0; i < entries; i++) {
        std::ostringstream key;
        key << "key " << random_of(&state) % 5000;
        auto &values = index[key.str()];
        values.emplace_back(1 + random_of(&state) % 300, char('a' + i % 26));
        if (values.size() > 8) values.erase(values.begin());
        if (i % 17 == 0) index.erase(index.begin());
    }
    return index;
}

std::size_t weigh(const Index &index) {
    std::size_t weight = 0;
    for (const auto &[key, values] : index) {
        weight += key.size();
        for (const auto &value : values) {
            CHECK(std::all_of(value.begin(), value.end(), [&](char c) { return c == value[0]; }));
            weight += value.size();
        }
    }
    return weight;
}

struct alignas(128) Padded {
    std::uint64_t counts[20] = {};
};

struct alignas(4096) Page {
    unsigned char bytes[4096] = {};
};

void over_aligned_types() {
    std::vector<std::shared_ptr<Padded>> shared;
    std::vector<std::unique_ptr<Page>> pages;
    for (int i = 0; i < 500; i++) {
        shared.push_back(std::make_shared<Padded>());
        pages.push_back(std::make_unique<Page>());
        CHECK(aligned_to(shared.back().get(), 128) && aligned_to(pages.back().get(), 4096));
        shared.back()->counts[19] = i;
        pages.back()->bytes[4095] = (unsigned char)i;
    }
    std::vector<Padded> values(1000);
    CHECK(aligned_to(values.data(), 128) && aligned_to(&values[999], 128));
    for (int i = 0; i < 500; i++) CHECK(shared[i]->counts[19] == std::uint64_t(i) && pages[i]->bytes[4095] == (unsigned char)i);
}

void moved_between_threads() {
    std::mutex lock;
    std::deque<std::list<std::string>> mailbox;
    std::vector<std::thread> threads;
    std::size_t received = 0;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; i++) {
                std::list<std::string> letters;
                for (int k = 0; k < 50; k++) letters.emplace_back(20 + (t * i + k) % 200, 'x');
                std::lock_guard<std::mutex> guard(lock);
                mailbox.push_back(std::move(letters));
                if (mailbox.size() > 20) {
                    received += mailbox.front().size();
                    mailbox.pop_front();
                }
            }
        });
    for (auto &thread : threads) thread.join();
    for (auto &letters : mailbox) received += letters.size();
    CHECK(received == 4 * 500 * 50);
}

} // namespace

int main() {
    slubmalloc_is_in_charge();
    std::vector<std::future<Index>> futures;
    for (unsigned seed = 0; seed < 4; seed++) futures.push_back(std::async(std::launch::async, build, seed, 40000));
    for (unsigned seed = 0; seed < 4; seed++) {
        Index theirs = futures[seed].get();
        CHECK(weigh(theirs) == weigh(build(seed, 40000)));
    }
    over_aligned_types();
    moved_between_threads();

    std::unordered_map<long, std::string> table;
    for (long i = 0; i < 300000; i++) table[i * 7919 % 100003] += std::to_string(i);
    std::size_t length = std::accumulate(table.begin(), table.end(), std::size_t(0), [](std::size_t sum, auto &e) { return sum + e.second.size(); });
    CHECK(length == 10 + 90 * 2 + 900 * 3 + 9000 * 4 + 90000 * 5 + 200000 * 6);
    return done();
}
