// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <new>
#include <string>
#include <utility>

namespace funnel::testing {

namespace detail {

// The same file with other words in its head, and right checksums.
inline Bytes with_head_byte(const Bytes& file, std::size_t at) {
    Forgery forged = Forgery::of(file);
    forged.head[at] ^= std::byte{1};
    return forged.file();
}

template <class T>
bool is_rejected_as_corrupt(const std::string& path) {
    try {
        static_cast<void>(T::load(path));
    } catch (const CorruptData&) {
        return true;
    }
    return false;
}

// Whether save() refuses what is left of a moved-from object, or writes a file that comes back as it was.
template <class T>
bool saves_only_what_loads(const T& object, const std::string& path, const std::string& again) {
    try {
        object.save(path);
    } catch (const InvalidArgument&) {
        return true;
    }
    try {
        T::load(path).save(again);
    } catch (const CorruptData&) {
        return false;
    }
    return bytes_of(again) == bytes_of(path);
}

}  // namespace detail

/// What every class with save() and load() promises: the same answers and bytes after a round trip, a failed save that
/// leaves the old file, a failed load that leaves the target, an exception for each damaged or forged file, another
/// kind of file, a newer layout and no file, and no file of a moved-from object that load() would reject.
///
/// object, other    different objects; other is the target of assignments
/// answers          answers(object) -> what its users can ask it, comparable with ==; called for undamaged objects only
/// use              use(object) asks an object from a forged file, of any size, for everything; it may throw CorruptData
/// damage           how many bits are flipped and how often the file is cut; fewer where loading takes long
///
///     const auto answers = [](const Encoder& encoder) { return std::pair(encoder.size(), encoder.encode("a")); };
///     check_saved(Encoder({"a", "b"}), Encoder({"c"}), answers, answers);
template <class T, class Answers, class Use>
void check_saved(const T& object, const T& other, const Answers& answers, const Use& use,
                 const DamageOptions& damage = {}) {
    const TempDir dir;
    const std::string path = dir / "a.fnl";
    const std::string again = dir / "b.fnl";
    other.save(path);
    object.save(path);  // replaces the file
    const Bytes bytes = bytes_of(path);
    const auto expected = answers(object);
    {
        const T loaded = T::load(path);
        CHECK(answers(loaded) == expected);
        loaded.save(again);
        CHECK(bytes_of(again) == bytes);
    }
    object.save(again);
    CHECK(bytes_of(again) == bytes);

    other.save(again);
    REQUIRE(bytes_of(again) != bytes);  // else the checks below would not notice a thing
    CHECK(check_strong_guarantee(
              [&] {
                  other.save(again);
                  return again;
              },
              [&](const std::string& target) { object.save(target); },
              [](const std::string& target) { return bytes_of(target); }) > 0);
    const auto load_into = [&](T& target) {
        try {
            target = T::load(path);
        } catch (const CorruptData&) {  // how a reader reports a file that does not fit into memory
            throw std::bad_alloc();
        } catch (const IOError&) {
            throw std::bad_alloc();
        }
    };
    CHECK(check_strong_guarantee([&] { return other; }, load_into, answers) > 0);
    T target = other;
    put_bytes(again, Bytes(bytes.begin(), bytes.end() - 1));
    CHECK_THROWS_AS(target = T::load(again), CorruptData);
    CHECK(answers(target) == answers(other));

    {
        T source = object;
        const T taken = std::move(source);
        CHECK(answers(taken) == expected);
        CHECK(detail::saves_only_what_loads(source, again, path));  // NOLINT(bugprone-use-after-move)
        source = other;
        CHECK(answers(source) == answers(other));
        target = std::move(source);
        CHECK(detail::saves_only_what_loads(source, again, path));  // NOLINT(bugprone-use-after-move)
    }

    CHECK_THROWS_AS((void)T::load(dir / "no file.fnl"), IOError);
    CHECK_THROWS_AS(object.save(dir / "no folder/a.fnl"), IOError);
    put_bytes(again, detail::with_head_byte(bytes, 28));  // the layout version
    CHECK(detail::is_rejected_as_corrupt<T>(again));
    put_bytes(again, detail::with_head_byte(bytes, 32));  // the first letter of the kind
    CHECK(detail::is_rejected_as_corrupt<T>(again));

    check_damage(bytes, [&](const auto& damaged) { return answers(T::load(damaged)); }, damage);
    check_forgeries(bytes, [&](const auto& forged) { use(T::load(forged)); });
}

}  // namespace funnel::testing
