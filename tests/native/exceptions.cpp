// Exceptions thrown and caught in threads while every allocation is recorded: the count is what it is without.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int level(int depth)
{
    std::vector<char> room(100 + depth);
    struct guard {
        int *count;
        ~guard()
        {
            ++*count;
        }
    };
    int left = 0;
    try {
        guard g{&left};
        if (depth == 0)
            throw std::runtime_error(std::string(room.size(), 'e'));
        level(depth - 1);
    } catch (const std::runtime_error &error) {
        if (depth % 3 == 0)
            throw;
        throw std::runtime_error(error.what() + std::to_string(left));
    }
    return 0;
}

int main()
{
    int caught[4] = {0};
    size_t bytes[4] = {0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; i++)
                try {
                    level(i % 25);
                } catch (const std::exception &error) {
                    caught[t]++;
                    bytes[t] += std::string(error.what()).size();
                }
        });
    for (auto &thread : threads)
        thread.join();
    std::printf("%d %zu\n", caught[0] + caught[1] + caught[2] + caught[3], bytes[0] + bytes[1] + bytes[2] + bytes[3]);
    return 0;
}
