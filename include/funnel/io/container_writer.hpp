// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/crc32c.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Collects named sections and saves them as one .fnl file. The counterpart is ContainerReader.
///
///     io::ContainerWriter file("cf.EASE", 1);
///     file.value("lambda", lambda_);
///     file.matrix("weights", weights_);
///     file.save(path);
///
/// Arrays and matrices are not copied: they must exist, unchanged, until the last save() or bytes(). The same sections
/// give the same bytes on every machine. A call that throws adds nothing.
///
/// Errors    InvalidArgument if a kind (name) is not 1 to 23 (31) printable characters without spaces, if a name occurs
///           twice, or if there are more than 4096 sections
class ContainerWriter {
public:
    /// kind is the type of the stored object. layout_version (from 1) determines its sections and their meaning.
    ContainerWriter(std::string_view kind, std::uint32_t layout_version) : kind_(kind), version_(layout_version) {
        require(detail::is_container_name(kind, detail::container_kind_size),
                "ContainerWriter: kind must be 1 to 23 printable characters without spaces");
        require(layout_version > 0, "ContainerWriter: layout_version must be at least 1");
    }

    ContainerWriter(const ContainerWriter&) = default;
    ContainerWriter(ContainerWriter&&) noexcept = default;
    ContainerWriter& operator=(const ContainerWriter& other) {
        return *this = ContainerWriter(other);
    }  // strong guarantee
    ContainerWriter& operator=(ContainerWriter&&) noexcept = default;
    ~ContainerWriter() = default;

    /// Adds one number.
    template <Number T>
    void value(std::string_view name, T number) {
        ByteWriter bytes;
        bytes.number(number);
        add(new_section<T>(name, 1), std::move(bytes).bytes());
    }

    /// Adds an array of numbers.
    template <Number T>
    void array(std::string_view name, std::span<const T> numbers) {
        matrix(name, MatrixView<const T>(numbers, numbers.size(), 1));
    }

    /// As above, for an lvalue that converts to a span. Temporary vectors are rejected, because they would be destroyed
    /// before save().
    template <class Numbers>
        requires(std::is_lvalue_reference_v<Numbers>)
    void array(std::string_view name, Numbers&& numbers) {
        using Element = std::remove_cvref_t<decltype(*std::data(numbers))>;
        array(name, std::span<const Element>(std::data(numbers), std::size(numbers)));
    }

    /// Adds a copy of an array: for numbers that are computed for the file.
    template <Number T>
    void array_copy(std::string_view name, std::span<const T> numbers) {
        ByteWriter bytes;
        bytes.numbers(numbers);
        add(new_section<T>(name, 1), std::move(bytes).bytes());
    }

    /// Adds rows of numbers, without the padding between them.
    ///
    /// Errors    InvalidArgument if there are rows without columns: the file could not store their number
    template <class T>
        requires Number<std::remove_const_t<T>>
    void matrix(std::string_view name, MatrixView<T> numbers) {
        require(numbers.cols() > 0 || numbers.rows() == 0, "ContainerWriter: a matrix with rows must have columns");
        require(numbers.rows() > 0 || numbers.cols() <= detail::container_max_empty_columns,
                "ContainerWriter: a matrix without rows must have at most 65536 columns");
        Section section = new_section<std::remove_const_t<T>>(name, numbers.cols());
        if constexpr (std::endian::native == std::endian::little) {
            section.data = reinterpret_cast<const std::byte*>(numbers.data());
            section.rows = numbers.rows();
            section.row_bytes = numbers.cols() * sizeof(T);
            section.stride_bytes = numbers.stride() * sizeof(T);
            if (section.row_bytes == section.stride_bytes) {
                section.row_bytes *= std::exchange(section.rows, std::size_t{1});
            }
            add(std::move(section), {});
        } else {
            ByteWriter converted;
            for (std::size_t i = 0; i < numbers.rows(); ++i) {
                converted.numbers(std::span<const std::remove_const_t<T>>(numbers.row(i)));
            }
            add(std::move(section), std::move(converted).bytes());
        }
    }

    template <Number T>
    void matrix(std::string_view name, const Matrix<T>& numbers) {
        matrix(name, numbers.view());
    }
    template <Number T>
    void matrix(std::string_view name, const Matrix<T>&& numbers) = delete;  // destroyed before save()

    /// Adds strings of any bytes. They are copied.
    void strings(std::string_view name, std::span<const std::string> texts) {
        ByteWriter packed;
        packed.number<std::uint64_t>(texts.size());
        std::uint64_t offset = 0;
        packed.number(offset);
        for (const std::string& text : texts) {
            offset += text.size();
            packed.number(offset);
        }
        for (const std::string& text : texts) {
            packed.text(text);
        }
        add(new_section(name, detail::ElementType::strings, 1), std::move(packed).bytes());
    }

    /// Writes the file, completely or not at all. An existing file is unchanged until the new one replaces it.
    ///
    /// Errors    IOError, with the path and the reason
    void save(const std::string& path) const {
        AtomicFile file(path);
        write_to(file);
        file.commit();
    }

    /// The bytes that save() would write.
    [[nodiscard]] std::vector<std::byte> bytes() const {
        ByteWriter out;
        write_to(out);
        return std::move(out).bytes();
    }

private:
    // Either strided rows of the caller's bytes, or bytes owned by the section.
    struct Section {
        std::string name;
        detail::ElementType type;
        std::uint64_t columns;
        std::vector<std::byte> owned = {};
        const std::byte* data = nullptr;
        std::size_t rows = 0;
        std::size_t row_bytes = 0;
        std::size_t stride_bytes = 0;

        [[nodiscard]] std::uint64_t size() const { return owned.size() + std::uint64_t{rows} * row_bytes; }

        template <class Visit>
        void for_each_part(Visit&& visit) const {
            visit(std::span<const std::byte>(owned.data(), owned.size()));
            for (std::size_t i = 0; i < rows; ++i) {
                visit(std::span<const std::byte>(data + i * stride_bytes, row_bytes));
            }
        }
    };

    template <Number T>
    [[nodiscard]] Section new_section(std::string_view name, std::uint64_t columns) const {
        return new_section(name, detail::element_type_of<T>(), columns);
    }

    [[nodiscard]] Section new_section(std::string_view name, detail::ElementType type, std::uint64_t columns) const {
        require(detail::is_container_name(name, detail::container_name_size),
                "ContainerWriter: a section name must be 1 to 31 printable characters without spaces");
        for (const Section& section : sections_) {
            require(section.name != name, "ContainerWriter: section names must differ");
        }
        require(sections_.size() < detail::container_max_sections,
                "ContainerWriter: there must be at most 4096 sections");
        return {.name = std::string(name), .type = type, .columns = columns};
    }

    void add(Section section, std::vector<std::byte> owned) {
        section.owned = std::move(owned);
        sections_.push_back(std::move(section));
    }

    // All offsets follow from the sizes, so the head is known before the first section is written.
    [[nodiscard]] std::vector<std::byte> head() const {
        ByteWriter table;
        std::uint64_t offset = detail::container_head_size + sections_.size() * detail::container_entry_size;
        for (const Section& section : sections_) {
            std::uint32_t checksum = 0;
            section.for_each_part([&](std::span<const std::byte> part) { checksum = crc32c(part, checksum); });
            table.text(section.name, detail::container_name_size);
            table.number(static_cast<std::uint32_t>(section.type));
            table.number(checksum);
            table.number(offset);
            table.number(section.size());
            table.number(section.columns);
            offset += section.size() + detail::container_padding(section.size());
        }

        ByteWriter head;
        head.text(detail::container_magic);
        head.number(detail::container_major);
        head.number(detail::container_minor);
        head.number(detail::container_endian_mark);
        head.number(offset);
        head.number(static_cast<std::uint32_t>(sections_.size()));
        head.number(version_);
        head.text(kind_, detail::container_kind_size);
        head.number(crc32c(table.bytes()));
        head.number(crc32c(head.bytes()));
        head.write(table.bytes());
        return std::move(head).bytes();
    }

    template <class Sink>
    void write_to(Sink& sink) const {
        static constexpr std::array<std::byte, detail::container_alignment> zeros{};
        sink.write(head());
        for (const Section& section : sections_) {
            section.for_each_part([&](std::span<const std::byte> part) { sink.write(part); });
            sink.write({zeros.data(), detail::container_padding(section.size())});
        }
    }

    std::string kind_;
    std::uint32_t version_;
    std::vector<Section> sections_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
