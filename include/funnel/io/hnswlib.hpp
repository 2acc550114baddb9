// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

/// The sizes at the start of a file of hnswlib 0.8 on a 64-bit machine, and the layout of an element of level 0:
///
///     count of links (uint16), 1 if deleted (uint8), 0 (uint8), 2 M links (uint32), the vector, its label (uint64)
struct HnswlibHeader {
    static constexpr std::uint64_t bytes = 96;

    std::uint64_t count = 0;
    std::uint64_t element_bytes = 0;
    std::uint64_t dimension = 0;
    std::uint64_t M = 0;
    std::uint64_t ef_construction = 0;
    std::uint32_t entry = 0;
    std::int32_t top_level = 0;

    [[nodiscard]] std::uint64_t links_bytes() const noexcept { return 4 + 8 * M; }
    [[nodiscard]] std::uint64_t upper_list_bytes() const noexcept { return 4 + 4 * M; }
};

[[nodiscard]] inline HnswlibHeader parse_hnswlib_header(ByteReader& file) {
    HnswlibHeader header;
    const auto check = [&](bool holds, std::string_view what, const std::string& expected, std::uint64_t found) {
        if (!holds) {
            file.fail(what, expected, std::to_string(found));
        }
    };
    const auto offset = file.number<std::uint64_t>("offset of level 0");
    check(offset == 0, "offset of level 0", "0, as hnswlib 0.8 writes it", offset);
    file.number<std::uint64_t>("largest number of elements");  // how much memory hnswlib would reserve
    header.count = file.number<std::uint64_t>("number of elements");
    header.element_bytes = file.number<std::uint64_t>("bytes of an element");
    const auto label_at = file.number<std::uint64_t>("offset of the label");
    const auto vector_at = file.number<std::uint64_t>("offset of the vector");
    header.top_level = file.number<std::int32_t>("highest level");
    header.entry = file.number<std::uint32_t>("entry point");
    header.M = file.number<std::uint64_t>("M of the upper levels");
    check(header.M >= 2 && header.M <= 4096, "M of the upper levels", "2 to 4096", header.M);
    const auto most_links = file.number<std::uint64_t>("M of level 0");
    check(most_links == 2 * header.M, "M of level 0", "2 M = " + std::to_string(2 * header.M), most_links);
    const auto M = file.number<std::uint64_t>("M");
    check(M == header.M, "M", std::to_string(header.M), M);
    file.number<double>("level multiplier");
    header.ef_construction = file.number<std::uint64_t>("ef_construction");
    check(header.ef_construction >= 1, "ef_construction", "at least 1", header.ef_construction);
    check(vector_at == header.links_bytes(), "offset of the vector", std::to_string(header.links_bytes()), vector_at);
    check(label_at >= vector_at && label_at % 4 == 0, "offset of the label", "a multiple of 4 after the vector",
          label_at);
    check(header.element_bytes >= 8 && header.element_bytes - 8 == label_at, "bytes of an element",
          std::to_string(label_at) + " + 8", header.element_bytes);
    header.dimension = (label_at - vector_at) / 4;
    check(header.count < std::uint64_t{1} << 31, "number of elements", "fewer than 2^31", header.count);
    check(header.count == 0 || header.dimension > 0, "offset of the label", "vectors of one number or more", label_at);
    return header;
}

// A list of links: a count and so many ids, of which all but the first `count` are unused.
inline void append_links(GraphFile& graph, const ByteReader& file, std::span<const std::byte> list,
                         std::uint64_t capacity, std::size_t node) {
    const auto count = load_number<std::uint16_t>(list.first(2));
    if (count > capacity) {
        file.fail("links of node " + std::to_string(node), "at most " + std::to_string(capacity),
                  std::to_string(count));
    }
    for (std::size_t i = 0; i < count; ++i) {
        graph.links.push_back(load_number<std::uint32_t>(list.subspan(4 + 4 * i, 4)));
    }
    graph.list_begin.push_back(graph.links.size());
}

[[nodiscard]] inline GraphFile parse_hnswlib(std::span<const std::byte> bytes, std::string source) {
    ByteReader file(bytes, std::move(source));
    const HnswlibHeader header = parse_hnswlib_header(file);
    GraphFile graph;
    graph.M = header.M;
    graph.ef_construction = header.ef_construction;
    graph.entry = header.count == 0 ? 0 : header.entry;
    const auto base = file.bytes(file.product(header.count, header.element_bytes, "elements"), "elements");
    const std::uint64_t upper_at = file.position();
    const auto n = static_cast<std::size_t>(header.count);
    graph.vectors = Matrix<float>(n, n == 0 ? 0 : static_cast<std::size_t>(header.dimension));
    graph.list_begin.push_back(0);
    for (std::size_t node = 0; node < n; ++node) {
        const auto element = base.subspan(node * header.element_bytes, header.element_bytes);
        graph.is_removed.push_back(std::to_integer<std::uint8_t>(element[2]) & 1U);
        load_numbers<float>(element.subspan(header.links_bytes(), 4 * header.dimension), graph.vectors.row(node));
        graph.labels.push_back(load_number<std::uint64_t>(element.last(8)));

        graph.first_list.push_back(graph.list_begin.size() - 1);
        append_links(graph, file, element.first(header.links_bytes()), 2 * header.M, node);
        const auto size = file.number<std::uint32_t>("bytes of the upper links");
        if (size % header.upper_list_bytes() != 0 || size / header.upper_list_bytes() > highest_graph_level) {
            file.fail("bytes of the upper links",
                      "0 to 31 lists of " + std::to_string(header.upper_list_bytes()) + " bytes", std::to_string(size));
        }
        const auto lists = file.bytes(size, "upper links");
        graph.levels.push_back(static_cast<std::uint8_t>(size / header.upper_list_bytes()));
        for (std::size_t level = 0; level < graph.levels.back(); ++level) {
            const auto list = lists.subspan(level * header.upper_list_bytes(), header.upper_list_bytes());
            append_links(graph, file, list, header.M, node);
        }
    }
    file.expect_end();
    check_graph(graph, file, upper_at);
    if (n > 0 && header.top_level != graph.levels[graph.entry]) {
        file.fail_at(HnswlibHeader::bytes, "highest level", std::to_string(graph.levels[graph.entry]),
                     std::to_string(header.top_level));
    }
    return graph;
}

}  // namespace detail

/// Reads an index that hnswlib 0.8 saved on a little-endian 64-bit machine. The file does not say which metric it is
/// for: the caller has to know it. ann/import.hpp makes an index of the result.
///
/// Errors    IOError if the file cannot be read;  CorruptData, with the byte, if it is damaged or another format
/// Source    hnswlib 0.8.0, hnswalg.h (saveIndex)
[[nodiscard]] inline GraphFile read_hnswlib(const std::string& path) {
    return detail::parse_hnswlib(read_file(path), path);
}

/// Writes a graph so that hnswlib 0.8 loads it, completely or not at all.
///
/// Errors    IOError;  InvalidArgument if a label repeats (hnswlib would lose a node)
inline void write_hnswlib(const std::string& path, const GraphFile& graph) {
    std::vector<std::uint64_t> labels = graph.labels;
    std::sort(labels.begin(), labels.end());
    const auto repeated = std::adjacent_find(labels.begin(), labels.end());
    if (repeated != labels.end()) {
        raise<InvalidArgument>("write_hnswlib: labels must differ, found " + std::to_string(*repeated) + " twice");
    }

    detail::HnswlibHeader header;
    header.M = graph.M;
    header.dimension = graph.vectors.cols();
    const std::uint64_t label_at = header.links_bytes() + 4 * header.dimension;
    ByteWriter out;
    out.number(std::uint64_t{0});
    out.number(std::uint64_t{graph.size()});
    out.number(std::uint64_t{graph.size()});
    out.number(std::uint64_t{label_at + 8});
    out.number(label_at);
    out.number(header.links_bytes());
    out.number(graph.size() == 0 ? std::int32_t{-1} : std::int32_t{graph.levels[graph.entry]});
    out.number(graph.size() == 0 ? std::numeric_limits<std::uint32_t>::max() : graph.entry);
    out.number(std::uint64_t{graph.M});
    out.number(std::uint64_t{2 * graph.M});
    out.number(std::uint64_t{graph.M});
    out.number(1.0 / math::log(static_cast<double>(graph.M)));
    out.number(std::uint64_t{graph.ef_construction});
    const auto write_links = [&](std::span<const std::uint32_t> links, std::size_t capacity, std::uint8_t flags) {
        out.number(static_cast<std::uint16_t>(links.size()));
        out.number(flags);
        out.number(std::uint8_t{0});
        out.numbers(links);
        for (std::size_t i = links.size(); i < capacity; ++i) {
            out.number(std::uint32_t{0});
        }
    };
    for (std::size_t node = 0; node < graph.size(); ++node) {
        write_links(graph.links_of(node, 0), 2 * graph.M, graph.is_removed[node]);
        out.numbers(graph.vectors.row(node));
        out.number(graph.labels[node]);
    }
    for (std::size_t node = 0; node < graph.size(); ++node) {
        out.number(static_cast<std::uint32_t>(graph.levels[node] * header.upper_list_bytes()));
        for (std::size_t level = 1; level <= graph.levels[node]; ++level) {
            write_links(graph.links_of(node, level), graph.M, 0);
        }
    }
    AtomicFile file(path);
    file.write(out.bytes());
    file.commit();
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
