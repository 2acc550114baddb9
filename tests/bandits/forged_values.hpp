// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/saved_contract.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace funnel::testing {

/// Whether a saved object is rejected once number `at` of a section is replaced, with right checksums.
template <class T>
class ForgedValues {
public:
    explicit ForgedValues(const T& object) : path_(dir_ / "a.fnl") {
        object.save(path_);
        good_ = bytes_of(path_);
    }

    template <class Number>
    [[nodiscard]] bool are_rejected(const std::string& section, std::size_t at, Number number) const {
        Forgery forged = Forgery::of(good_);
        io::ByteWriter writer;
        writer.number(number);
        const Bytes bytes = std::move(writer).bytes();
        for (auto& part : forged.sections) {
            if (std::string(reinterpret_cast<const char*>(part.name.data())) == section) {
                std::copy(bytes.begin(), bytes.end(),
                          part.bytes.begin() + static_cast<std::ptrdiff_t>(at * bytes.size()));
            }
        }
        put_bytes(path_, forged.file());
        return detail::is_rejected_as_corrupt<T>(path_);
    }

private:
    TempDir dir_;
    std::string path_;
    Bytes good_;
};

}  // namespace funnel::testing
