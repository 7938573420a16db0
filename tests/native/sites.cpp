// Sites in C++: templates, lambdas, members, constructors, the standard library, and exceptions that cross recorded
// frames while they allocate.
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

static volatile int sink;

namespace shop
{
template <typename T> struct shelf {
    T *goods;
    __attribute__((noinline)) explicit shelf(size_t count) : goods(new T[count]) // site 1000008: shelf < main
    {
        std::memset(goods, 1, sizeof(T));
        sink = sink + 1;
    }
    __attribute__((noinline)) void restock(size_t count) const
    {
        std::memset(::operator new(count), 1, 1); // site 1000002: restock < main
        sink = sink + 1;
    }
};
} // namespace shop

__attribute__((noinline)) static int thrower(int depth)
{
    std::string text(1000003, 'x'); // site 1000004: thrower, freed when the exception passes
    if (depth == 0)
        throw std::runtime_error(text.substr(0, 10));
    int result = thrower(depth - 1) + 1;
    sink = sink + result;
    return result;
}

__attribute__((noinline)) static int catcher(int depth)
{
    try {
        return thrower(depth);
    } catch (const std::runtime_error &error) {
        return (int)std::strlen(error.what());
    }
}

int main()
{
    auto *shelf = new shop::shelf<long>(125001);
    shelf->restock(1000002);
    std::function<void(size_t)> order = [](size_t bytes) {
        std::memset(new char[bytes], 1, 1); // site 1000006: lambda < main
        sink = sink + 1;
    };
    order(1000006);
    auto *numbers = new std::vector<int>;
    numbers->resize(250002); // site 1000008: vector < main
    int sum = 0;
    for (int i = 0; i < 200; i++)
        sum += catcher(i % 20);
    std::printf("%d\n", sum);
    return 0;
}
