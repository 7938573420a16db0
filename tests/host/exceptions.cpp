// Exceptions through frames that allocate, bad_alloc, and new and delete of every kind.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{
struct alignas(256) Wide {
    char bytes[512];
};

int thrown(int depth)
{
    std::vector<std::string> held(static_cast<std::size_t>(depth) + 1, std::string(300, 'x'));
    if (depth == 0)
        throw std::runtime_error(std::string(1000, 'e'));
    try {
        return thrown(depth - 1);
    } catch (const std::logic_error &) {
        return -1;
    }
}

int storm()
{
    int caught = 0;
    for (int i = 0; i < 500; i++)
        try {
            thrown(i % 30);
        } catch (const std::exception &e) {
            caught += std::string(e.what()).size() == 1000;
        }
    return caught;
}

// Not known to the compiler, which else leaves the allocation out.
volatile std::size_t huge = SIZE_MAX / 4;
} // namespace

int main()
{
    int refused = 0, handled = 0;
    std::thread other([&] { handled = storm(); });
    std::printf("caught %d\n", storm());
    other.join();
    std::printf("in a thread %d\n", handled);
    for (int i = 0; i < 3; i++)
        try {
            delete[] new char[huge];
        } catch (const std::bad_alloc &) {
            refused++;
        }
    std::printf("refused %d nothrow %d\n", refused, new (std::nothrow) char[huge] == nullptr);
    std::map<int, std::unique_ptr<Wide>> wide;
    bool aligned = true;
    for (int i = 0; i < 1000; i++) {
        wide[i] = std::make_unique<Wide>();
        aligned = aligned && reinterpret_cast<std::uintptr_t>(wide[i].get()) % 256 == 0;
    }
    wide.erase(500);
    std::printf("aligned %d of %zu\n", aligned, wide.size());
    return 0;
}
