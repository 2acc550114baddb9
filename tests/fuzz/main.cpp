// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One program with all fuzz targets, because compiling costs more than fuzzing:
//
//     funnel_fuzz --target=NAME --seeds=FOLDER    writes the seeds of a target, and the dictionary FOLDER.dict
//     funnel_fuzz --target=NAME ...               libFuzzer with that target

#include "fuzz/fuzz.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/crc32c.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <sys/mman.h>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace funnel::fuzz {
namespace {

const Target* target = nullptr;

void run(std::string_view bytes) {
    static const int file = ::memfd_create("fuzz", 0);
    const bool is_written = file >= 0 && ::ftruncate(file, 0) == 0 &&
                            ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<::ssize_t>(bytes.size());
    check(is_written, "the input fits into a file in memory");
    counts = {};
    target->run({.path = "/proc/self/fd/" + std::to_string(file), .bytes = bytes});
}

void write_seeds(const std::string& folder) {
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& seed : target->seeds()) {
        run(seed);
        check(counts.attempts == 0 || counts.accepted > 0, "a reader accepts each seed");
        std::ofstream(folder + "/seed" + std::to_string(number++), std::ios::binary) << seed;
    }
    std::ofstream dictionary(folder + ".dict");
    for (const std::string& word : target->words) {
        dictionary << '"';
        for (const char c : word) {
            std::array<char, 5> code{};
            std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned char>(c));
            dictionary << code.data();
        }
        dictionary << "\"\n";
    }
}

// A container as bytes that the fuzzer may change: checksums, offsets and lengths are made right afterwards.
class Container {
public:
    static constexpr std::size_t entry_size = io::detail::container_entry_size;

    [[nodiscard]] static std::optional<Container> of(std::span<const std::byte> file) {
        Container parts;
        const auto number = [&]<class T>(T, std::size_t at) { return io::load_number<T>(file.subspan(at)); };
        if (file.size() < io::detail::container_head_size) {
            return std::nullopt;
        }
        const auto count = number(std::uint32_t{}, 24);
        if (count == 0 || count > file.size() / entry_size - 1) {
            return std::nullopt;
        }
        parts.head_.assign(file.begin(), file.begin() + io::detail::container_head_size);
        for (std::size_t i = 1; i <= count; ++i) {
            const auto entry = file.subspan(entry_size * i, entry_size);
            const auto offset = io::load_number<std::uint64_t>(entry.subspan(40));
            const auto length = io::load_number<std::uint64_t>(entry.subspan(48));
            if (offset > file.size() || length > file.size() - offset) {
                return std::nullopt;
            }
            const auto contents = file.subspan(offset, length);
            parts.sections_.push_back({{entry.begin(), entry.end()}, {contents.begin(), contents.end()}});
        }
        return parts;
    }

    void mutate(Random& random, std::size_t room) {
        Section& section = sections_[random.below(sections_.size())];
        const auto change = [](std::span<std::byte> bytes, std::size_t size) {
            return LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, bytes.size());
        };
        switch (random.below(8)) {
            case 0:
                change(std::span(section.entry).subspan(56, 8), 8);
                break;  // columns
            case 1:
                change(std::span(section.entry).subspan(32, 4), 4);
                break;  // type
            case 2:
                section.contents.resize(random.below(section.contents.size() + 1) / 4 * 4);
                break;
            case 3:
                change(std::span(head_).subspan(8, 48), 48);
                break;
            case 4:
                change_word<std::uint32_t>(section.contents, random);
                break;
            case 5:
                change_word<std::uint64_t>(section.contents, random);
                break;
            default: {
                const std::size_t size = section.contents.size();
                section.contents.resize(size + std::min<std::size_t>(room, 64) + 1);
                section.contents.resize(change(section.contents, size));
            }
        }
    }

    [[nodiscard]] std::size_t head_and_table_size() const { return (1 + sections_.size()) * entry_size; }

    [[nodiscard]] std::vector<std::byte> file() {
        std::vector<std::byte> out(head_and_table_size());
        const auto put = [](std::vector<std::byte>& bytes, std::size_t at, auto number) {
            const auto raw = io::number_bytes(number);
            std::copy(raw.begin(), raw.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
        };
        for (std::size_t i = 0; i < sections_.size(); ++i) {
            auto& [entry, contents] = sections_[i];
            put(entry, 36, io::crc32c(contents));
            put(entry, 40, std::uint64_t{out.size()});
            put(entry, 48, std::uint64_t{contents.size()});
            std::copy(entry.begin(), entry.end(), out.begin() + static_cast<std::ptrdiff_t>((i + 1) * entry_size));
            out.insert(out.end(), contents.begin(), contents.end());
            out.resize(out.size() + io::detail::container_padding(contents.size()));
        }
        const std::span table = std::span(out).subspan(entry_size, sections_.size() * entry_size);
        put(head_, 16, std::uint64_t{out.size()});
        put(head_, 24, static_cast<std::uint32_t>(sections_.size()));
        put(head_, 56, io::crc32c(table));
        put(head_, 60, io::crc32c(std::span(head_).first(60)));
        std::copy(head_.begin(), head_.end(), out.begin());
        return out;
    }

private:
    // A number is replaced by a small one, by one at a limit, or by another number of the section.
    template <class T>
    static void change_word(std::span<std::byte> contents, Random& random) {
        const std::size_t words = contents.size() / sizeof(T);
        if (words == 0) {
            return;
        }
        T number = static_cast<T>(random.below(20));
        const std::uint64_t kind = random.below(3);
        if (kind == 0) {
            number = static_cast<T>((std::uint64_t{1} << random.below(8 * sizeof(T))) - random.below(2));
        } else if (kind == 1) {
            number = io::load_number<T>(contents.subspan(sizeof(T) * random.below(words)));
        }
        const auto raw = io::number_bytes(number);
        std::copy(raw.begin(), raw.end(), contents.subspan(sizeof(T) * random.below(words)).begin());
    }

    struct Section {
        std::vector<std::byte> entry;
        std::vector<std::byte> contents;
    };
    std::vector<std::byte> head_;
    std::vector<Section> sections_;
};

// Makes the checksums of the head and the section table right, whatever else is wrong.
void repair_head(std::span<std::byte> file) {
    if (file.size() < 64) {
        return;
    }
    const auto put = [&](std::size_t at, std::uint32_t number) {
        const auto raw = io::number_bytes(number);
        std::copy(raw.begin(), raw.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
    };
    const std::size_t table = std::size_t{64} * io::load_number<std::uint32_t>(file.subspan(24));
    put(56, io::crc32c(file.subspan(64, std::min(table, file.size() - 64))));
    put(60, io::crc32c(file.first(60)));
}

}  // namespace
}  // namespace funnel::fuzz

using namespace funnel::fuzz;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    std::string seeds;
    for (int i = 1; i < *argc; ++i) {
        const std::string argument = (*argv)[i];
        if (argument.starts_with("--target=")) {
            for (const Target& known : targets()) {
                target = "--target=" + known.name == argument ? &known : target;
            }
        } else if (argument.starts_with("--seeds=")) {
            seeds = argument.substr(std::strlen("--seeds="));
        }
    }
    check(target != nullptr, "--target= names a target");
    if (!seeds.empty()) {
        write_seeds(seeds);
        std::exit(0);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    run(std::string_view(reinterpret_cast<const char*>(data), size));
    // -1 keeps the input out of the corpus: almost every change of a rejected container is rejected as well.
    return target->is_container && counts.accepted == 0 ? -1 : 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    funnel::Random random(seed);
    const auto bytes = std::as_writable_bytes(std::span(data, max_size));
    if (!target->is_container || random.below(16) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    auto container = Container::of(bytes.first(size));
    const std::size_t head = container ? container->head_and_table_size() : 0;
    if (head > 0 && random.below(8) == 0) {  // in place; the sections stay, or their checksums would be wrong
        if (random.below(2) == 0) {
            const std::size_t sections = head / Container::entry_size - 1;
            LLVMFuzzerMutate(data + Container::entry_size * (1 + random.below(sections)) + 40, 8, 8);  // an offset
        } else {
            LLVMFuzzerMutate(data, head, head);
        }
        repair_head(bytes.first(size));
        return size;
    }
    if (!container) {
        const std::size_t changed = LLVMFuzzerMutate(data, size, max_size);
        repair_head(bytes.first(changed));
        return changed;
    }
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
        container->mutate(random, max_size - size);
    }
    const auto file = container->file();
    const std::size_t changed = std::min(file.size(), max_size);
    std::copy_n(file.begin(), changed, bytes.begin());
    return changed;
}
