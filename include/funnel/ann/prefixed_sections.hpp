// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/copy_on_write_matrix.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/container_format.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// A part of a file: a writer or reader of sections that puts a prefix before each name. File is io::ContainerWriter,
/// const io::ContainerReader, or another part.
template <class File>
class PrefixedSections {
public:
    PrefixedSections(File& file FUNNEL_LIFETIMEBOUND, std::string prefix) : file_(&file), prefix_(std::move(prefix)) {}

    template <class T>
    void value(std::string_view name, T number) {
        file_->value(full(name), number);
    }
    template <class Numbers>
    void array(std::string_view name, Numbers&& numbers) {
        file_->array(full(name), std::forward<Numbers>(numbers));
    }
    template <class Numbers>
    void matrix(std::string_view name, Numbers&& numbers) {
        file_->matrix(full(name), std::forward<Numbers>(numbers));
    }
    void strings(std::string_view name, std::span<const std::string> texts) { file_->strings(full(name), texts); }

    [[nodiscard]] bool has(std::string_view name) const { return file_->has(full(name)); }
    template <class T>
    [[nodiscard]] T value(std::string_view name) const {
        return file_->template value<T>(full(name));
    }
    template <class T>
    [[nodiscard]] std::vector<T> array(std::string_view name, io::detail::ExpectedCount count = {}) const {
        return file_->template array<T>(full(name), count);
    }
    template <class T>
    [[nodiscard]] Matrix<T> matrix(std::string_view name, io::detail::ExpectedCount rows = {},
                                   io::detail::ExpectedCount cols = {}) const {
        return file_->template matrix<T>(full(name), rows, cols);
    }
    template <class T>
    [[nodiscard]] CopyOnWriteMatrix<T> copy_on_write_matrix(std::string_view name, io::detail::ExpectedCount rows = {},
                                                            io::detail::ExpectedCount cols = {}) const {
        return file_->template copy_on_write_matrix<T>(full(name), rows, cols);
    }
    [[nodiscard]] std::vector<std::string> strings(std::string_view name, io::detail::ExpectedCount count = {}) const {
        return file_->strings(full(name), count);
    }
    void check(bool holds, std::string_view name, std::string_view what_must_hold) const {
        if (!holds) [[unlikely]] {
            file_->check(false, full(name), what_must_hold);
        }
    }

private:
    [[nodiscard]] std::string full(std::string_view name) const { return prefix_ + std::string(name); }

    File* file_;
    std::string prefix_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
