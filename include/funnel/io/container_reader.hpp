// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/copy_on_write_matrix.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/container_table.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/mapped_file.hpp>
#include <funnel/io/recognise.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Opens a .fnl file and returns its sections, each fully checked.
///
///     const io::ContainerReader file(path, "cf.EASE", 1);
///     const auto items = file.value<std::uint32_t>("items");
///     Matrix<float> weights = file.matrix<float>("weights", items, items);
///     file.check(all_finite(weights), "weights", "must be finite");
///
/// The constructor checks that the file is complete and not corrupt: it detects any changed, missing or added byte. The
/// caller must check() the meaning of the contents, for example that ids are below a count. Sections that are not
/// requested are ignored.
///
/// Cost      reads the file once, into memory unless it is mapped; each returned section is a copy, except rows that
///           copy_on_write_matrix() returns of a mapped file
/// Errors    IOError if the file cannot be read;  CorruptData, with the place, what was expected and what was found, if
///           the file is corrupt, of another kind or from a newer version, or has no such section of that type and size
class ContainerReader {
public:
    /// layout_version is the newest version that the caller can read; see the member function of that name.
    ContainerReader(const std::string& path, std::string_view kind, std::uint32_t layout_version)
        : file_(read_file(path)), bytes_(file_), source_(path) {
        open(kind, layout_version);
    }

    /// Reads from a mapped file. A copy of its checked bytes is made only of the sections that are returned as copies.
    ContainerReader(MappedFile file, std::string_view kind, std::uint32_t layout_version)
        : mapped_(std::make_shared<const MappedFile>(std::move(file))),
          bytes_(mapped_->bytes()),
          source_(mapped_->path()) {
        open(kind, layout_version);
    }

    /// Reads from bytes in memory, which must outlive the reader; source is the name used in error messages.
    ContainerReader(std::span<const std::byte> bytes FUNNEL_LIFETIMEBOUND, std::string_view kind,
                    std::uint32_t layout_version, std::string source = "container in memory")
        : bytes_(bytes), source_(std::move(source)) {
        open(kind, layout_version);
    }
    /// Reads from a temporary vector, which the reader takes over.
    ContainerReader(std::vector<std::byte>&& bytes, std::string_view kind, std::uint32_t layout_version,
                    std::string source = "container in memory")
        : file_(std::move(bytes)), bytes_(file_), source_(std::move(source)) {
        open(kind, layout_version);
    }

    ContainerReader(ContainerReader&&) noexcept = default;  // a copy would refer to the bytes of the original
    ContainerReader& operator=(ContainerReader&&) noexcept = default;

    /// The layout version of the file: from 1 to the version passed to the constructor.
    [[nodiscard]] std::uint32_t layout_version() const noexcept { return version_; }

    [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

    /// Reads a section of one number.
    template <Number T>
    [[nodiscard]] T value(std::string_view name) const {
        const Section& section = section_of(name, detail::element_type_of<T>(), sizeof(T), 1);
        expect_count(section, section.bytes.size() / sizeof(T), 1, "numbers");
        return load_number<T>(section.bytes);
    }

    /// Reads a section of numbers, of any count or exactly the expected one.
    template <Number T>
    [[nodiscard]] std::vector<T> array(std::string_view name, detail::ExpectedCount expected_count = {}) const {
        const Section& section = section_of(name, detail::element_type_of<T>(), sizeof(T), 1);
        const std::size_t count = section.bytes.size() / sizeof(T);
        expect_count(section, count, expected_count, "numbers");
        std::vector<T> numbers(count);
        load_numbers<T>(section.bytes, std::span(numbers));
        return numbers;
    }

    /// Reads a section of rows of numbers, of any shape or exactly the expected one.
    template <Number T>
    [[nodiscard]] Matrix<T> matrix(std::string_view name, detail::ExpectedCount expected_rows = {},
                                   detail::ExpectedCount expected_cols = {}) const {
        const Section& section = rows_of(name, detail::element_type_of<T>(), sizeof(T), expected_rows, expected_cols);
        const std::size_t cols = section.columns;
        Matrix<T> numbers(cols == 0 ? 0 : section.bytes.size() / sizeof(T) / cols, cols);
        for (std::size_t i = 0; i < numbers.rows(); ++i) {
            load_numbers<T>(section.bytes.subspan(i * cols * sizeof(T)), numbers.row(i));
        }
        return numbers;
    }

    /// As matrix(). The rows of a mapped file are not copied: the result keeps the file mapped. Each row starts where
    /// the one before ends, without padding.
    template <Number T>
    [[nodiscard]] CopyOnWriteMatrix<T> copy_on_write_matrix(std::string_view name,
                                                            detail::ExpectedCount expected_rows = {},
                                                            detail::ExpectedCount expected_cols = {}) const {
        if (mapped_ == nullptr || std::endian::native != std::endian::little) {
            return matrix<T>(name, expected_rows, expected_cols);
        }
        const Section& section = rows_of(name, detail::element_type_of<T>(), sizeof(T), expected_rows, expected_cols);
        // Sections and mapped files start at multiples of 64 bytes.
        const std::span numbers(reinterpret_cast<const T*>(section.bytes.data()), section.bytes.size() / sizeof(T));
        const std::size_t cols = section.columns;
        return {MatrixView<const T>(numbers, cols == 0 ? 0 : numbers.size() / cols, cols), mapped_};
    }

    /// Reads a section of strings, of any count or exactly the expected one.
    [[nodiscard]] std::vector<std::string> strings(std::string_view name,
                                                   detail::ExpectedCount expected_count = {}) const {
        const Section& section = named(name);
        expect_type(section, detail::ElementType::strings);
        expect_count(section, section.columns, 1, "columns");
        ByteReader reader(section.bytes, source_ + ": section \"" + std::string(name) + "\"");
        const auto count = reader.number<std::uint64_t>("number of texts");
        expect_count(section, count, expected_count, "texts");
        if (count >= reader.remaining() / 8) {
            reader.fail("offsets of the texts", "room for count + 1 offsets", std::to_string(count));
        }
        const auto offsets = reader.bytes(8 * (count + 1), "offsets of the texts");
        const auto offset = [&](std::size_t i) { return load_number<std::uint64_t>(offsets.subspan(8 * i)); };
        bool rise = offset(0) == 0 && offset(count) == reader.remaining();
        for (std::size_t i = 0; i < count; ++i) {
            rise = rise && offset(i) <= offset(i + 1);
        }
        if (!rise) {
            reader.fail_at(sizeof(count), "offsets of the texts",
                           "ascending numbers from 0 to " + std::to_string(reader.remaining()), "other numbers");
        }
        std::vector<std::string> texts;
        texts.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            texts.push_back(reader.text(offset(i + 1) - offset(i), "characters"));
        }
        return texts;
    }

    /// Checks a condition that only the caller can know. Throws CorruptData with the file, the section and the
    /// condition.
    void check(bool holds, std::string_view name, std::string_view what_must_hold) const {
        if (!holds) [[unlikely]] {
            const Section* section = find(name);
            const std::string place = section == nullptr ? "" : " (byte " + std::to_string(section->offset) + ")";
            raise<CorruptData>(source_ + ": section \"" + std::string(name) + "\"" + place + ": " +
                               std::string(what_must_hold));
        }
    }

private:
    using Section = detail::ContainerSection;

    [[nodiscard]] const Section* find(std::string_view name) const noexcept {
        for (const Section& section : sections_) {
            if (section.name == name) {
                return &section;
            }
        }
        return nullptr;
    }

    [[nodiscard]] const Section& named(std::string_view name) const {
        const Section* section = find(name);
        if (section == nullptr) {
            raise<CorruptData>(source_ + ": expected a section \"" + std::string(name) + "\", found none");
        }
        return *section;
    }

    // Checks that the section consists of whole rows. Not a template, because a reader of a model uses many types.
    [[nodiscard]] const Section& section_of(std::string_view name, detail::ElementType type, std::size_t size,
                                            detail::ExpectedCount columns) const {
        const Section& section = named(name);
        expect_type(section, type);
        expect_count(section, section.columns, columns, "columns");
        const std::uint64_t count = section.length / size;
        const bool fills_rows = section.columns == 0 ? count == 0 : count % section.columns == 0;
        check(section.columns <= std::max(count, detail::container_max_empty_columns), name, "must have fewer columns");
        check(section.length % size == 0 && fills_rows, name, "must consist of whole rows of numbers");
        return section;
    }

    [[nodiscard]] const Section& rows_of(std::string_view name, detail::ElementType type, std::size_t size,
                                         detail::ExpectedCount expected_rows,
                                         detail::ExpectedCount expected_cols) const {
        const Section& section = section_of(name, type, size, {});
        const std::uint64_t rows = section.columns == 0 ? 0 : section.length / size / section.columns;
        expect_count(section, rows, expected_rows, "rows");
        expect_count(section, section.columns, expected_cols, "columns");
        return section;
    }

    void expect_type(const Section& section, detail::ElementType type) const {
        if (section.type != static_cast<std::uint32_t>(type)) {
            const std::string expected = detail::element_type_name(static_cast<std::uint32_t>(type));
            check(false, section.name, "expected " + expected + ", found " + detail::element_type_name(section.type));
        }
    }

    void expect_count(const Section& section, std::uint64_t found, detail::ExpectedCount expected,
                      const char* what) const {
        if (expected.is_known && found != expected.count) {
            check(false, section.name,
                  "expected " + std::to_string(expected.count) + " " + what + ", found " + std::to_string(found));
        }
    }

    void open(std::string_view kind, std::uint32_t layout_version);

    std::vector<std::byte> file_;  // empty if the file is mapped, or the bytes belong to the caller
    std::shared_ptr<const MappedFile> mapped_;
    std::span<const std::byte> bytes_;
    std::string source_;
    std::uint32_t version_ = 0;
    std::vector<Section> sections_;
};

inline void ContainerReader::open(std::string_view kind, std::uint32_t layout_version) {
    ByteReader reader(bytes_, source_);
    const auto expect = [&](std::uint64_t found, std::uint64_t expected, std::uint64_t position, const char* what) {
        if (found != expected) {
            reader.fail_at(position, what, std::to_string(expected), std::to_string(found));
        }
    };

    const std::string_view characters(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    if (!characters.starts_with(detail::container_magic)) {
        reader.fail("magic", "a funnel container", recognise(bytes_));
    }
    reader.bytes(detail::container_magic.size(), "magic");
    const auto major = reader.number<std::uint16_t>("format");
    const auto minor = reader.number<std::uint16_t>("format");
    const auto mark = reader.number<std::uint32_t>("byte order");
    const auto length = reader.number<std::uint64_t>("length of the file");
    const auto count = reader.number<std::uint32_t>("number of sections");
    version_ = reader.number<std::uint32_t>("layout version");
    const auto kind_position = reader.position();
    reader.bytes(detail::container_kind_size, "kind");
    const auto table_checksum = reader.number<std::uint32_t>("checksum of the section table");
    const auto head_checksum = reader.number<std::uint32_t>("checksum of the head");

    constexpr std::size_t head_size = detail::container_head_size;
    detail::expect_checksum(reader, head_size - 4, "checksum of the head", bytes_.first(head_size - 4), head_checksum);
    if (major != detail::container_major) {
        reader.fail_at(8, "format", "version 1.x", "version " + std::to_string(major) + "." + std::to_string(minor));
    }
    expect(mark, detail::container_endian_mark, 12, "byte order");
    ByteReader kind_reader(bytes_.first(head_size), source_);  // decoded only after the checksum was verified
    kind_reader.bytes(kind_position, "kind");
    const std::string found_kind = detail::container_text(kind_reader, detail::container_kind_size, "kind");
    if (found_kind != kind) {
        reader.fail_at(kind_position, "kind", "\"" + std::string(kind) + "\"", "\"" + found_kind + "\"");
    }
    if (version_ == 0 || version_ > layout_version) {
        reader.fail_at(28, "layout version of \"" + found_kind + "\"", "1 to " + std::to_string(layout_version),
                       std::to_string(version_) + (version_ == 0 ? "" : ": it was written by a newer funnel"));
    }
    expect(bytes_.size(), length, 16, "length of the file");
    if (count > detail::container_max_sections) {
        reader.fail_at(24, "number of sections", "at most 4096", std::to_string(count));
    }
    const std::uint64_t table_size = std::uint64_t{count} * detail::container_entry_size;
    if (table_size > reader.remaining()) {
        reader.fail_at(24, "number of sections", "as many as fit into the file", std::to_string(count));
    }
    detail::expect_checksum(reader, 56, "checksum of the section table", bytes_.subspan(head_size, table_size),
                            table_checksum);
    sections_ = detail::read_container_table(reader, count);
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
