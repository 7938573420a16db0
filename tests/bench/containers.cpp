// Maps, hash maps and strings that come and go. usage: containers ROUNDS
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? unsigned(std::atoi(argv[1])) : 10;
    std::map<uint64_t, std::string> ordered;
    std::unordered_map<std::string, std::vector<int>> hashed;
    uint64_t x = 88172645463325252u, sum = 0;
    auto random = [&x] {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return x;
    };

    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            uint64_t key = random() % 50000;
            ordered[key] = std::string(size_t(key % 90), 'x');
            if (auto it = ordered.find(random() % 50000); it != ordered.end())
                ordered.erase(it);
            auto &list = hashed["key/of/some/length/" + std::to_string(key % 8000)];
            list.push_back(int(i));
            if (list.size() > 24)
                hashed.erase("key/of/some/length/" + std::to_string(key % 8000));
            auto shared =
                std::make_shared<std::string>("a string too long to stand in its object: " + std::to_string(i));
            sum += shared->size();
        }
    }
    std::printf("%llu\n", (unsigned long long)(sum + ordered.size() + hashed.size()));
}
